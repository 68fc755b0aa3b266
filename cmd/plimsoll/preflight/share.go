// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
)

// claim is a workload that is divided over members, with the replicas that it is to have at one moment.
type claim struct {
	name     string // namespace/name of the target that the event names
	salt     string // of the division: namespace/name of the FederatedScale
	replicas int64
	portions []*portion // by the member's name

	goal     int64 // replicas that are divided: no fewer than the minimums, no more than the maximums of all members
	unplaced int64 // replicas that the maximums leave out
}

// portion is what one member has of a claim.
type portion struct {
	limits divide.Cluster
	site   *site // nil: it is not known what the member has, or it is lost
	pod    *corev1.Pod
	shape  fit.Shape
	// has are the replicas there now, bound those of them that have a node. Of a member that is not known both are what it
	// had when it was last seen, and 0 if it failed.
	has, bound int64
	lost       bool // none of its replicas count
	stays      bool // the replicas that are lost with it do not move

	share   int64    // as divided
	fits    int64    // of the share, those that have a place
	missing []string // what the rest of the share lacks
	// lackNodes is how many of that rest lack a node, and not only the quota.
	lackNodes int64
	seats     int64 // those that have a place, with those that have come here for lack of room elsewhere
	created   int64 // of the seats, the pods that are new
	placed    int64 // of the seats, those that have found room on a node
	// refused and homeless are how many more were asked for last: those that a quota refuses, and those without a node.
	refused, homeless int64
}

// site is what one member has left, for all claims.
type site struct {
	nodes     []fit.Node
	allowance *allowance
}

// maxRounds is how often what does not fit is passed on: each round fills a member for a claim, or ends it.
const maxRounds = 1000

// distribute divides the claims as the hub does, finds out what fits, and then passes on what does not, as the hub does
// with pods that wait: what has a place keeps it, and members get what fits besides.
func distribute(claims []*claim) error {
	for _, c := range claims {
		if err := c.divide(); err != nil {
			return err
		}
	}
	together(claims, func(p *portion) int64 { return p.share })
	for _, c := range claims {
		for _, p := range c.portions {
			p.fits, p.missing, p.lackNodes = p.seats, p.lacks(), p.homeless
		}
	}
	for range maxRounds {
		more := map[*portion]int64{}
		for _, c := range claims {
			if err := c.passOn(more); err != nil {
				return err
			}
		}
		before := seated(claims)
		together(claims, func(p *portion) int64 { return more[p] })
		if seated(claims) == before {
			return nil
		}
	}
	return nil
}

func seated(claims []*claim) (all int64) {
	for _, c := range claims {
		all += c.seated()
	}
	return all
}

func (c *claim) seated() (all int64) {
	for _, p := range c.portions {
		all += p.seats
	}
	return all
}

// divide sets the shares. Members that are not known have a place for what they have.
func (c *claim) divide() error {
	clusters := make([]divide.Cluster, len(c.portions))
	for i, p := range c.portions {
		clusters[i] = p.limits
		if p.lost && !p.stays {
			clusters[i].Min, clusters[i].Max = 0, new(int64(0))
		}
	}
	d, err := divide.Divide(c.replicas, clusters, c.salt)
	if err != nil {
		return fmt.Errorf("%s cannot be divided: %w", c.name, err)
	}
	c.goal, c.unplaced = d.Total(), d.Unplaced
	for _, p := range c.portions {
		p.share = d.Seats[p.limits.Name]
		if p.site == nil && !p.lost {
			p.seats = min(p.share, p.has)
		}
	}
	return nil
}

// passOn divides again what has no place, over the members that have room besides what is theirs already.
func (c *claim) passOn(more map[*portion]int64) error {
	if c.seated() >= c.goal {
		return nil
	}
	clusters := make([]divide.Cluster, len(c.portions))
	for i, p := range c.portions {
		keeps, most := p.seats, p.seats+p.room()
		if p.stays {
			keeps, most = p.share, p.share
		}
		if p.limits.Max != nil {
			most = min(most, max(*p.limits.Max, keeps))
		}
		clusters[i] = divide.Cluster{Name: p.limits.Name, Weight: p.limits.Weight, Min: keeps, Max: &most}
	}
	d, err := divide.Divide(c.goal, clusters, c.salt)
	if err != nil {
		return fmt.Errorf("%s cannot be divided: %w", c.name, err)
	}
	for _, p := range c.portions {
		if !p.stays {
			more[p] = d.Seats[p.limits.Name] - p.seats
		}
	}
	return nil
}

// room is how many more replicas have a place there, as long as nobody else takes it.
func (p *portion) room() int64 {
	if p.site == nil {
		return 0
	}
	nodes := max(p.bound-p.seats, 0) + min(fit.Capacity(p.site.nodes, p.shape), divide.MaxReplicas)
	return min(nodes, max(p.has-p.seats, 0)+p.site.allowance.more(p.pod))
}

// together gives the portions more seats, as far as there is room: those of one member beside each other.
func together(claims []*claim, more func(*portion) int64) {
	var order []*site
	at := map[*site][]*portion{}
	for _, c := range claims {
		for _, p := range c.portions {
			if p.site == nil || more(p) <= 0 {
				continue
			}
			if at[p.site] == nil {
				order = append(order, p.site)
			}
			at[p.site] = append(at[p.site], p)
		}
	}
	for _, s := range order {
		s.seat(at[s], more)
	}
}

// seat creates pods as the quotas allow, and places them as the scheduler would.
func (s *site) seat(portions []*portion, more func(*portion) int64) {
	demands := make([]fit.Demand, len(portions))
	for i, p := range portions {
		wanted, allowed := p.seats+more(p), max(p.has, p.seats)+s.allowance.more(p.pod)
		p.refused = max(wanted-allowed, 0)
		p.book(wanted - p.refused)
		demands[i] = fit.Demand{Shape: p.shape, Count: max(p.seats-p.bound-p.placed, 0)}
	}
	for i, placed := range fit.Place(s.nodes, demands, fit.Spread) {
		p := portions[i]
		s.take(p, placed)
		p.homeless = demands[i].Count - placed.Placed
		p.book(p.seats - p.homeless)
	}
}

// book sets the seats, and what of them the quotas count.
func (p *portion) book(seats int64) {
	p.seats = seats
	created := max(seats-p.has, 0)
	p.site.allowance.take(p.pod, created-p.created)
	p.created = created
}

// take books pods on nodes.
func (s *site) take(p *portion, placed fit.Placement) {
	p.placed += placed.Placed
	for i, count := range placed.OnNode {
		s.nodes[i].Pods -= count
		s.nodes[i].Free = s.nodes[i].Free.Add(p.shape.Requests.Times(-count))
	}
	if p.shape.PerNode > 0 {
		p.shape.Nodes = slices.DeleteFunc(slices.Clone(p.shape.Nodes), func(i int) bool { return placed.OnNode[i] > 0 })
	}
}

// lacks says what pods lack that were asked for last and have no place.
func (p *portion) lacks() []string {
	var all []string
	if p.refused > 0 {
		all = append(all, "quota")
	}
	if p.homeless == 0 {
		return all
	}
	short := map[string]bool{}
	for _, i := range p.shape.Nodes {
		node := p.site.nodes[i]
		for name, amount := range p.shape.Requests {
			short[name] = short[name] || amount > 0 && node.Free[name] < amount
		}
		short[string(corev1.ResourcePods)] = short[string(corev1.ResourcePods)] || node.Pods <= 0
	}
	for _, name := range slices.Sorted(maps.Keys(short)) {
		if short[name] {
			all = append(all, name)
		}
	}
	switch {
	case p.shape.PerNode > 0 && p.bound+p.placed > 0:
		all = append(all, "spread")
	case len(p.shape.Nodes) == 0:
		all = append(all, "nodes")
	}
	return all
}
