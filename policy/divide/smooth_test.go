// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
)

func TestWeight(t *testing.T) {
	room := func(cores ...int64) []fit.Node {
		out := make([]fit.Node, len(cores))
		for i, n := range cores {
			out[i] = fit.Node{Free: fit.Resources{"cpu": n}, Pods: 110}
		}
		return out
	}
	shape := fit.Shape{Requests: fit.Resources{"cpu": 1000}}
	for _, test := range []struct {
		name     string
		capacity divide.Capacity
		want     int64
		limit    *int64
	}{
		{"nothing", divide.Capacity{}, 0, nil},
		{"by node, not by sum", divide.Capacity{Nodes: room(1900, 1900, 900), Shape: shape}, 2, nil},
		{"and its own", divide.Capacity{Nodes: room(1900, 1900, 900), Shape: shape, Own: 7}, 9, nil},
		{"what is promised to others is not free", divide.Capacity{Nodes: room(9000), Shape: shape, Own: 7, Promised: 4}, 12, nil},
		{"more promised than free leaves its own", divide.Capacity{Nodes: room(2000), Shape: shape, Own: 7, Promised: 4}, 7, nil},
		{"new nodes at a discount", divide.Capacity{Nodes: room(2000), Shape: shape, Expandable: 21, ExpandablePercent: 50}, 12, nil},
		{"the quota caps it", divide.Capacity{Nodes: room(9000), Shape: shape, Own: 7, Expandable: 30, ExpandablePercent: 50, Quota: most(3)}, 10, most(10)},
		{"a quota that is used up", divide.Capacity{Nodes: room(9000), Shape: shape, Own: 7, Quota: most(-3)}, 7, most(7)},
		{"numbers without sense", divide.Capacity{Nodes: room(math.MaxInt64), Own: math.MinInt64, Promised: math.MaxInt64, Expandable: math.MaxInt64, ExpandablePercent: math.MaxInt64, Quota: most(math.MaxInt64)},
			math.MaxInt32, most(math.MaxInt32)},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, test.capacity.Weight())
			require.Equal(t, test.limit, test.capacity.Limit())
		})
	}
}

func twoClusters() []divide.Cluster {
	return []divide.Cluster{{Name: "a", Min: 1}, {Name: "b", Min: 1}}
}

func TestWeights(t *testing.T) {
	s := divide.DefaultSmoothing()
	start, why := divide.Weights{}.Next(divide.Capacities{Replicas: 60, Clusters: twoClusters(), Measured: map[string]int64{"a": 50, "b": 50}}, s, noon)
	require.Empty(t, why)
	require.Equal(t, map[string]int64{"a": 50, "b": 50}, start.Frozen, "the first is taken at once")

	shifted := divide.Capacities{Replicas: 60, Clusters: twoClusters(), Measured: map[string]int64{"a": 100, "b": 50}}
	later := noon.Add(9 * time.Minute)
	w, why := start.Next(shifted, s, later)
	require.Empty(t, why, "not within the window")
	require.Equal(t, start.Frozen, w.Frozen)
	again, _ := w.Next(shifted, s, later)
	require.Equal(t, w, again, "the same time again changes nothing")
	w, why = w.Next(shifted, s, noon.Add(10*time.Minute))
	require.Contains(t, why, "cluster a should have 3")
	require.Greater(t, w.Frozen["a"], int64(80))
	require.Less(t, w.Frozen["a"], int64(84))
	require.Equal(t, noon.Add(10*time.Minute), w.Replaced)
	once, _ := start.Next(shifted, s, noon.Add(10*time.Minute))
	require.Equal(t, w, once, "a missed minute changes nothing")

	shifted.Hold = true
	held, why := start.Next(shifted, s, noon.Add(time.Hour))
	require.Empty(t, why)
	require.Equal(t, start.Frozen, held.Frozen)
	require.Equal(t, start.Smooth, held.Smooth)

	silent, why := start.Next(divide.Capacities{Replicas: 60, Clusters: twoClusters(), Measured: map[string]int64{"a": 50}}, s, noon.Add(time.Hour))
	require.Empty(t, why)
	require.Equal(t, start.Frozen, silent.Frozen, "one that does not answer keeps its weight")
	gone, _ := start.Next(divide.Capacities{Replicas: 60, Clusters: twoClusters()[:1], Measured: map[string]int64{"a": 50}}, s, noon.Add(time.Minute))
	require.Equal(t, map[string]int64{"a": 50}, gone.Frozen)
	joined, _ := start.Next(divide.Capacities{Replicas: 60, Clusters: append(twoClusters(), divide.Cluster{Name: "c"}, divide.Cluster{Name: "d"}), Measured: map[string]int64{"c": -7}}, s, noon.Add(time.Minute))
	require.Equal(t, map[string]int64{"a": 50, "b": 50, "c": 0}, joined.Frozen)
	back, _ := w.Next(shifted, s, noon.Add(-time.Hour))
	require.Equal(t, w.Frozen, back.Frozen, "a clock that goes back changes nothing")
}

// Noise moves hardly anything; a real shift is followed.
// A cluster whose nodes were not there yet when it was first measured does not wait until the next replacement.
func TestWeightOfAClusterThatWasEmpty(t *testing.T) {
	s := divide.DefaultSmoothing()
	next := func(w divide.Weights, b int64, hold bool, at time.Time) divide.Weights {
		w, _ = w.Next(divide.Capacities{Replicas: 60, Clusters: twoClusters(), Measured: map[string]int64{"a": 50, "b": b}, Hold: hold}, s, at)
		return w
	}
	first := next(divide.Weights{}, 0, false, noon)
	require.Equal(t, map[string]int64{"a": 50, "b": 0}, first.Frozen)
	require.Equal(t, first.Frozen, next(first, 40, true, noon.Add(time.Minute)).Frozen, "nothing moves while weights are held")
	came := next(first, 40, false, noon.Add(time.Minute))
	require.Equal(t, map[string]int64{"a": 50, "b": 40}, came.Frozen)
	require.Equal(t, int64(40000), came.Smooth["b"])
	gone := next(came, 0, false, noon.Add(2*time.Minute))
	require.Equal(t, int64(40), gone.Frozen["b"], "the way down is slow")
}

func TestNoiseDoesNotMoveReplicas(t *testing.T) {
	const replicas, minutes = 60, 4000
	random := rand.New(rand.NewPCG(1, 2))
	everyTime, smoothed := int64(0), int64(0)
	names := []divide.Cluster{{Name: "a", Min: 1}, {Name: "b", Min: 1}, {Name: "c", Min: 1}, {Name: "d", Min: 1}}
	capacity := map[string]int64{"a": 400, "b": 300, "c": 200, "d": 100}
	var w divide.Weights
	var before, beforeEvery map[string]int64
	for minute := range minutes {
		measured := map[string]int64{}
		for _, c := range names {
			measured[c.Name] = int64(float64(capacity[c.Name]) * math.Exp(0.1*random.NormFloat64()))
		}
		w, _ = w.Next(divide.Capacities{Replicas: replicas, Clusters: names, Measured: measured}, divide.DefaultSmoothing(), noon.Add(time.Duration(minute)*time.Minute))
		every, now := weighed(t, replicas, names, measured), weighed(t, replicas, names, w.Frozen)
		everyTime, smoothed = everyTime+moves(beforeEvery, every), smoothed+moves(before, now)
		before, beforeEvery = now, every
	}
	t.Logf("replicas moved in %d minutes of 10 %% noise: %d with new weights each minute, %d with these", minutes, everyTime, smoothed)
	require.Less(t, smoothed*50, everyTime)

	capacity["d"] = 400
	for minute := minutes; minute < minutes+60; minute++ {
		w, _ = w.Next(divide.Capacities{Replicas: replicas, Clusters: names, Measured: capacity}, divide.DefaultSmoothing(), noon.Add(time.Duration(minute)*time.Minute))
	}
	after := weighed(t, replicas, names, w.Frozen)
	for name, seats := range weighed(t, replicas, names, capacity) {
		require.InDelta(t, seats, after[name], 1)
	}
}

func weighed(t require.TestingT, replicas int64, clusters []divide.Cluster, weights map[string]int64) map[string]int64 {
	out := make([]divide.Cluster, len(clusters))
	for i, c := range clusters {
		c.Weight = weights[c.Name]
		out[i] = c
	}
	return divided(t, replicas, out, "").Seats
}

func moves(before, after map[string]int64) int64 {
	sum := int64(0)
	for name, n := range before {
		sum += max(n-after[name], 0)
	}
	return sum
}

// Whatever is measured and whenever: called twice nothing changes, in parts the same steps are taken, held weights stay,
// and smoothed weights stay within what was measured.
func TestWeightsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters := make([]divide.Cluster, rapid.IntRange(1, 5).Draw(t, "clusters"))
		for i := range clusters {
			clusters[i] = divide.Cluster{Name: fmt.Sprint("c", i), Min: 1}
		}
		var w divide.Weights
		now, lowest, highest := noon, int64(math.MaxInt64), int64(0)
		for range rapid.IntRange(1, 8).Draw(t, "decisions") {
			measured := map[string]int64{}
			for _, c := range clusters {
				if rapid.IntRange(0, 4).Draw(t, "answers") > 0 {
					n := rapid.Int64Range(0, 500).Draw(t, "weight")
					measured[c.Name], lowest, highest = n, min(lowest, n), max(highest, n)
				}
			}
			c := divide.Capacities{Replicas: rapid.Int64Range(0, 200).Draw(t, "replicas"), Clusters: clusters, Measured: measured, Hold: rapid.IntRange(0, 3).Draw(t, "hold") == 0}
			now = now.Add(time.Duration(rapid.Int64Range(0, 1800).Draw(t, "seconds")) * time.Second)
			next, why := w.Next(c, divide.DefaultSmoothing(), now)
			again, _ := next.Next(c, divide.DefaultSmoothing(), now)
			require.Equal(t, next, again)
			for name, before := range w.Frozen {
				switch {
				case why != "":
				case before == 0 && w.Smooth[name] == 0 && measured[name] > 0 && !c.Hold: // nothing fitted into it before
					require.Equal(t, measured[name], next.Frozen[name])
				default:
					require.Equal(t, before, next.Frozen[name])
				}
			}
			require.False(t, c.Hold && why != "")
			for name := range next.Frozen {
				require.GreaterOrEqual(t, next.Frozen[name], lowest)
				require.LessOrEqual(t, next.Frozen[name], highest)
			}
			w = next
		}
	})
}
