// SPDX-License-Identifier: Apache-2.0

package members

import (
	"errors"
	"net"
	"time"

	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/scaler/members/probe"
)

// identifyEvery is how often a member is asked which cluster it is while nothing about it changes: one that is made anew
// under the same kubeconfig is another cluster. One that refused to say is asked with every probe.
const identifyEvery = time.Minute

// unidentified is what is said of a member that may not be asked which cluster it is.
const unidentified = "which cluster it is is not known, so that a second MemberCluster of it would go unnoticed: apply manifests/member there"

// undecided is what is said of a member that told which cluster it is, and may not be asked any more.
const undecided = "its kubeconfig may not read which cluster it is now, so that it counts as the one that it was: apply manifests/member there"

// known is which cluster a prober's member is.
type known struct {
	// Identity has the ID that was told last, also when a later kubeconfig was refused it: one that was found out stays until
	// another one is.
	probe.Identity
	hash  string    // of the kubeconfig that it was asked by
	since time.Time // when it was first asked by that
	mute  bool      // it did not say in time when it was asked last
	task  *task     // for which it said something
	at    time.Time // when
}

// waits says whether a member that has a new kubeconfig is not connected yet, because it may be the cluster of another one. It
// gets one interval for saying so.
func (k *known) waits(now time.Time, interval time.Duration) bool {
	age := now.Sub(k.since)
	return k.mute && age >= 0 && age < interval
}

// claim is which cluster a MemberCluster is for, and since when. Of several for one cluster the oldest keeps it.
type claim struct {
	cluster string // "": not known
	created time.Time
}

// older says whether the claim of one name comes before that of another.
func (a claim) older(name string, b claim, other string) bool {
	return a.created.Before(b.created) || a.created.Equal(b.created) && name < other
}

// identify asks the member which cluster it is, if that may be another one by now. What it does not say stays as it was.
func (p *prober) identify(t *task) {
	k, now := &p.known, p.c.now()
	if age := now.Sub(k.at); k.task == t && !k.Refused && age >= 0 && age < identifyEvery {
		return
	}
	if k.hash != t.way.hash {
		k.hash, k.since = t.way.hash, now
	}
	identity, err := probe.Identify(p.ctx, t.way.config, t.member.HealthOptions().Timeout)
	k.mute = timedOut(err)
	if err != nil {
		klog.FromContext(p.ctx).V(2).Info("It is not known which cluster a member is", "member", p.name, "err", err)
		return
	}
	k.Refused, k.task, k.at = identity.Refused, t, now
	if identity.ID != "" {
		k.ID = identity.ID
		p.c.claim(p, k.ID)
	}
}

func timedOut(err error) bool {
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

// claim notes which cluster a prober's member is; "": that is not known. Others of the same cluster are judged anew.
func (c *fleetController) claim(p *prober, cluster string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.claims[p.name].cluster
	if c.probers[p.name] != p || was == cluster {
		return
	}
	c.claims[p.name] = claim{cluster: cluster, created: p.created}
	c.pokeAll(was)
	c.pokeAll(cluster)
}

// unclaim forgets a MemberCluster's claim. The lock is held.
func (c *fleetController) unclaim(name string) {
	was := c.claims[name].cluster
	delete(c.claims, name)
	c.pokeAll(was)
}

// pokeAll has every member of a cluster judged anew. The lock is held.
func (c *fleetController) pokeAll(cluster string) {
	for name, one := range c.claims {
		if p := c.probers[name]; p != nil && cluster != "" && one.cluster == cluster {
			p.poke()
		}
	}
}

// keeperOf is the MemberCluster that keeps the cluster of another one, because it is older; "": that one keeps it itself, or
// it is not known which cluster it is.
func (c *fleetController) keeperOf(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	keeper, oldest := name, c.claims[name]
	if oldest.cluster == "" {
		return ""
	}
	for other, one := range c.claims {
		if one.cluster == oldest.cluster && one.older(other, oldest, keeper) {
			keeper, oldest = other, one
		}
	}
	if keeper == name {
		return ""
	}
	return keeper
}
