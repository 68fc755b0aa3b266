// SPDX-License-Identifier: Apache-2.0

package reserve_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// node has 8 cores and 32 units of memory, of which so many cores and as many units are requested.
func node(requested int64) reserve.Node {
	return reserve.Node{
		Allocatable: fit.Resources{"cpu": 8000, "memory": 32}, Requested: fit.Resources{"cpu": requested * 1000, "memory": requested}, Pods: 110, Running: requested,
	}
}

func nodes(requested ...int64) []reserve.Node {
	out := make([]reserve.Node, len(requested))
	for i, r := range requested {
		out[i] = node(r)
	}
	return out
}

func with(n reserve.Node, change func(*reserve.Node)) reserve.Node {
	change(&n)
	return n
}

// core is a pod that requests a core.
func core() fit.Shape { return fit.Shape{Requests: fit.Resources{"cpu": 1000, "memory": 1}} }

func TestWhatCounts(t *testing.T) {
	gpu := func(n *reserve.Node) {
		n.Allocatable = fit.Resources{"cpu": 8000, "memory": 32, "nvidia.com/gpu": 4, "hugepages-2Mi": 0}
	}
	for _, test := range []struct {
		name string
		node reserve.Node
		left reserve.Left
	}{
		{"an ordinary node", node(2), ""},
		{"huge pages are ordinary", with(node(2), func(n *reserve.Node) { n.Allocatable["hugepages-2Mi"] = 1 << 30 }), ""},
		{"no GPU left", with(node(2), func(n *reserve.Node) { n.Allocatable["nvidia.com/gpu"] = 0 }), ""},
		{"cordoned", with(node(2), func(n *reserve.Node) { n.Cordoned = true }), reserve.Cordoned},
		{"not ready", with(node(2), func(n *reserve.Node) { n.NotReady, n.Tainted = true, true }), reserve.NotReady},
		{"tainted", with(node(2), func(n *reserve.Node) { n.Tainted = true }), reserve.Tainted},
		{"of another kind than those named", with(node(2), func(n *reserve.Node) { n.Unnamed, n.Tainted = true, true }), reserve.Unnamed},
		{"a GPU", with(node(2), gpu), reserve.Extended},
		{"a GPU that is named", with(with(node(2), gpu), func(n *reserve.Node) { n.Named, n.Tainted = true, true }), ""},
		{"named and cordoned", with(node(2), func(n *reserve.Node) { n.Named, n.Cordoned = true, true }), reserve.Cordoned},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.left, test.node.Left())
			b := reserve.BaseOf([]reserve.Node{test.node, node(10)}) // more requested than there is
			require.Equal(t, test.left == "", b.Nodes == 2)
			if test.left != "" {
				require.Equal(t, map[reserve.Left]int{test.left: 1}, b.Left)
				require.Equal(t, int64(8000), b.Allocatable["cpu"])
				require.Zero(t, b.Free["cpu"])
				return
			}
			require.Empty(t, b.Left)
			require.Equal(t, int64(16000), b.Allocatable["cpu"])
			require.Equal(t, int64(6000), b.Free["cpu"])
		})
	}
}

func TestPercent(t *testing.T) {
	for _, test := range []struct{ amount, percent, want int64 }{
		{100, 20, 20}, {4, 20, 1}, {5, 20, 1}, {6, 20, 2}, {0, 20, 0}, {-5, 20, 0}, {100, 0, 0}, {100, -1, 0}, {7, 150, 11}, {7, 5000, 70}, {math.MaxInt64, 1000, 1 << 62},
	} {
		require.Equal(t, test.want, reserve.Percent(test.amount, test.percent), "%d %% of %d", test.percent, test.amount)
	}
}

func TestSurge(t *testing.T) {
	peak := reserve.Peak{Replicas: 200, From: noon, Until: noon.Add(time.Hour), By: "ScaleSchedule shop/evening"}
	options := reserve.Options{Percent: 20, Lead: 15 * time.Minute}
	for _, test := range []struct {
		name string
		at   time.Time
		want int64
		by   string
	}{
		{"long before", noon.Add(-16 * time.Minute), 20, ""},
		{"ahead of the peak", noon.Add(-15 * time.Minute), 140, peak.By},
		{"in it", noon.Add(59 * time.Minute), 140, peak.By},
		{"after it", noon.Add(time.Hour), 20, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := reserve.Workload{Replicas: 100, Peaks: []reserve.Peak{{Replicas: 90, Until: noon.Add(time.Hour), By: "smaller"}, peak}}
			got, by := w.Surge(options, test.at)
			require.Equal(t, test.want, got)
			require.Equal(t, test.by, by)
		})
	}
	most, _ := reserve.Workload{Replicas: math.MaxInt64}.Surge(options, noon)
	require.Zero(t, most)
	least, _ := reserve.Workload{Replicas: -5}.Surge(options, noon)
	require.Zero(t, least)
}

// shop runs 12 replicas in two clusters of two nodes each.
func shop() ([]reserve.Cluster, reserve.Workload) {
	clusters := []reserve.Cluster{{Name: "east", Nodes: nodes(3, 3)}, {Name: "west", Nodes: nodes(3, 3)}}
	return clusters, reserve.Workload{
		Name: "shop", Replicas: 12, Clusters: []divide.Cluster{{Name: "east", Weight: 16, Min: 1}, {Name: "west", Weight: 16, Min: 1}},
		In: map[string]reserve.Presence{"east": {Replicas: 6, Shape: core()}, "west": {Replicas: 6, Shape: core()}},
	}
}

func TestReserve(t *testing.T) {
	clusters, w := shop()
	p, err := reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20}, noon)
	require.NoError(t, err)
	require.Equal(t, int64(3), p.Surges[0].Ahead)
	require.Equal(t, map[string]int64{"east": 10, "west": 10}, p.Surges[0].AtOnce)
	require.Equal(t, p.Surges[0].Next, p.Surges[0].Together)
	next := p.Surges[0].Next
	require.Equal(t, int64(3), next["east"]+next["west"])
	for _, r := range p.Reserves {
		// a fifth of 16 cores is 3.2, of 64 units 13 rounded up; what the next replicas do not need is filled up
		require.Equal(t, fit.Resources{"cpu": 3200, "memory": 13}, r.Wanted)
		require.Equal(t, next[r.Cluster], r.Blocks[0].Count)
		filling := r.Blocks[1]
		require.Empty(t, filling.Workload)
		require.GreaterOrEqual(t, filling.Count*filling.Shape.Requests["cpu"]+next[r.Cluster]*1000, int64(3200))
		require.LessOrEqual(t, filling.Shape.Requests["cpu"], int64(1000))
		require.Zero(t, r.Short)
		require.GreaterOrEqual(t, r.Held["cpu"], int64(3200))
	}
	// before a peak the workload's own replicas need more than the percentage
	w.Peaks = []reserve.Peak{{Replicas: 30, From: noon.Add(10 * time.Minute), Until: noon.Add(time.Hour), By: "ScaleForecast shop"}}
	p, err = reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20, Lead: 15 * time.Minute}, noon)
	require.NoError(t, err)
	require.Equal(t, int64(24), p.Surges[0].Ahead)
	require.Equal(t, map[string]int64{"east": 10, "west": 10}, p.Surges[0].Together)
	require.Equal(t, int64(12000), p.Reserves[0].Wanted["cpu"])
	require.GreaterOrEqual(t, p.Reserves[0].Short, int64(2))
	require.Less(t, p.Reserves[0].Held["cpu"], int64(12000))

	w.Clusters[0].Max = new(int64(8))
	p, err = reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20}, noon)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"east": 2, "west": 10}, p.Surges[0].AtOnce, "no more than the limit allows")

	w.Clusters[1].Name = "east"
	_, err = reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20}, noon)
	require.ErrorContains(t, err, `the reserve of shop: cluster "east" is named twice`)
}

func TestIfLost(t *testing.T) {
	empty := fit.Node{Free: fit.Resources{"cpu": 2000, "memory": 32}, Pods: 110}
	for _, test := range []struct {
		name    string
		change  func([]reserve.Cluster, *reserve.Workload)
		verdict reserve.Verdict
		moved   reserve.Moved // if east dies
	}{
		{"fits", func([]reserve.Cluster, *reserve.Workload) {}, reserve.Fits, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 6, To: map[string]int64{"west": 6}}},
		{"a cordoned node is no room", func(c []reserve.Cluster, _ *reserve.Workload) { c[1].Nodes[0].Cordoned = true },
			reserve.DoesNotFit, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 5, Homeless: 1, To: map[string]int64{"west": 5}}},
		{"a tainted one neither", func(c []reserve.Cluster, _ *reserve.Workload) { c[1].Nodes[0].Tainted = true },
			reserve.DoesNotFit, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 5, Homeless: 1, To: map[string]int64{"west": 5}}},
		{"unless the workload names it", func(c []reserve.Cluster, w *reserve.Workload) {
			c[1].Nodes[0].Tainted = true
			w.In["west"] = reserve.Presence{Replicas: 6, Shape: fit.Shape{Requests: core().Requests, Nodes: []int{0, 1}}}
		}, reserve.Fits, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 6, To: map[string]int64{"west": 6}}},
		{"a cordoned node that the workload names is no room", func(c []reserve.Cluster, w *reserve.Workload) {
			c[1].Nodes[0].Cordoned = true
			w.In["west"] = reserve.Presence{Replicas: 6, Shape: fit.Shape{Requests: core().Requests, Nodes: []int{0, 1}}}
		}, reserve.DoesNotFit, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 5, Homeless: 1, To: map[string]int64{"west": 5}}},
		{"new nodes that the workload may not use", func(c []reserve.Cluster, w *reserve.Workload) {
			c[1].Nodes, c[1].New = nodes(6, 6), []fit.Node{empty, empty}
			w.In["west"] = reserve.Presence{Replicas: 6, Shape: core(), New: []int{}}
		}, reserve.DoesNotFit, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 4, Homeless: 2, To: map[string]int64{"west": 4}}},
		{"its limit holds on new nodes too", func(c []reserve.Cluster, w *reserve.Workload) {
			c[1].Nodes, c[1].New = nodes(6, 6), []fit.Node{empty}
			w.Clusters[1].Max = new(int64(11))
		}, reserve.DoesNotFit, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 4, NeedNodes: 1, Homeless: 1, To: map[string]int64{"west": 4}}},
		{"needs nodes", func(c []reserve.Cluster, _ *reserve.Workload) {
			c[1].Nodes, c[1].New = nodes(6, 6), []fit.Node{empty}
		}, reserve.NeedsNodes, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 4, NeedNodes: 2, To: map[string]int64{"west": 4}}},
		{"does not fit", func(c []reserve.Cluster, _ *reserve.Workload) {
			c[1].Nodes, c[1].New = nodes(8, 7), []fit.Node{empty}
		}, reserve.DoesNotFit, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 1, NeedNodes: 2, Homeless: 3, To: map[string]int64{"west": 1}}},
		{"its limit holds", func(_ []reserve.Cluster, w *reserve.Workload) { w.Clusters[1].Max = new(int64(8)) },
			reserve.DoesNotFit, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 2, Homeless: 4, To: map[string]int64{"west": 2}}},
		{"a third takes what the second does not", func(c []reserve.Cluster, w *reserve.Workload) {
			c[1].Nodes, c[2].Nodes = nodes(7, 7), nodes(2)
			w.Clusters = append(w.Clusters, divide.Cluster{Name: "north", Weight: 1, Min: 1})
			w.In["north"] = reserve.Presence{Replicas: 2, Shape: core()}
		}, reserve.Fits, reserve.Moved{Workload: "shop", Replicas: 6, Fit: 6, To: map[string]int64{"west": 2, "north": 4}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			clusters, w := shop()
			clusters = append(clusters, reserve.Cluster{Name: "north", Nodes: nodes(0)})
			test.change(clusters, &w)
			p, err := reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20}, noon)
			require.NoError(t, err)
			require.Equal(t, "east", p.Losses[0].Cluster)
			require.Equal(t, test.verdict, p.Losses[0].Verdict)
			require.Equal(t, []reserve.Moved{test.moved}, p.Losses[0].Workloads)
			w.Stays = true
			p, err = reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20}, noon)
			require.NoError(t, err)
			require.Equal(t, reserve.Loss{Cluster: "east", Verdict: reserve.Fits}, p.Losses[0])
		})
	}
}

type world struct {
	clusters  []reserve.Cluster
	workloads []reserve.Workload
	options   reserve.Options
}

func anyWorld(t *rapid.T) world {
	w := world{options: reserve.Options{Percent: rapid.Int64Range(0, 120).Draw(t, "percent"), Lead: time.Hour}}
	for i := range rapid.IntRange(1, 4).Draw(t, "clusters") {
		c := reserve.Cluster{Name: fmt.Sprintf("c%d", i)}
		for range rapid.IntRange(0, 4).Draw(t, "nodes") {
			n := node(rapid.Int64Range(0, 9).Draw(t, "requested"))
			n.Cordoned, n.Tainted = rapid.IntRange(0, 9).Draw(t, "cordoned") == 0, rapid.IntRange(0, 9).Draw(t, "tainted") == 0
			c.Nodes = append(c.Nodes, n)
		}
		for range rapid.IntRange(0, 2).Draw(t, "new nodes") {
			c.New = append(c.New, fit.Node{Free: fit.Resources{"cpu": 8000, "memory": 32}, Pods: 110})
		}
		w.clusters = append(w.clusters, c)
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "workloads") {
		l := reserve.Workload{Name: fmt.Sprintf("w%d", i), In: map[string]reserve.Presence{}}
		shape := fit.Shape{Requests: fit.Resources{"cpu": rapid.Int64Range(100, 3000).Draw(t, "cpu"), "memory": rapid.Int64Range(0, 4).Draw(t, "memory")}}
		for _, c := range w.clusters {
			d := divide.Cluster{Name: c.Name, Weight: rapid.Int64Range(0, 50).Draw(t, "weight"), Min: 1}
			if rapid.IntRange(0, 3).Draw(t, "capped") == 0 {
				d.Max = new(rapid.Int64Range(1, 20).Draw(t, "max"))
			}
			l.Clusters = append(l.Clusters, d)
		}
		l.Replicas = rapid.Int64Range(0, 60).Draw(t, "replicas")
		d, err := divide.Divide(l.Replicas, l.Clusters, l.Name)
		require.NoError(t, err)
		for _, c := range w.clusters {
			l.In[c.Name] = reserve.Presence{Replicas: d.Seats[c.Name], Shape: shape}
		}
		if rapid.Bool().Draw(t, "peak") {
			l.Peaks = []reserve.Peak{{Replicas: rapid.Int64Range(0, 100).Draw(t, "peak replicas"), From: noon, Until: noon.Add(time.Hour)}}
		}
		w.workloads = append(w.workloads, l)
	}
	return w
}

// The reserve is no less than the percentage and than the next replicas; what is held fits; the next replicas add up.
func TestReserveHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		p, err := reserve.Decide(w.clusters, w.workloads, w.options, noon)
		require.NoError(t, err)
		again, err := reserve.Decide(rapid.Permutation(w.clusters).Draw(t, "order"), w.workloads, w.options, noon)
		require.NoError(t, err)
		require.Equal(t, p, again)
		for i, s := range p.Surges {
			sum := s.Unplaced
			for cluster, next := range s.Next {
				require.GreaterOrEqual(t, next, int64(0))
				require.LessOrEqual(t, s.Together[cluster], next)
				require.LessOrEqual(t, s.Together[cluster], max(s.AtOnce[cluster], 0))
				sum += next
			}
			now, err := divide.Divide(w.workloads[i].Replicas, w.workloads[i].Clusters, "")
			require.NoError(t, err)
			require.LessOrEqual(t, sum, s.Ahead+int64(len(w.clusters)), "the minimums may need some of them")
			if now.Raised == 0 && w.workloads[i].Replicas > 0 {
				require.Equal(t, s.Ahead, sum)
			}
		}
		for i, r := range p.Reserves {
			asked, short := fit.Resources{}, int64(0)
			for _, b := range r.Blocks {
				require.LessOrEqual(t, b.Fits, b.Count)
				asked, short = asked.Add(b.Shape.Requests.Times(b.Count)), short+b.Count-b.Fits
			}
			require.Equal(t, r.Short, short)
			require.Equal(t, reserve.BaseOf(w.clusters[i].Nodes), r.Base)
			for _, name := range []string{"cpu", "memory"} {
				require.GreaterOrEqual(t, asked[name], r.Wanted[name])
				require.GreaterOrEqual(t, r.Wanted[name], reserve.Percent(r.Base.Allocatable[name], w.options.Percent))
				require.LessOrEqual(t, r.Held[name], r.Base.Free[name])
				if r.Short == 0 {
					require.GreaterOrEqual(t, r.Held[name], r.Wanted[name])
				}
			}
		}
	})
}

// If a cluster dies every one of its replicas is accounted for, what fits fits, limits hold, and nobody is called
// homeless while some survivor that may take it has room left for it.
func TestLossesHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		p, err := reserve.Decide(w.clusters, w.workloads, w.options, noon)
		require.NoError(t, err)
		require.Len(t, p.Losses, len(w.clusters))
		for _, l := range p.Losses {
			used := map[string]fit.Resources{}
			homeless, waiting := int64(0), int64(0)
			for _, m := range l.Workloads {
				require.Equal(t, m.Replicas, m.Fit+m.NeedNodes+m.Homeless)
				require.GreaterOrEqual(t, m.Homeless, int64(0))
				homeless, waiting = homeless+m.Homeless, waiting+m.NeedNodes
				sum, load := int64(0), load(w, m.Workload)
				for to, n := range m.To {
					require.NotEqual(t, l.Cluster, to)
					sum, used[to] = sum+n, used[to].Add(load.In[to].Shape.Requests.Times(n))
					for _, c := range load.Clusters {
						if c.Name == to && c.Max != nil {
							require.LessOrEqual(t, load.In[to].Replicas+n, *c.Max)
						}
					}
				}
				require.Equal(t, m.Fit, sum)
			}
			require.Equal(t, homeless > 0, l.Verdict == reserve.DoesNotFit)
			require.Equal(t, homeless == 0 && waiting == 0, l.Verdict == reserve.Fits)
			for _, c := range w.clusters {
				for name, amount := range used[c.Name] {
					require.LessOrEqual(t, amount, reserve.BaseOf(c.Nodes).Free[name])
				}
			}
			if len(w.workloads) == 1 && len(l.Workloads) == 1 {
				requireNoRoomLeft(t, w, l)
			}
		}
	})
}

func load(w world, name string) reserve.Workload {
	for _, l := range w.workloads {
		if l.Name == name {
			return l
		}
	}
	return reserve.Workload{}
}

// requireNoRoomLeft: of one workload alone exactly as many fit as the survivors' nodes and limits allow.
func requireNoRoomLeft(t require.TestingT, w world, l reserve.Loss) {
	room, load := int64(0), w.workloads[0]
	for i, c := range w.clusters {
		if c.Name == l.Cluster {
			continue
		}
		var free []fit.Node
		for _, n := range c.Nodes {
			if n.Left() == "" {
				left := fit.Node{Free: fit.Resources{}, Pods: n.Pods - n.Running}
				for name, amount := range n.Allocatable {
					left.Free[name] = max(amount-n.Requested[name], 0)
				}
				free = append(free, left)
			}
		}
		fits := fit.Capacity(free, load.In[c.Name].Shape)
		if limit := load.Clusters[i].Max; limit != nil {
			fits = min(fits, max(*limit-load.In[c.Name].Replicas, 0))
		}
		room += fits
	}
	require.Equal(t, min(l.Workloads[0].Replicas, room), l.Workloads[0].Fit)
}

// 10 clusters of 100 nodes, 20 workloads of 500 replicas.
func BenchmarkDecide(b *testing.B) {
	var w world
	for i := range 10 {
		c := reserve.Cluster{Name: fmt.Sprintf("c%d", i)}
		for j := range 100 {
			c.Nodes = append(c.Nodes, node(int64(j%6)))
		}
		w.clusters = append(w.clusters, c)
	}
	for i := range 20 {
		l := reserve.Workload{Name: fmt.Sprintf("w%d", i), Replicas: 500, In: map[string]reserve.Presence{}}
		for _, c := range w.clusters {
			l.Clusters = append(l.Clusters, divide.Cluster{Name: c.Name, Weight: 100, Min: 1})
			l.In[c.Name] = reserve.Presence{Replicas: 50, Shape: core()}
		}
		w.workloads = append(w.workloads, l)
	}
	for b.Loop() {
		if _, err := reserve.Decide(w.clusters, w.workloads, reserve.Options{Percent: 20}, noon); err != nil {
			b.Fatal(err)
		}
	}
}
