// SPDX-License-Identifier: Apache-2.0

// Package members connects the hub to its member clusters: one connection per MemberCluster whose kubeconfig can be used,
// with caches of what is decided by, and a judgement of each member's health in its status. What is thought of a member is
// read from that status; what is in it, from its Member.
package members

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/scaler/newnodes"
)

// OnConnect is called for each new connection before its caches are filled, to watch what is there. It is called in the
// connection's own time, so that it may ask the member; informers are to be had with cache.BlockUntilSynced(false). A
// member whose OnConnect fails is connected again later.
type OnConnect func(ctx context.Context, m *Member) error

// Fleet holds the connections to the members. A member that hangs delays nobody else: every connection has caches and a
// goroutine of its own, and nothing here waits for a member.
type Fleet struct {
	scheme *runtime.Scheme

	mu        sync.RWMutex // of what follows
	members   map[string]*Member
	onConnect []OnConnect
	demand    map[string]time.Time // see SawDemand
	offers    map[string]*newnodes.Offer
}

// NewFleet makes one without connections. The scheme must know every kind that is read or written in members.
func NewFleet(scheme *runtime.Scheme) *Fleet {
	return &Fleet{scheme: scheme, members: map[string]*Member{}, demand: map[string]time.Time{}, offers: map[string]*newnodes.Offer{}}
}

// OnConnect adds a function that sees every connection. It must be added before the manager starts.
func (f *Fleet) OnConnect(do OnConnect) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onConnect = append(f.onConnect, do)
}

// SawDemand notes that a new value of a member's own demand metrics came in: when its time advanced, not when it was read
// again. A member whose demand comes in serves, so that it does not fail however its API server is.
func (f *Fleet) SawDemand(name string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.After(f.demand[name]) {
		f.demand[name] = at
	}
}

// demanded is when demand was seen last.
func (f *Fleet) demanded(name string) time.Time {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.demand[name]
}

// Offer says what a member's node groups may add from now on, until another Offer does. It outlives a connection.
func (f *Fleet) Offer(name string, o *newnodes.Offer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offers[name] = o
}

// Offered is what was said last of a member's node groups; nil: nothing yet.
func (f *Fleet) Offered(name string) *newnodes.Offer {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.offers[name]
}

// Member returns the connection to a member; nil while there is none whose caches are filled. A connection says nothing
// about health: the caches of a member that has stopped answering go on showing what was seen last.
func (f *Fleet) Member(name string) *Member {
	m := f.connection(name)
	if m == nil || !m.filled.Load() {
		return nil
	}
	return m
}

// connection is Member with those whose caches are not filled.
func (f *Fleet) connection(name string) *Member {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.members[name]
}

// Connect connects to a member, unless there is a connection with the same hash of its kubeconfig. It returns at once; the
// caches are filled in the background, until the context or the connection ends. An older connection ends. The error is
// about the configuration: nothing is asked of the member here.
func (f *Fleet) Connect(ctx context.Context, name, hash string, config *rest.Config) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.members[name]; old != nil {
		if old.hash == hash && !old.ended() {
			return nil
		}
		old.cancel()
		delete(f.members, name)
	}
	m, err := newMember(ctx, name, hash, config, f.scheme)
	if err != nil {
		return fmt.Errorf("cannot connect to member %s: %w", name, err)
	}
	f.members[name] = m
	go m.run(f.onConnect)
	klog.FromContext(ctx).V(1).Info("Connecting to a member", "member", name, "server", config.Host)
	return nil
}

// Disconnect ends the connection to a member, if there is one. Nothing changes in the member.
func (f *Fleet) Disconnect(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m := f.members[name]; m != nil {
		m.cancel()
		delete(f.members, name)
	}
}

// forget forgets a member that is gone.
func (f *Fleet) forget(name string) {
	f.Disconnect(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.demand, name)
	delete(f.offers, name)
}
