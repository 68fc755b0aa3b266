// SPDX-License-Identifier: Apache-2.0

package fit_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/fit"
)

func node(cpu, memory, pods int64) fit.Node {
	return fit.Node{Free: fit.Resources{"cpu": cpu, "memory": memory}, Pods: pods}
}

func TestCapacity(t *testing.T) {
	nodes := []fit.Node{node(4000, 16, 110), node(1000, 16, 110), node(-500, 16, 110), node(4000, 16, 2), node(4000, 1, 110)}
	for name, tc := range map[string]struct {
		shape fit.Shape
		want  int64
	}{
		"each node by itself: halves of two nodes are no place": {fit.Shape{Requests: fit.Resources{"cpu": 1500}}, 2 + 0 + 0 + 2 + 2},
		"the scarcest resource counts":                          {fit.Shape{Requests: fit.Resources{"cpu": 500, "memory": 4}}, 4 + 2 + 0 + 2 + 0},
		"places for pods count":                                 {fit.Shape{Requests: fit.Resources{"memory": 1}}, 16 + 16 + 16 + 2 + 1},
		"without requests only places count":                    {fit.Shape{}, 110*4 + 2},
		"a request of 0 asks for nothing":                       {fit.Shape{Requests: fit.Resources{"gpu": 0}}, 110*4 + 2},
		"a resource that no node has":                           {fit.Shape{Requests: fit.Resources{"gpu": 1}}, 0},
		"some nodes":                                            {fit.Shape{Requests: fit.Resources{"cpu": 1000}, Nodes: []int{1, 4, 4, 9, -1}}, 1 + 4},
		"no nodes":                                              {fit.Shape{Requests: fit.Resources{"cpu": 1000}, Nodes: []int{}}, 0},
		"one on each node":                                      {fit.Shape{Requests: fit.Resources{"cpu": 500}, PerNode: 1}, 4},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, fit.Capacity(nodes, tc.shape)) })
	}
}

func TestPlaceTogether(t *testing.T) {
	small := fit.Shape{Requests: fit.Resources{"cpu": 1000}}
	large := fit.Shape{Requests: fit.Resources{"cpu": 4000}}
	for name, tc := range map[string]struct {
		nodes        []fit.Node
		demands      []fit.Demand
		spread, pack []int64
	}{
		"spreading the small ones leaves no room for the large one": {
			[]fit.Node{node(4000, 0, 9), node(4000, 0, 9)}, []fit.Demand{{Shape: small, Count: 2}, {Shape: small, Count: 2}, {Shape: large, Count: 1}},
			[]int64{2, 2, 0}, []int64{2, 2, 1},
		},
		"who may use one node only goes first when packed": {
			[]fit.Node{node(2000, 0, 9), node(2000, 0, 9)},
			[]fit.Demand{{Shape: small, Count: 2}, {Shape: fit.Shape{Requests: fit.Resources{"cpu": 1000}, Nodes: []int{0}}, Count: 2}},
			[]int64{2, 1}, []int64{2, 2},
		},
		"what does not fit is not placed": {
			[]fit.Node{node(3000, 0, 9)}, []fit.Demand{{Shape: large, Count: 1}, {Shape: small, Count: 5}},
			[]int64{0, 3}, []int64{0, 3},
		},
		"no nodes": {nil, []fit.Demand{{Shape: small, Count: 1}}, []int64{0}, []int64{0}},
		"one on each node": {
			[]fit.Node{node(9000, 0, 9), node(9000, 0, 9)},
			[]fit.Demand{{Shape: fit.Shape{Requests: fit.Resources{"cpu": 1}, PerNode: 1}, Count: 5}}, []int64{2}, []int64{2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for strategy, want := range map[fit.Strategy][]int64{fit.Spread: tc.spread, fit.Pack: tc.pack} {
				var got []int64
				for _, p := range fit.Place(tc.nodes, tc.demands, strategy) {
					got = append(got, p.Placed)
				}
				require.Equal(t, want, got, "strategy %d", strategy)
			}
		})
	}
}

func TestSpreadUsesAllNodes(t *testing.T) {
	nodes := []fit.Node{node(4000, 0, 9), node(4000, 0, 9), node(4000, 0, 9)}
	placed := fit.Place(nodes, []fit.Demand{{Shape: fit.Shape{Requests: fit.Resources{"cpu": 1000}}, Count: 6}}, fit.Spread)
	require.Equal(t, map[int]int64{0: 2, 1: 2, 2: 2}, placed[0].OnNode)
}

func TestHugeNumbersStayInRange(t *testing.T) {
	huge := fit.Resources{"cpu": math.MaxInt64}
	require.Equal(t, int64(math.MaxInt64), huge.Add(huge)["cpu"])
	require.Equal(t, int64(math.MaxInt64), huge.Times(3)["cpu"])
	require.Equal(t, int64(math.MinInt64), huge.Times(-3)["cpu"])
	require.Equal(t, int64(1), fit.Capacity([]fit.Node{{Free: huge, Pods: math.MaxInt64}}, fit.Shape{Requests: huge}))
}

func nodes(t *rapid.T) []fit.Node {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fit.Node {
		return node(rapid.Int64Range(-1000, 8000).Draw(t, "cpu"), rapid.Int64Range(0, 64).Draw(t, "memory"), rapid.Int64Range(0, 20).Draw(t, "pods"))
	}), 0, 8).Draw(t, "nodes")
}

func demands(t *rapid.T, nodes int) []fit.Demand {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fit.Demand {
		d := fit.Demand{Count: rapid.Int64Range(0, 30).Draw(t, "count")}
		d.Requests = fit.Resources{"cpu": rapid.Int64Range(0, 4000).Draw(t, "cpu"), "memory": rapid.Int64Range(0, 16).Draw(t, "memory")}
		d.PerNode = rapid.Int64Range(0, 2).Draw(t, "perNode")
		if rapid.Bool().Draw(t, "some nodes") && nodes > 0 {
			d.Nodes = rapid.SliceOfDistinct(rapid.IntRange(0, nodes-1), rapid.ID[int]).Draw(t, "on")
		}
		return d
	}), 1, 4).Draw(t, "demands")
}

// Whatever is placed fits: on nodes that are allowed, within what they have left.
func TestPlacementsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := nodes(t)
		demands := demands(t, len(nodes))
		for _, strategy := range []fit.Strategy{fit.Spread, fit.Pack} {
			used, pods := make([]fit.Resources, len(nodes)), make([]int64, len(nodes))
			for i, p := range fit.Place(nodes, demands, strategy) {
				d, sum := demands[i], int64(0)
				require.LessOrEqual(t, p.Placed, d.Count)
				require.LessOrEqual(t, p.Placed, fit.Capacity(nodes, d.Shape))
				for on, count := range p.OnNode {
					require.Positive(t, count)
					if d.Nodes != nil {
						require.Contains(t, d.Nodes, on)
					}
					if d.PerNode > 0 {
						require.LessOrEqual(t, count, d.PerNode)
					}
					used[on] = used[on].Add(d.Requests.Times(count))
					pods[on] += count
					sum += count
				}
				require.Equal(t, p.Placed, sum)
			}
			for i, n := range nodes {
				require.LessOrEqual(t, pods[i], n.Pods)
				for name, amount := range used[i] {
					if amount > 0 {
						require.LessOrEqual(t, amount, n.Free[name])
					}
				}
			}
		}
	})
}

// Of one shape alone as many are placed as fit, in either way; and more of everything on a node never takes fewer.
func TestOneShapeIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := nodes(t)
		d := demands(t, len(nodes))[0]
		want := min(d.Count, fit.Capacity(nodes, d.Shape))
		for _, strategy := range []fit.Strategy{fit.Spread, fit.Pack} {
			require.Equal(t, want, fit.Place(nodes, []fit.Demand{d}, strategy)[0].Placed)
		}
		before := fit.Capacity(nodes, d.Shape)
		for i := range nodes {
			nodes[i].Free, nodes[i].Pods = nodes[i].Free.Add(fit.Resources{"cpu": 500, "memory": 1}), nodes[i].Pods+1
		}
		require.GreaterOrEqual(t, fit.Capacity(nodes, d.Shape), before)
	})
}

// Nothing that would still fit is left out: a demand that is short has no node with room for one more.
func TestNothingIsLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := nodes(t)
		demands := demands(t, len(nodes))
		for _, strategy := range []fit.Strategy{fit.Spread, fit.Pack} {
			left := make([]fit.Node, len(nodes))
			for i, n := range nodes {
				left[i] = fit.Node{Free: n.Free, Pods: n.Pods}
			}
			placed := fit.Place(nodes, demands, strategy)
			for i, p := range placed {
				for on, count := range p.OnNode {
					left[on].Free, left[on].Pods = left[on].Free.Add(demands[i].Requests.Times(-count)), left[on].Pods-count
				}
			}
			for i, p := range placed {
				if d := demands[i]; p.Placed < d.Count {
					for on, n := range left {
						allowed := fit.Capacity([]fit.Node{n}, fit.Shape{Requests: d.Requests}) > 0 && (d.PerNode == 0 || p.OnNode[on] < d.PerNode)
						allowed = allowed && (d.Nodes == nil || slices.Contains(d.Nodes, on))
						require.False(t, allowed, "node %d has room for one more of demand %d", on, i)
					}
				}
			}
		}
	})
}

// A large cluster before a large event: 5,000 nodes, 10 workloads, 20,000 pods.
func BenchmarkPlace(b *testing.B) {
	nodes := make([]fit.Node, 5000)
	for i := range nodes {
		nodes[i] = node(int64(4000+i%7*1000), 64, 110)
	}
	demands := make([]fit.Demand, 10)
	for i := range demands {
		demands[i] = fit.Demand{Shape: fit.Shape{Requests: fit.Resources{"cpu": int64(250 * (i + 1)), "memory": 1}}, Count: 2000}
	}
	for name, strategy := range map[string]fit.Strategy{"spread": fit.Spread, "pack": fit.Pack} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				fit.Place(nodes, demands, strategy)
			}
		})
	}
}
