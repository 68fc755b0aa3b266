// SPDX-License-Identifier: Apache-2.0

package nodes_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/nodes"
)

func kind(cpu, memory int64) *fit.Node {
	return &fit.Node{Free: fit.Resources{"cpu": cpu, "memory": memory}, Pods: 110}
}

func pods(count, cpu, memory int64) fit.Demand {
	return fit.Demand{Shape: fit.Shape{Requests: fit.Resources{"cpu": cpu, "memory": memory}}, Count: count}
}

func TestDecide(t *testing.T) {
	gpu := &fit.Node{Free: fit.Resources{"cpu": 4000, "memory": 16, "example.com/gpu": 1}, Pods: 110}
	small, large := nodes.Group{Name: "small", Max: 10, Node: kind(2000, 8)}, nodes.Group{Name: "large", Max: 10, Node: kind(16000, 64)}
	memory := nodes.Group{Name: "memory", Max: 10, Node: kind(2000, 64)}
	with := func(g nodes.Group, change func(*nodes.Group)) nodes.Group {
		change(&g)
		return g
	}
	for name, tc := range map[string]struct {
		demands []fit.Demand
		groups  []nodes.Group
		step    int64
		grow    []nodes.Growth
		places  []nodes.Places
	}{
		"nothing is needed": {nil, []nodes.Group{small}, 0, nil, []nodes.Places{}},
		"no group":          {[]fit.Demand{pods(3, 1000, 4)}, nil, 0, nil, []nodes.Places{{Short: 3}}},
		"the kind that is filled, not the one that is half empty": {
			[]fit.Demand{pods(3, 1000, 4)}, []nodes.Group{large, small}, 0, []nodes.Growth{{"small", 2}}, []nodes.Places{{New: 3}},
		},
		"the shape that goes with the pods'": {
			[]fit.Demand{pods(2, 1000, 32)}, []nodes.Group{large, small, memory}, 0, []nodes.Growth{{"memory", 1}}, []nodes.Places{{New: 2}},
		},
		"as full as each other: fewer nodes": {
			[]fit.Demand{pods(16, 1000, 4)}, []nodes.Group{small, large}, 0, []nodes.Growth{{"large", 1}}, []nodes.Places{{New: 16}},
		},
		"as full as each other: the group below its minimum": {
			[]fit.Demand{pods(16, 1000, 4)}, []nodes.Group{with(small, func(g *nodes.Group) { g.Min = 1 }), large}, 0,
			[]nodes.Growth{{"small", 8}}, []nodes.Places{{New: 16}},
		},
		"nodes on their way take their pods first": {
			[]fit.Demand{pods(7, 1000, 4)}, []nodes.Group{with(small, func(g *nodes.Group) { g.Target, g.Pending = 5, 3 })}, 0,
			[]nodes.Growth{{"small", 1}}, []nodes.Places{{Coming: 6, New: 1}},
		},
		"enough is on its way, though it is not the best kind": {
			[]fit.Demand{pods(3, 1000, 4)}, []nodes.Group{small, with(large, func(g *nodes.Group) { g.Target, g.Pending = 1, 1 })}, 0,
			nil, []nodes.Places{{Coming: 3}},
		},
		"the maximum ends it, and the next kind goes on": {
			[]fit.Demand{pods(6, 1000, 4)}, []nodes.Group{with(small, func(g *nodes.Group) { g.Target = 8 }), memory}, 0,
			[]nodes.Growth{{"memory", 1}, {"small", 2}}, []nodes.Places{{New: 6}},
		},
		"the next kind has room for all": {
			[]fit.Demand{pods(6, 1000, 4)}, []nodes.Group{with(small, func(g *nodes.Group) { g.Target = 8 }), large}, 0,
			[]nodes.Growth{{"large", 1}}, []nodes.Places{{New: 6}},
		},
		"above its maximum already": {
			[]fit.Demand{pods(1, 1000, 4)}, []nodes.Group{with(small, func(g *nodes.Group) { g.Target = 12 })}, 0, nil, []nodes.Places{{Short: 1}},
		},
		"a step ends it": {
			[]fit.Demand{pods(9, 1000, 4)}, []nodes.Group{small}, 3, []nodes.Growth{{"small", 3}}, []nodes.Places{{New: 6, Short: 3}},
		},
		"the next kind has room for all, so the step goes on": {
			[]fit.Demand{pods(6, 1000, 4), pods(12, 1000, 4)},
			[]nodes.Group{with(small, func(g *nodes.Group) { g.Target = 8 }), large}, 3,
			[]nodes.Growth{{"large", 1}, {"small", 1}}, []nodes.Places{{New: 6}, {New: 12}},
		},
		"GPUs are dear to those who do not ask for them": {
			[]fit.Demand{pods(4, 1000, 4)}, []nodes.Group{{Name: "gpu", Max: 10, Node: gpu}, large}, 0,
			[]nodes.Growth{{"large", 1}}, []nodes.Places{{New: 4}},
		},
		"GPUs are for those who do": {
			[]fit.Demand{{Shape: fit.Shape{Requests: fit.Resources{"example.com/gpu": 1}}, Count: 2}}, []nodes.Group{{Name: "gpu", Max: 10, Node: gpu}, large}, 0,
			[]nodes.Growth{{"gpu", 2}}, []nodes.Places{{New: 2}},
		},
		"a kind that is not known": {
			[]fit.Demand{pods(1, 1000, 4)}, []nodes.Group{{Name: "unknown", Max: 10, Pending: 5}}, 0, nil, []nodes.Places{{Short: 1}},
		},
		"too large for all": {
			[]fit.Demand{pods(1, 17000, 4)}, []nodes.Group{small, large}, 0, nil, []nodes.Places{{Short: 1}},
		},
		"a kind on which they may not run": {
			[]fit.Demand{{Shape: fit.Shape{Requests: fit.Resources{"cpu": 1000}, Nodes: []int{1}}, Count: 2}}, []nodes.Group{small, large}, 0,
			[]nodes.Growth{{"large", 1}}, []nodes.Places{{New: 2}},
		},
		"one on each node": {
			[]fit.Demand{{Shape: fit.Shape{Requests: fit.Resources{"cpu": 100}, PerNode: 1}, Count: 4}}, []nodes.Group{small}, 0,
			[]nodes.Growth{{"small", 4}}, []nodes.Places{{New: 4}},
		},
		"the next demand takes what the first leaves": {
			[]fit.Demand{pods(3, 1000, 2), pods(5, 500, 1)}, []nodes.Group{small}, 0,
			[]nodes.Growth{{"small", 3}}, []nodes.Places{{New: 3}, {New: 5}},
		},
		"a demand of less than none": {[]fit.Demand{pods(-3, 1000, 2)}, []nodes.Group{small}, 0, nil, []nodes.Places{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, nodes.Plan{Grow: tc.grow, Places: tc.places}, nodes.Decide(tc.demands, tc.groups, tc.step))
		})
	}
}

// Absurd numbers neither end the program nor go round.
func TestHugeNumbersStayInRange(t *testing.T) {
	for _, huge := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		g := nodes.Group{Name: "g", Min: huge, Max: huge, Target: -huge, Pending: huge, Node: &fit.Node{Free: fit.Resources{"cpu": huge, "memory": huge}, Pods: huge}}
		d := pods(huge, huge, 1)
		p := nodes.Decide([]fit.Demand{d, d}, []nodes.Group{g, {Name: "h", Max: math.MaxInt64, Node: kind(1, 1)}}, huge)
		for i, places := range p.Places {
			require.GreaterOrEqual(t, min(places.Coming, places.New, places.Short), int64(0), "demand %d of %d", i, huge)
			require.Equal(t, max(huge, 0), places.Coming+places.New+places.Short)
		}
		for _, grow := range p.Grow {
			require.LessOrEqual(t, grow.By, int64(math.MaxInt32))
		}
	}
}

func groups(t *rapid.T) []nodes.Group {
	names := rapid.SliceOfNDistinct(rapid.StringMatching("[a-z]{1,3}"), 0, 5, rapid.ID[string]).Draw(t, "names")
	out := make([]nodes.Group, len(names))
	for i, name := range names {
		g := nodes.Group{Name: name, Min: rapid.Int64Range(0, 3).Draw(t, "min"), Max: rapid.Int64Range(0, 12).Draw(t, "max")}
		g.Target = rapid.Int64Range(0, 14).Draw(t, "target")
		g.Pending = rapid.Int64Range(0, g.Target).Draw(t, "pending")
		if rapid.IntRange(0, 9).Draw(t, "known") > 0 {
			g.Node = &fit.Node{Free: fit.Resources{
				"cpu": rapid.SampledFrom([]int64{0, 1000, 2000, 4000, 16000}).Draw(t, "cpu"), "memory": rapid.Int64Range(0, 64).Draw(t, "memory"),
			}, Pods: rapid.Int64Range(0, 20).Draw(t, "pods")}
			if rapid.IntRange(0, 4).Draw(t, "extended") == 0 {
				g.Node.Free["example.com/gpu"] = rapid.Int64Range(0, 2).Draw(t, "gpu")
			}
		}
		out[i] = g
	}
	return out
}

func demands(t *rapid.T, groups int) []fit.Demand {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fit.Demand {
		d := pods(rapid.Int64Range(0, 40).Draw(t, "count"), rapid.Int64Range(0, 4000).Draw(t, "cpu"), rapid.Int64Range(0, 16).Draw(t, "memory"))
		d.PerNode = rapid.Int64Range(0, 2).Draw(t, "perNode")
		if groups > 0 && rapid.Bool().Draw(t, "some groups") {
			d.Nodes = rapid.SliceOfDistinct(rapid.IntRange(0, groups-1), rapid.ID[int]).Draw(t, "on")
		}
		return d
	}), 1, 4).Draw(t, "demands")
}

func grown(p nodes.Plan, name string) int64 {
	for _, g := range p.Grow {
		if g.Group == name {
			return g.By
		}
	}
	return 0
}

// coming are the nodes that are on their way after a plan, one by one, and a demand's shape on them.
func coming(groups []nodes.Group, p nodes.Plan, d fit.Demand) ([]fit.Node, fit.Shape) {
	var out []fit.Node
	s := d.Shape
	s.Nodes = []int{}
	for i, g := range groups {
		for range g.Pending + grown(p, g.Name) {
			if g.Node == nil {
				break
			}
			if d.Nodes == nil || slices.Contains(d.Nodes, i) {
				s.Nodes = append(s.Nodes, len(out))
			}
			out = append(out, *g.Node)
		}
	}
	return out, s
}

func TestLimitsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := groups(t)
		demands, step := demands(t, len(groups)), rapid.Int64Range(0, 6).Draw(t, "step")
		p := nodes.Decide(demands, groups, step)
		var sum int64
		require.True(t, slices.IsSortedFunc(p.Grow, func(a, b nodes.Growth) int {
			if a.Group < b.Group {
				return -1
			}
			return 1
		}), "each group once, by name")
		for _, grow := range p.Grow {
			g := groups[slices.IndexFunc(groups, func(g nodes.Group) bool { return g.Name == grow.Group })]
			require.Positive(t, grow.By)
			require.LessOrEqual(t, g.Target+grow.By, g.Max)
			require.NotNil(t, g.Node)
			sum += grow.By
		}
		if step > 0 {
			require.LessOrEqual(t, sum, step)
		}
		require.Len(t, p.Places, len(demands))
		var places int64
		for i, d := range demands {
			require.Equal(t, d.Count, p.Places[i].Coming+p.Places[i].New+p.Places[i].Short)
			require.GreaterOrEqual(t, min(p.Places[i].Coming, p.Places[i].New, p.Places[i].Short), int64(0))
			places += p.Places[i].New
		}
		require.LessOrEqual(t, sum, places, "no node without a pod")
	})
}

// One demand: the pods that are said to have a place have one, each node is needed, and nobody is short while a group
// could grow.
func TestOneDemandIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := groups(t)
		d, step := demands(t, len(groups))[0], rapid.Int64Range(0, 6).Draw(t, "step")
		p := nodes.Decide([]fit.Demand{d}, groups, step)
		on, shape := coming(groups, nodes.Plan{}, d)
		require.Equal(t, min(d.Count, fit.Capacity(on, shape)), p.Places[0].Coming)
		on, shape = coming(groups, p, d)
		require.Equal(t, min(d.Count, fit.Capacity(on, shape)), d.Count-p.Places[0].Short)
		for i := range p.Grow {
			less := nodes.Plan{Grow: slices.Clone(p.Grow)}
			less.Grow[i].By--
			on, shape = coming(groups, less, d)
			require.Less(t, fit.Capacity(on, shape), d.Count-p.Places[0].Short, "%s has a node too many", p.Grow[i].Group)
		}
		if p.Places[0].Short == 0 || step > 0 {
			return
		}
		for i, g := range groups {
			fits := g.Node != nil && (d.Nodes == nil || slices.Contains(d.Nodes, i)) && g.Node.Room(d.Requests) > 0
			require.False(t, fits && g.Target+grown(p, g.Name) < g.Max, "%s could still grow", g.Name)
		}
	})
}

// Several demands share the nodes: all of them together ask for no more than there is.
func TestDemandsShareNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := groups(t)
		demands := demands(t, len(groups))
		p := nodes.Decide(demands, groups, 0)
		have, places, used, placed := fit.Resources{}, int64(0), fit.Resources{}, int64(0)
		on, _ := coming(groups, p, fit.Demand{})
		for _, n := range on {
			have, places = have.Add(n.Free), places+n.Pods
		}
		for i, d := range demands {
			count := d.Count - p.Places[i].Short
			used, placed = used.Add(d.Requests.Times(count)), placed+count
			alone, shape := coming(groups, p, d)
			require.LessOrEqual(t, count, fit.Capacity(alone, shape))
		}
		require.LessOrEqual(t, placed, places)
		for name, amount := range used {
			require.True(t, amount == 0 || amount <= have[name], name)
		}
	})
}

// What was decided is on its way: the next decision asks for nothing more, unless the step had ended the first.
func TestNothingIsAskedForTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := groups(t)
		demands := demands(t, len(groups))
		var d fit.Demand
		d.Shape, d.Count = demands[0].Shape, demands[0].Count
		p := nodes.Decide([]fit.Demand{d}, groups, 0)
		for i := range groups {
			by := grown(p, groups[i].Name)
			groups[i].Target, groups[i].Pending = groups[i].Target+by, groups[i].Pending+by
		}
		again := nodes.Decide([]fit.Demand{d}, groups, 0)
		require.Empty(t, again.Grow)
		require.Equal(t, p.Places[0].Short, again.Places[0].Short)
	})
}

func TestOrderOfGroupsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := groups(t)
		demands, step := demands(t, len(before)), rapid.Int64Range(0, 6).Draw(t, "step")
		places := make([]int, len(before))
		for i := range places {
			places[i] = i
		}
		order := rapid.Permutation(places).Draw(t, "order")
		after, moved := make([]nodes.Group, len(before)), slices.Clone(demands)
		for to, from := range order {
			after[to] = before[from]
		}
		for i := range moved {
			if moved[i].Nodes != nil {
				moved[i].Nodes = []int{}
				for _, n := range demands[i].Nodes {
					moved[i].Nodes = append(moved[i].Nodes, slices.Index(order, n))
				}
			}
		}
		require.Equal(t, nodes.Decide(demands, before, step), nodes.Decide(moved, after, step))
	})
}

// 20 workloads that need 100,000 pods on nodes of 100 groups.
func BenchmarkDecide(b *testing.B) {
	many := make([]nodes.Group, 100)
	for i := range many {
		many[i] = nodes.Group{Name: string(rune('a'+i%26)) + string(rune('a'+i/26)), Max: 1000, Target: 10, Pending: int64(i % 5), Node: kind(int64(2000*(1+i%8)), 64)}
	}
	wanted := make([]fit.Demand, 20)
	for i := range wanted {
		wanted[i] = pods(5000, int64(100*(i+1)), 1)
	}
	for b.Loop() {
		nodes.Decide(wanted, many, 0)
	}
}
