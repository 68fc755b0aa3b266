// SPDX-License-Identifier: Apache-2.0

package reserve_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

// shop runs 12 replicas in two clusters of two nodes each.
func shop() ([]reserve.Cluster, reserve.Workload) {
	clusters := []reserve.Cluster{{Name: "east", Nodes: nodes(3, 3)}, {Name: "west", Nodes: nodes(3, 3)}}
	return clusters, reserve.Workload{
		Name: "shop", Replicas: 12, Clusters: []divide.Cluster{{Name: "east", Weight: 16, Min: 1}, {Name: "west", Weight: 16, Min: 1}},
		In: map[string]reserve.Presence{"east": {Replicas: 6, Shape: core()}, "west": {Replicas: 6, Shape: core()}},
	}
}

func empty(cpu int64) fit.Node {
	return fit.Node{Free: fit.Resources{"cpu": cpu, "memory": 32}, Pods: 110}
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

	// what twice the replicas would mean
	w.Peaks = nil
	p, err = reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 100}, noon)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"east": 6, "west": 6}, p.Surges[0].Next)
	require.Equal(t, p.Surges[0].Next, p.Surges[0].Together)

	// where nodes may be added, what does not fit waits for them, if it may run there
	few := []reserve.Cluster{{Name: "east", Nodes: nodes(6, 6), New: []fit.Node{empty(1000)}}, {Name: "west", Nodes: nodes(6, 6), New: []fit.Node{empty(9000)}}}
	p, err = reserve.Decide(few, []reserve.Workload{w}, reserve.Options{Percent: 100}, noon)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"east": 4, "west": 4}, p.Surges[0].Together)
	require.Equal(t, map[string]int64{"east": 1, "west": 2}, p.Surges[0].NeedNodes)
	picky := w
	picky.In = map[string]reserve.Presence{"east": w.In["east"], "west": {Replicas: 6, Shape: core(), New: []int{}}}
	p, err = reserve.Decide(few, []reserve.Workload{picky}, reserve.Options{Percent: 100}, noon)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"east": 1}, p.Surges[0].NeedNodes)

	w.Clusters[0].Max = new(int64(8))
	p, err = reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20}, noon)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"east": 2, "west": 10}, p.Surges[0].AtOnce, "no more than the limit allows")

	w.Clusters[1].Name = "east"
	_, err = reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20}, noon)
	require.ErrorContains(t, err, `the reserve of shop: cluster "east" is named twice`)
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
			require.GreaterOrEqual(t, s.Refused, int64(0))
			sum := s.Unplaced + s.Refused
			for cluster, next := range s.Next {
				require.GreaterOrEqual(t, next, int64(0))
				require.LessOrEqual(t, s.Together[cluster], next)
				require.LessOrEqual(t, s.Together[cluster], max(s.AtOnce[cluster], 0))
				require.LessOrEqual(t, s.Together[cluster]+s.NeedNodes[cluster], next)
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
			for j, fits := range reserve.Placed(w.clusters[i].Nodes, r.Blocks) {
				require.Equal(t, r.Blocks[j].Fits, fits)
			}
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
