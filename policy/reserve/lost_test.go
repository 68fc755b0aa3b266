// SPDX-License-Identifier: Apache-2.0

package reserve_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

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

// Two workloads of a namespace have one quota between them, on the nodes there are and on those that may come.
func TestLossesShareQuotas(t *testing.T) {
	for _, test := range []struct {
		nodes         int64 // free cores of west for pods of one core
		fit, homeless int64 // of both
		needNodes     int64
	}{{nodes: 40, fit: 7, homeless: 5}, {nodes: 4, fit: 4, needNodes: 3, homeless: 5}} {
		clusters, w := shop()
		clusters[1].Nodes = []reserve.Node{{Allocatable: fit.Resources{"cpu": test.nodes * 1000, "memory": 1000}, Pods: 110}}
		clusters[1].New = []fit.Node{{Free: fit.Resources{"cpu": 40000, "memory": 1000}, Pods: 110}}
		clusters[1].Quota = fit.Resources{"pods": 7}
		in := w.In["west"]
		in.Quota = fit.Resources{"pods": 1}
		w.In["west"] = in
		other := w
		other.Name = "other"
		p, err := reserve.Decide(clusters, []reserve.Workload{w, other}, reserve.Options{}, noon)
		require.NoError(t, err)
		sum := reserve.Moved{}
		for _, m := range p.Losses[0].Workloads {
			sum.Fit, sum.NeedNodes, sum.Homeless = sum.Fit+m.Fit, sum.NeedNodes+m.NeedNodes, sum.Homeless+m.Homeless
		}
		require.Equal(t, reserve.Moved{Fit: test.fit, NeedNodes: test.needNodes, Homeless: test.homeless}, sum)
		require.Equal(t, reserve.DoesNotFit, p.Losses[0].Verdict)
	}
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
			used, counted := map[string]fit.Resources{}, map[string]fit.Resources{}
			homeless, waiting := int64(0), int64(0)
			for _, m := range l.Workloads {
				require.Equal(t, m.Replicas, m.Fit+m.NeedNodes+m.Homeless)
				require.GreaterOrEqual(t, m.Homeless, int64(0))
				homeless, waiting = homeless+m.Homeless, waiting+m.NeedNodes
				sum, load := int64(0), load(w, m.Workload)
				for to, n := range m.To {
					require.NotEqual(t, l.Cluster, to)
					counted[to] = counted[to].Add(load.In[to].Quota.Times(n))
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
				for name, left := range c.Quota {
					require.LessOrEqual(t, counted[c.Name][name], max(left, 0), "workloads share it")
				}
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
		if c.Quota != nil {
			fits = min(fits, max(c.Quota["pods"], 0), max(c.Quota["cpu"], 0)/load.In[c.Name].Quota["cpu"])
		}
		room += fits
	}
	require.Equal(t, min(l.Workloads[0].Replicas, room), l.Workloads[0].Fit)
}
