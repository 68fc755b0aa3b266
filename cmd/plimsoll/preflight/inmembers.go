// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Division is how a workload is divided over members at its worst moment, and what fits there.
type Division struct {
	Target   string    `json:"target"` // namespace/name of what the event names
	Scale    string    `json:"federatedScale"`
	When     time.Time `json:"when"`
	Replicas int64     `json:"replicas"` // to be divided
	Moved    int64     `json:"moved"`    // of them, those that do not fit as divided, and would be moved to where they do
	Nowhere  int64     `json:"nowhere"`  // of them, those that fit nowhere
	Clusters []Share   `json:"clusters"` // by name
}

// Share is what one member has of a division.
type Share struct {
	Member  string   `json:"member"`
	Weight  int64    `json:"weight"`
	Has     int64    `json:"has"`               // now
	Share   int64    `json:"share"`             // as divided
	Fits    int64    `json:"fits"`              // of its share
	Takes   int64    `json:"takes"`             // besides, of what does not fit elsewhere
	Missing []string `json:"missing,omitempty"` // what the rest of its share lacks: quota, cpu, memory, pods, spread, nodes
	Unknown string   `json:"unknown,omitempty"` // why it is not known what fits; it counts as full
	Lost    bool     `json:"lost,omitempty"`
}

// outcome is a division with what it was worked out from.
type outcome struct {
	federation *federation
	claim      *claim
	at         time.Time
	needs      [][]quotaNeed // by cluster
}

// inMembers shows every workload that is divided over members at the moment at which the most of its replicas have no place.
func (c *checker) inMembers(moments []moment) {
	if len(c.federations) == 0 || !c.askedMembers() {
		return
	}
	worst := map[*target]outcome{}
	for _, m := range moments {
		for t, o := range c.momentInMembers(m) {
			if old, seen := worst[t]; !seen || o.worse(old) {
				worst[t] = o
			}
		}
	}
	for _, t := range c.targets {
		if o, there := worst[t]; there {
			c.showDivision(t, o)
		}
	}
	c.note("what members have is counted with the reserve as free, as its pods give way, and divided by the weights of now")
	if lose := c.options.Lose; lose != "" {
		c.note("%s is taken for lost: what moves is moved failover.after later", lose)
	}
}

// askedMembers says whether enough is known to say anything, and if not why.
func (c *checker) askedMembers() bool {
	unknown := func(text string) bool {
		c.add(Check{Check: "members", For: "all", State: Unknown, ToDo: text})
		return false
	}
	for _, what := range []string{unreadHPAs, unreadSchedules, unreadScales, unreadMembers} {
		if why, unread := c.Unread[what]; unread {
			return unknown(cannotRead(what, why))
		}
	}
	if len(c.Members) == 0 {
		return unknown("no member clusters are known: they are asked only without --offline, and the hub needs MemberClusters")
	}
	if namespace, unread := c.Unread[unreadSecrets]; unread {
		unknown(fmt.Sprintf("what the members have is not known, because the right to get secrets in namespace %s, where their kubeconfigs are, is missing; try: kubectl auth can-i get secrets -n %s",
			namespace, namespace))
	}
	return true
}

// momentInMembers divides everything that one moment needs.
func (c *checker) momentInMembers(m moment) map[*target]outcome {
	sites := c.sites(m)
	all := map[*target]outcome{}
	claims := make([]*claim, len(m.divided))
	for i, one := range m.divided {
		f := c.federations[one.target]
		claims[i] = f.claimAt(one, sites)
		all[one.target] = outcome{federation: f, claim: claims[i], at: m.at, needs: make([][]quotaNeed, len(f.clusters))}
	}
	if err := distribute(claims); err != nil {
		c.note("%v", err)
		return nil
	}
	c.quotasThere(all)
	return all
}

// quotasThere works out what all workloads together need of the quotas of every member.
func (c *checker) quotasThere(all map[*target]outcome) {
	for i := range c.Members {
		m := &c.Members[i]
		if m.Inside == nil {
			continue
		}
		var crews []crew
		for _, t := range c.targets {
			for j, p := range all[t].portions() {
				if one := all[t].federation.clusters[j]; one.member == m && p.site != nil {
					one.needs.create = max(p.share-p.has, 0)
					crews = append(crews, one.needs)
				}
			}
		}
		needs := m.Inside.quotaNeeds(crews)
		for _, o := range all {
			for j := range o.federation.clusters {
				if o.federation.clusters[j].member == m {
					o.needs[j] = needs
				}
			}
		}
	}
}

func (o outcome) portions() []*portion {
	if o.claim == nil {
		return nil
	}
	return o.claim.portions
}

func (o outcome) nowhere() int64 { return o.claim.goal - o.claim.seated() + o.claim.unplaced }

func (o outcome) moved() (all int64) {
	for _, p := range o.claim.portions {
		all += p.seats - p.fits
	}
	return all
}

func (o outcome) worse(than outcome) bool {
	return cmp.Or(
		cmp.Compare(o.nowhere(), than.nowhere()), cmp.Compare(o.moved(), than.moved()), cmp.Compare(o.claim.replicas, than.claim.replicas),
	) > 0
}

// showDivision adds the checks of one workload. Of one that the event does not name, only what is not ok.
func (c *checker) showDivision(t *target, o outcome) {
	all := o.shareChecks(c)
	all = append(all, o.total(c))
	all = append(all, c.restChecks(t, o.federation)...)
	for _, check := range all {
		if t.event || check.State != OK {
			c.add(check)
		}
	}
	if t.event {
		c.out.Divisions = append(c.out.Divisions, o.division(c))
	}
}

func (o outcome) shareChecks(c *checker) []Check {
	var all []Check
	for i, p := range o.claim.portions {
		one := &o.federation.clusters[i]
		if p.lost && !p.stays || p.share == 0 && p.seats == 0 {
			continue
		}
		check := Check{
			Check: "share", For: o.claim.name + " in " + p.limits.Name, Member: p.limits.Name, State: OK, When: c.when(o.at),
			Need: fmt.Sprint(p.share), Have: fmt.Sprint(p.fits), Detail: one.detail(p),
		}
		if p.fits < p.share {
			check.State, check.ToDo = o.short(i), o.shareToDo(i)
		}
		all = append(all, check)
		if limits, some := one.limitsCheck(o.claim.name); some && !p.lost {
			all = append(all, limits)
		}
	}
	return all
}

// limitsCheck says whether LimitRanges of a member refuse a workload's pods; false if nothing speaks for it.
func (one *cluster) limitsCheck(name string) (Check, bool) {
	if !one.untried || one.pod == nil {
		return Check{}, false
	}
	member, namespace := one.member.Name, one.pod.Namespace
	check := Check{Check: "limits", For: name + " in " + member, Member: member, State: Short}
	if broken := outside(&one.pod.Spec, one.member.Inside.limitsOf(namespace)); broken != "" {
		check.ToDo = fmt.Sprintf("in %s %s: such pods of %s are refused; change the pods or the LimitRange", member, broken, name)
		return check, true
	}
	why, unread := one.member.Inside.NoLimits[namespace]
	container, resource := leftOut(&one.pod.Spec)
	if !unread || container == "" {
		return Check{}, false
	}
	check.State = Unknown
	check.ToDo = fmt.Sprintf("what a pod of %s requests in %s is not known, because its container %s states no request of %s, and the hub's account there lacks the right to list limitranges, "+
		"which may add one (%s): grant it, as manifests/member/rbac.yaml does, or state the requests", name, member, container, resource, why)
	return check, true
}

// short is the state of a share that does not fit.
func (o outcome) short(i int) State {
	switch {
	case o.federation.clusters[i].unknown != "":
		return Unknown
	case o.nowhere() > 0:
		return Short
	}
	return Warning
}

func (o outcome) shareToDo(i int) string {
	p, one := o.claim.portions[i], &o.federation.clusters[i]
	short, member := p.share-p.fits, p.limits.Name
	switch {
	case p.stays:
		return fmt.Sprintf("%s's %d replicas of %s are lost and do not move, because failover.mode is Never", member, short, o.claim.name)
	case one.unknown != "":
		return fmt.Sprintf("it is not known whether %d more replicas of %s fit in %s, which counts as full: %s", short, o.claim.name, member, one.unknown)
	}
	text := fmt.Sprintf("%d of the %d replicas of %s in %s have no place there, for lack of %s", short, p.share, o.claim.name, member, p.lack())
	var help []string
	if slices.Contains(p.missing, "quota") {
		for _, n := range o.needs[i] {
			if advice := n.advice(); advice != "" && slices.Contains(n.targets, o.claim.name) {
				help = append(help, advice)
			}
		}
	}
	if p.lackNodes > 0 {
		help = append(help, moreNodes(p.site.nodes, one.shape.Shape, p.lackNodes))
	}
	return text + ": " + strings.Join(help, "; ")
}

// lack says in words what is missing, and how much of it.
func (p *portion) lack() string {
	words := map[string]string{
		"quota": "quota", "nodes": "nodes that are for them", "spread": "nodes without one of them (spread)", "pods": "pods that the nodes may have",
	}
	var parts []string
	for _, name := range p.missing {
		text := words[name]
		if text == "" {
			text = quantity(corev1.ResourceName(name), p.shape.Requests.Times(p.lackNodes)[name]) + " " + name
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " and ")
}

// detail says what was counted of a pod in a member.
func (one *cluster) detail(p *portion) string {
	parts := []string{fmt.Sprintf("%d are there now", p.has)}
	if one.unknown != "" {
		parts = []string{one.unknown, fmt.Sprintf("counted are %d that it had when it was last seen", p.has)}
	}
	if one.pod != nil {
		parts = append(parts, one.shape.text(one.pod))
	}
	if more := p.seats - p.fits; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more come here that do not fit elsewhere", more))
	}
	return strings.Join(parts, "; ")
}

// total is the check of all members together.
func (o outcome) total(c *checker) Check {
	all := o.claim.goal + o.claim.unplaced
	check := Check{
		Check: "members", For: o.claim.name, State: OK, When: c.when(o.at), Need: fmt.Sprint(all), Have: fmt.Sprint(o.claim.seated()),
	}
	nowhere, moved := o.nowhere(), o.moved()
	var parts []string
	if o.claim.unplaced > 0 {
		parts = append(parts, fmt.Sprintf("the maxReplicas of its clusters allow %d of %d replicas of %s together: raise them", o.claim.goal, all, o.claim.name))
	}
	if homeless := nowhere - o.claim.unplaced; homeless > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d replicas of %s fit nowhere", homeless, all, o.claim.name))
	}
	if moved > 0 {
		parts = append(parts, fmt.Sprintf("%s does not fit as divided: %d of %d replicas would be moved%s (%s)", o.claim.name, moved, all, o.wait(), o.takers()))
	}
	check.ToDo = strings.Join(parts, "; ")
	switch {
	case o.claim.unplaced > 0 || nowhere > o.guessed():
		check.State = Short
	case nowhere > 0:
		check.State = Unknown
	case moved > 0:
		check.State = Warning
	}
	return check
}

// guessed is how many replicas might have a place in members of which it is not known.
func (o outcome) guessed() (all int64) {
	for i, p := range o.claim.portions {
		if o.federation.clusters[i].unknown == "" || p.stays || p.lost {
			continue
		}
		most := o.claim.goal
		if p.limits.Max != nil {
			most = min(most, *p.limits.Max)
		}
		all += max(most-p.seats, 0)
	}
	return all
}

// wait says how long replicas are without a place before they are moved: pods that wait for a node are, what a quota would
// refuse is not even tried.
func (o outcome) wait() string {
	for _, p := range o.claim.portions {
		if p.lackNodes > 0 {
			return fmt.Sprintf(" after their pods have waited for %s (pendingTimeout)", o.federation.rule.PendingTimeout)
		}
	}
	return ""
}

// takers says where replicas are moved to.
func (o outcome) takers() string {
	var parts []string
	for _, p := range o.claim.portions {
		if more := p.seats - p.fits; more > 0 {
			parts = append(parts, fmt.Sprintf("%s takes %d", p.limits.Name, more))
		}
	}
	return strings.Join(parts, ", ")
}

func (o outcome) division(c *checker) Division {
	d := Division{
		Target: o.claim.name, Scale: o.claim.salt, When: *c.when(o.at), Replicas: o.claim.goal + o.claim.unplaced, Moved: o.moved(), Nowhere: o.nowhere(), Clusters: []Share{},
	}
	for i, p := range o.claim.portions {
		d.Clusters = append(d.Clusters, Share{
			Member: p.limits.Name, Weight: p.limits.Weight, Has: p.has, Share: p.share, Fits: p.fits, Takes: p.seats - p.fits,
			Missing: p.missing, Unknown: o.federation.clusters[i].unknown, Lost: p.lost,
		})
	}
	return d
}
