// SPDX-License-Identifier: Apache-2.0

package reserve_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

// What a quota would refuse needs no room; a namespace's workloads share it, those of others do not.
func TestQuotas(t *testing.T) {
	clusters, w := shop()
	w.Peaks = []reserve.Peak{{Replicas: 30, From: noon, Until: noon.Add(time.Hour), By: "ScaleSchedule shop/evening"}}
	options := reserve.Options{Percent: 20}
	clusters[0].Quota = fit.Resources{"shop/pods": 4, "shop/cpu": 2000}
	for _, name := range []string{"east", "west"} {
		in := w.In[name]
		in.Quota = fit.Resources{"shop/pods": 1, "shop/cpu": 1000}
		w.In[name] = in
	}
	p, err := reserve.Decide(clusters, []reserve.Workload{w}, options, noon)
	require.NoError(t, err)
	s := p.Surges[0]
	require.Equal(t, int64(24), s.Ahead)
	require.Equal(t, map[string]int64{"east": 2, "west": 22}, s.Next, "what east refuses goes to west, as it would in the division")
	require.Zero(t, s.Refused)
	require.Equal(t, int64(2), s.AtOnce["east"])
	require.Equal(t, int64(2), p.Reserves[0].Blocks[0].Count)
	require.Equal(t, "DoesNotFit", string(p.Losses[1].Verdict), "nor do the replicas of a cluster that dies get past a quota")

	clusters[1].Quota = fit.Resources{"shop/pods": 7}
	other, stranger := w, w
	other.Name, stranger.Name = "basket", "stranger"
	stranger.In = map[string]reserve.Presence{"east": {Replicas: 6, Shape: core()}, "west": {Replicas: 6, Shape: core()}}
	p, err = reserve.Decide(clusters, []reserve.Workload{other, w, stranger}, options, noon)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"east": 2, "west": 5}, p.Surges[0].Next)
	require.Equal(t, map[string]int64{"east": 0, "west": 2}, p.Surges[1].Next, "what the percentage keeps for both comes before the first one's peak")
	require.Equal(t, int64(24), p.Surges[0].Next["east"]+p.Surges[0].Next["west"]+p.Surges[0].Unplaced+p.Surges[0].Refused)
	require.Equal(t, int64(24), p.Surges[2].Next["east"]+p.Surges[2].Next["west"])
}

// Peaks make the reserve no larger than a percentage of the nodes, those for the reserve included.
func TestLimitOfPeaks(t *testing.T) {
	for _, test := range []struct {
		percent       *int64
		next, refused int64
	}{
		{nil, 12, 0}, {new(int64(100)), 12, 0},
		{new(int64(80)), 12, 0}, // 16 cores of which 6 are used: the reserve may be 24
		{new(int64(50)), 8, 8},
		{new(int64(25)), 4, 16},
		{new(int64(0)), 1, 21}, // what the percentage keeps stays
	} {
		clusters, w := shop()
		w.Peaks = []reserve.Peak{{Replicas: 30, From: noon, Until: noon.Add(time.Hour), By: "ScaleSchedule shop/evening"}}
		p, err := reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20, Peaks: test.percent}, noon)
		require.NoError(t, err)
		require.Equal(t, test.next, min(p.Surges[0].Next["east"], p.Surges[0].Next["west"]))
		require.Equal(t, test.refused, p.Surges[0].Refused)
	}
	// Nodes that come for the reserve allow no more of it.
	clusters, w := shop()
	w.Peaks = []reserve.Peak{{Replicas: 300, From: noon, Until: noon.Add(time.Hour), By: "ScaleSchedule shop/evening"}}
	before := int64(0)
	for more := range 8 {
		clusters[0].Nodes = append(slices.Clone(clusters[0].Nodes[:2]), nodes(slices.Repeat([]int64{0}, more)...)...)
		p, err := reserve.Decide(clusters, []reserve.Workload{w}, reserve.Options{Percent: 20, Peaks: new(int64(80))}, noon)
		require.NoError(t, err)
		if next := p.Surges[0].Next["east"]; p.Reserves[0].Short > 0 {
			require.Equal(t, int64(24), next)
			before = next
		}
	}
	require.Equal(t, int64(24), before)
}

// Neither quotas nor the limit are exceeded, and a peak takes nothing from what is kept without it.
func TestLimitsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		p, err := reserve.Decide(w.clusters, w.workloads, w.options, noon)
		require.NoError(t, err)
		quiet := slices.Clone(w.workloads)
		for i := range quiet {
			quiet[i].Peaks = nil
		}
		calm, err := reserve.Decide(w.clusters, quiet, w.options, noon)
		require.NoError(t, err)
		for i, c := range w.clusters {
			taken, r, base := fit.Resources{}, p.Reserves[i], p.Reserves[i].Base
			for j, l := range w.workloads {
				next := p.Surges[j].Next[c.Name]
				require.GreaterOrEqual(t, next, calm.Surges[j].Next[c.Name])
				taken = taken.Add(l.In[c.Name].Quota.Times(next))
				for name, left := range c.Quota {
					require.LessOrEqual(t, p.Surges[j].AtOnce[c.Name]*l.In[c.Name].Quota[name], max(left, 0))
				}
			}
			for name, left := range c.Quota {
				require.LessOrEqual(t, taken[name], max(left, 0), name)
			}
			for _, name := range []string{"cpu", "memory"} {
				require.GreaterOrEqual(t, r.Wanted[name], calm.Reserves[i].Wanted[name])
				if percent := w.options.Peaks; percent != nil && *percent < 100 {
					used := base.Allocatable[name] - base.Free[name]
					most := max(reserve.Percent(base.Allocatable[name], *percent), used**percent/(100-*percent))
					require.LessOrEqual(t, r.Wanted[name], max(most, calm.Reserves[i].Wanted[name]))
				}
			}
		}
	})
}

// One namespace's absurd peak takes nothing from those that ask for less than an equal share, and who needs nothing of what
// is short is not lowered.
func TestPeaksShareFairly(t *testing.T) {
	clusters, shop := shop()
	clusters = clusters[:1] // 16 cores of which 6 are used: with 50 % the reserve may be 8 cores
	shop.Clusters = shop.Clusters[:1]
	of := func(namespace, name string, replicas, peak int64, shape fit.Shape) reserve.Workload {
		w := shop
		w.Name, w.Namespace, w.Replicas = name, namespace, replicas
		w.In = map[string]reserve.Presence{"east": {Replicas: replicas, Shape: shape}}
		w.Peaks = []reserve.Peak{{Replicas: peak, From: noon, Until: noon.Add(time.Hour)}}
		return w
	}
	thin := fit.Shape{Requests: fit.Resources{"memory": 1}}
	for _, test := range []struct {
		name      string
		workloads []reserve.Workload
		want      []int64
	}{
		{"alone", []reserve.Workload{of("bad", "a", 1, 1_000_000, core())}, []int64{8}},
		{"the small one first", []reserve.Workload{of("bad", "a", 1, 1_000_000, core()), of("good", "b", 1, 3, core())}, []int64{6, 2}},
		{"no more for more workloads", []reserve.Workload{
			of("bad", "a", 1, 1_000_000, core()), of("bad", "b", 1, 1_000_000, core()), of("bad", "c", 1, 1_000_000, core()), of("good", "d", 1, 5, core()),
		}, []int64{1, 1, 1, 4}},
		{"nor for one workload of a namespace", []reserve.Workload{of("shop", "a", 1, 1_000_000, core()), of("shop", "b", 1, 3, core())}, []int64{6, 2}},
		{"equally", []reserve.Workload{of("x", "a", 1, 30, core()), of("y", "b", 1, 3000, core())}, []int64{4, 4}},
		{"nothing of what is short", []reserve.Workload{of("bad", "a", 1, 1_000_000, fit.Shape{Requests: fit.Resources{"cpu": 1000}}), of("good", "b", 1, 9, thin)}, []int64{8, 8}},
	} {
		p, err := reserve.Decide(clusters, test.workloads, reserve.Options{Peaks: new(int64(50))}, noon)
		require.NoError(t, err)
		var got []int64
		for _, s := range p.Surges {
			got = append(got, s.Next["east"])
		}
		require.Equal(t, test.want, got, test.name)
	}
}

// Whoever's namespace asks for no more than an equal share of everything gets all, and the order of the workloads does not
// matter.
func TestPeaksShareFairlyAnyhow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWorld(t)
		w.options.Peaks = new(rapid.Int64Range(0, 99).Draw(t, "limit"))
		for i := range w.clusters {
			w.clusters[i].Quota = nil
		}
		quiet := slices.Clone(w.workloads)
		for i := range quiet {
			w.workloads[i].Namespace = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "namespace")
			quiet[i].Peaks = nil
		}
		decide := func(workloads []reserve.Workload, peaks *int64) map[string]reserve.Surge {
			o := w.options
			o.Peaks = peaks
			p, err := reserve.Decide(w.clusters, workloads, o, noon)
			require.NoError(t, err)
			out := map[string]reserve.Surge{}
			for _, s := range p.Surges {
				out[s.Workload] = s
			}
			return out
		}
		calm, free, limited := decide(quiet, nil), decide(w.workloads, nil), decide(w.workloads, w.options.Peaks)
		shuffled := decide(rapid.Permutation(w.workloads).Draw(t, "order"), w.options.Peaks)
		for name, s := range limited {
			require.Equal(t, s.Next, shuffled[name].Next)
		}
		for _, c := range w.clusters {
			base, kept, asks := reserve.BaseOf(c.Nodes), fit.Resources{}, map[string]fit.Resources{}
			for _, l := range w.workloads {
				requests := l.In[c.Name].Shape.Requests
				kept = kept.Add(requests.Times(calm[l.Name].Next[c.Name]))
				asks[l.Namespace] = fit.Resources{}.Add(asks[l.Namespace]).Add(requests.Times(free[l.Name].Next[c.Name] - calm[l.Name].Next[c.Name]))
			}
			got, leaves := fit.Resources{}, fit.Resources{}
			for _, name := range []string{"cpu", "memory"} {
				used := base.Allocatable[name] - base.Free[name]
				leaves[name] = max(0, max(reserve.Percent(base.Allocatable[name], *w.options.Peaks), used**w.options.Peaks/(100-*w.options.Peaks))-kept[name])
			}
			for _, l := range w.workloads {
				extra := limited[l.Name].Next[c.Name] - calm[l.Name].Next[c.Name]
				got = got.Add(l.In[c.Name].Shape.Requests.Times(extra))
				modest := true
				for name, most := range leaves {
					askers := 0
					for _, ask := range asks {
						if ask[name] > 0 {
							askers++
						}
					}
					modest = modest && asks[l.Namespace][name] <= most/int64(max(askers, 1))
				}
				if modest {
					require.Equal(t, free[l.Name].Next[c.Name], limited[l.Name].Next[c.Name])
				}
			}
			for name, most := range leaves {
				require.LessOrEqual(t, got[name], most, name)
			}
		}
	})
}
