// SPDX-License-Identifier: Apache-2.0

// Package nodes says which node groups should grow, and by how much, so that pods fit that have no room: arithmetic on
// plain values, without clocks, clients or Kubernetes' types.
//
// It only grows. A decision is one step: the nodes of the last one are on their way, count in the next, and are not asked
// for again.
package nodes

import (
	"cmp"
	"math"
	"slices"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// Group is a node group: nodes of one kind, whose number can be raised.
type Group struct {
	Name string // no two have the same
	// Min, Max and Target are numbers of nodes. The target counts nodes that are there and those on their way.
	Min, Max, Target int64
	// Pending is how many of the target are on their way.
	Pending int64
	// Node is an empty new node, without what every node gives to DaemonSets. nil: not known, and the group is left alone.
	Node *fit.Node
}

// Growth is by how many nodes a group's target should be raised.
type Growth struct {
	Group string
	By    int64
}

// Places is where the pods of a demand will go. Count = Coming + New + Short.
type Places struct {
	Coming int64 // on nodes that are on their way already
	New    int64 // on those of the decision
	Short  int64 // nowhere
}

// Plan is a decision.
type Plan struct {
	Grow   []Growth // by the group's name; a group that stays is left out
	Places []Places // in the demands' order
}

// most is the largest number that counts: what the protocol's sizes can hold.
const most = math.MaxInt32

// batch is a number of equal nodes that are not there yet, and what is left of each.
type batch struct {
	group  int // its index
	count  int64
	left   fit.Node
	coming bool
}

// Decide finds room for pods that have none on the nodes there are. The Nodes of a demand's shape are the indices of the
// groups on whose nodes its pods may run; nil: all.
//
// One demand after the other takes what is left of nodes that are on their way. For the rest the group grows that wastes
// least; where its maximum ends, the next one. The waste is the sum, over resources, of the share of the new nodes that stays
// empty. Groups whose nodes have extended resources (GPUs and the like) that the pods do not ask for come last. Equal ones:
// first a group that is below its minimum, then the one that needs fewer nodes, then by name. No group grows above its
// maximum, and all together by no more than step nodes (0: any number). The groups' order does not matter.
func Decide(demands []fit.Demand, groups []Group, step int64) Plan {
	d := deciding{groups: groups, grown: make([]int64, len(groups)), step: most}
	if step > 0 {
		d.step = step
	}
	for i := range groups {
		d.order = append(d.order, i)
	}
	slices.SortFunc(d.order, func(a, b int) int { return cmp.Compare(groups[a].Name, groups[b].Name) })
	for _, i := range d.order {
		if g := groups[i]; g.Node != nil && g.Pending > 0 {
			d.batches = append(d.batches, batch{group: i, count: min(g.Pending, most), left: *g.Node, coming: true})
		}
	}
	p := Plan{Places: make([]Places, len(demands))}
	for i, demand := range demands {
		p.Places[i] = d.place(demand)
	}
	for _, i := range d.order {
		if d.grown[i] > 0 {
			p.Grow = append(p.Grow, Growth{Group: groups[i].Name, By: d.grown[i]})
		}
	}
	return p
}

type deciding struct {
	groups  []Group
	order   []int // of the groups, by name
	batches []batch
	grown   []int64 // by group
	step    int64   // nodes that may still be asked for
}

// pick is a group that grows for a demand.
type pick struct {
	group       int
	nodes, each int64 // each: the pods that one node takes
}

func (d *deciding) place(demand fit.Demand) Places {
	var p Places
	p.Coming, p.New = d.fill(0, demand)
	demand.Count = max(demand.Count, 0) - p.Coming - p.New
	var picks []pick
	short := demand.Count
	for short > 0 {
		best := d.choose(demand.Shape, short)
		if best.nodes == 0 {
			break
		}
		d.grown[best.group] += best.nodes
		d.step -= best.nodes
		short -= best.nodes * best.each
		picks = append(picks, best)
	}
	from, spare := len(d.batches), max(-short, 0)
	for _, one := range picks {
		// Where a group reached its maximum and the next one's nodes have room to spare, some of the first are not needed.
		cut := min(spare/one.each, one.nodes)
		spare -= cut * one.each
		d.grown[one.group] -= cut
		d.step += cut
		d.batches = append(d.batches, batch{group: one.group, count: one.nodes - cut, left: *d.groups[one.group].Node})
	}
	_, placed := d.fill(from, demand) // the others are full
	p.New += placed
	p.Short = demand.Count - placed
	return p
}

// fill places what it can of a demand on nodes that are not there yet, from a batch on, and returns how many on those that
// were on their way before the decision, and how many on others.
func (d *deciding) fill(from int, demand fit.Demand) (coming, fresh int64) {
	rest, after := max(demand.Count, 0), make([]batch, 0, len(d.batches)+2)
	after = append(after, d.batches[:from]...)
	for _, b := range d.batches[from:] {
		each := perNode(b.left, demand.Shape)
		if rest == 0 || each == 0 || !may(demand.Shape, b.group) {
			after = append(after, b)
			continue
		}
		full := min(rest/each, b.count)
		last := int64(0) // pods on one more node
		if full < b.count {
			last = rest - full*each
		}
		placed := full*each + last
		rest -= placed
		if b.coming {
			coming += placed
		} else {
			fresh += placed
		}
		after = append(after, b.split(demand.Requests, full, each), b.split(demand.Requests, min(last, 1), last),
			b.split(demand.Requests, b.count-full-min(last, 1), 0))
	}
	d.batches = slices.DeleteFunc(after, func(b batch) bool { return b.count == 0 })
	return coming, fresh
}

// split is a number of the batch's nodes with a number of pods on each.
func (b batch) split(requests fit.Resources, count, pods int64) batch {
	b.count = count
	b.left = fit.Node{Free: b.left.Free.Add(requests.Times(-pods)), Pods: b.left.Pods - pods}
	return b
}

// perNode is how many pods of a shape a node takes.
func perNode(n fit.Node, s fit.Shape) int64 {
	return min(fit.Capacity([]fit.Node{n}, fit.Shape{Requests: s.Requests, PerNode: s.PerNode}), most)
}

func may(s fit.Shape, group int) bool { return s.Nodes == nil || slices.Contains(s.Nodes, group) }

// choose returns the group that grows for a number of pods, and by how many nodes; 0: none can.
func (d *deciding) choose(s fit.Shape, pods int64) pick {
	var best pick
	var bestRank [4]int64
	for _, i := range d.order {
		g := d.groups[i]
		if g.Node == nil || !may(s, i) {
			continue
		}
		each, target := perNode(*g.Node, s), max(g.Target, 0)+d.grown[i]
		if each == 0 {
			continue
		}
		nodes := min((pods-1)/each+1, min(g.Max, most)-target, d.step)
		if nodes <= 0 {
			continue
		}
		rank := [4]int64{unasked(*g.Node, s.Requests), waste(*g.Node, s.Requests, nodes, min(pods, nodes*each)), 1, nodes}
		if target < g.Min {
			rank[2] = 0
		}
		if best.nodes == 0 || slices.Compare(rank[:], bestRank[:]) < 0 {
			best, bestRank = pick{i, nodes, each}, rank
		}
	}
	return best
}
