// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/nodes"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
	"github.com/plimsoll/plimsoll/scaler/nodegroups"
)

const (
	// afterRefusal and afterDoubt are how long a group is left alone that did not grow, or of which it is not known whether
	// it did: a server may still act.
	afterRefusal = time.Minute
	afterDoubt   = 5 * time.Minute
	// afterStart is how long a scaler that has just begun leaves groups alone. The one before it may have asked for nodes and
	// ended before it wrote so down, and their server may act late.
	afterStart = 30 * time.Second
	// leastStep is how many nodes one decision may ask for however small the cluster is; it may ask for as many as there are.
	leastStep = 3
)

// growth is what became of a cluster's node groups.
type growth struct {
	grew     []string // "pool +2 (3 to 5)"
	stranded int64    // pods of divided workloads that wait for nodes
	coming   int64    // pods whose nodes are on their way
	full     bool     // no group may grow further
	failure  string
}

// grow asks node groups for the nodes that waiting pods and the reserve lack, once. Nodes on their way count; a group whose machines do not
// become nodes is left alone, and so is for a while one that refused.
func (r *reconciler) grow(ctx context.Context, s *scene, one *row) growth {
	g := one.sight.groups
	switch {
	case g == nil:
		return growth{failure: "MemberCluster " + one.cluster.Name + " has no spec.nodeGroups: set it, or use another strategy"}
	case g.err != nil:
		return growth{failure: g.err.Error()}
	}
	memo, out := &one.sight.memo.groups, growth{failure: g.trouble()}
	demands, err := s.stranded(ctx, one)
	if err != nil {
		return growth{failure: err.Error()}
	}
	for _, d := range demands {
		out.stranded += d.Count
	}
	demands = append(demands, g.demands(one)...)
	memo.short = len(demands) > 0
	if len(demands) == 0 {
		return out
	}
	if at := one.before.GrownAt; at != nil && at.Time.Before(memo.began) && s.now.Sub(at.Time) < afterDoubt {
		// Whoever asked last is gone, and with them whether they were in doubt.
		for i := range g.List {
			memo.resting[g.List[i].ID] = at.Add(afterDoubt)
		}
	}
	if until := memo.began.Add(afterStart); s.now.Before(until) {
		for i := range g.List {
			if id := g.List[i].ID; memo.resting[id].Before(until) {
				memo.resting[id] = until
			}
		}
	}
	plan := nodes.Decide(demands, g.plain(memo, s.now), int64(max(leastStep, one.reserve.Base.Nodes)))
	for _, places := range plan.Places {
		out.coming += places.Coming + places.New
	}
	out.full = out.coming == 0 && out.failure == "" && len(memo.resting) == 0
	for _, p := range plan.Grow {
		out.add(g, memo, p, s.now, func() (nodegroups.Growth, error) {
			i := g.index(p.Group)
			return memo.server.Client().Grow(ctx, p.Group, int(p.By), g.List[i].Target)
		})
	}
	return out
}

// add grows one group and notes what became of it.
func (out *growth) add(g *groups, memo *groupMemo, p nodes.Growth, now time.Time, grow func() (nodegroups.Growth, error)) {
	i := g.index(p.Group)
	before := g.List[i].Target
	became, err := grow()
	if became.Effect == nodegroups.Took {
		out.grew = append(out.grew, fmt.Sprintf("%s +%d (%d to %d)", p.Group, p.By, before, became.Target))
		memo.server.Grew(p.Group, became.Target, g.Pending[i]+int(p.By), now)
		delete(memo.failed, p.Group)
		return
	}
	rest := afterRefusal
	switch {
	case became.Effect == nodegroups.Unclear:
		rest = afterDoubt
		out.grew = append(out.grew, fmt.Sprintf("%s +%d (from %d, in doubt)", p.Group, p.By, before))
	case nodegroups.ReasonOf(err) == nodegroups.Changed:
		rest = 0 // the next look reads it again
	case nodegroups.ReasonOf(err) == nodegroups.AtMaximum:
		out.full = true
	}
	memo.resting[p.Group] = now.Add(rest)
	if rest > 0 {
		memo.failed[p.Group] = now
	}
	if !out.full && rest > 0 {
		out.failure = err.Error()
	}
}

func (g *groups) index(id string) int {
	return slices.IndexFunc(g.List, func(one nodegroups.Group) bool { return one.ID == id })
}

// trouble says what is wrong with groups without which the reserve may lack nodes.
func (g *groups) trouble() string {
	var all []string
	for i := range g.List {
		switch one := &g.List[i]; {
		case one.Err != nil:
			all = append(all, one.Err.Error())
		case g.Stuck[i] > 0:
			all = append(all, fmt.Sprintf("%d machines of node group %q have not become Ready nodes within %s, so it is not grown further: look at them",
				g.Stuck[i], one.ID, newnodes.RegisterWithin))
		}
	}
	return strings.Join(all, "; ")
}

// demands are the pods of the reserve that have no room, with the groups on whose nodes they may be.
func (g *groups) demands(one *row) []fit.Demand {
	var out []fit.Demand
	for _, b := range one.blocks {
		missing := b.Count - b.Fits
		if missing <= 0 {
			continue
		}
		d := fit.Demand{Shape: fit.Shape{Requests: b.Shape.Requests, PerNode: b.Shape.PerNode, Nodes: []int{}}, Count: missing}
		if rules := one.shapes[b.Workload]; rules != nil {
			d.Nodes = g.takes(rules.pod, b.Shape.Requests)
		} else {
			for i, left := range g.left {
				if left == "" {
					d.Nodes = append(d.Nodes, i)
				}
			}
		}
		out = append(out, d)
	}
	return out
}

// plain are the groups in policy's words. Those that are left alone for now keep what is on its way, and do not grow.
func (g *groups) plain(memo *groupMemo, now time.Time) []nodes.Group {
	templates, out := g.Nodes.Left(), make([]nodes.Group, len(g.List))
	for i := range g.List {
		one := &g.List[i]
		p := nodes.Group{Name: one.ID, Min: int64(one.Min), Max: int64(one.Max), Target: int64(one.Target), Pending: int64(g.Pending[i])}
		if one.Template != nil && one.Err == nil {
			p.Node = &templates[i]
		}
		until, rests := memo.resting[one.ID]
		if rests && !now.Before(until) {
			delete(memo.resting, one.ID)
			rests = false
		}
		if rests || g.Stuck[i] > 0 {
			p.Max = p.Target
		}
		out[i] = p
	}
	return out
}
