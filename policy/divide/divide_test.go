// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
)

func most(n int64) *int64 { return &n }

func TestDivide(t *testing.T) {
	three := func(a, b, c int64) []divide.Cluster {
		return []divide.Cluster{{Name: "a", Weight: a, Min: 1}, {Name: "b", Weight: b, Min: 1}, {Name: "c", Weight: c, Min: 1}}
	}
	for _, test := range []struct {
		name             string
		replicas         int64
		clusters         []divide.Cluster
		seats            []int64 // of a, b, c
		raised, unplaced int64
	}{
		{"in proportion", 60, three(10, 20, 30), []int64{10, 20, 30}, 0, 0},
		{"two to one keeps one each", 2, three(2, 1, 0)[:2], []int64{1, 1}, 0, 0},
		{"the minimums need more", 1, three(5, 5, 5), []int64{1, 1, 1}, 2, 0},
		{"switched off", 0, three(5, 5, 5), []int64{0, 0, 0}, 0, 0},
		{"nobody to take them", 7, nil, nil, 0, 7},
		{"no weights are equal weights", 7, three(0, 0, -5), []int64{3, 2, 2}, 0, 0},
		{"without a weight only what the others do not take", 12, []divide.Cluster{
			{Name: "a", Weight: 5, Max: most(4)}, {Name: "b", Weight: 1, Max: most(3)}, {Name: "c"},
		}, []int64{4, 3, 5}, 0, 0},
		{"a full cluster's seats go on", 30, []divide.Cluster{
			{Name: "a", Weight: 10, Min: 1, Max: most(2)}, {Name: "b", Weight: 10, Min: 1}, {Name: "c", Weight: 10, Min: 1},
		}, []int64{2, 14, 14}, 0, 0},
		{"all full", 30, []divide.Cluster{
			{Name: "a", Weight: 10, Min: 1, Max: most(2)}, {Name: "b", Weight: 10, Min: 9, Max: most(3)}, {Name: "c", Weight: 1, Max: most(-1)},
		}, []int64{2, 3, 0}, 0, 25},
		{"the largest numbers", divide.MaxReplicas, []divide.Cluster{
			{Name: "a", Weight: math.MaxInt64, Min: math.MinInt64}, {Name: "b", Weight: 1, Max: most(math.MaxInt64)}, {Name: "c", Max: most(math.MinInt64)},
		}, []int64{divide.MaxReplicas - 1, 1, 0}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := divide.Divide(test.replicas, test.clusters, "")
			require.NoError(t, err)
			for i, seats := range test.seats {
				require.Equal(t, seats, got.Seats[string(rune('a'+i))], "%v", got.Seats)
			}
			require.Equal(t, test.raised, got.Raised)
			require.Equal(t, test.unplaced, got.Unplaced)
			require.Equal(t, test.replicas+test.raised-test.unplaced, got.Total())
		})
	}
}

func TestDivideRefuses(t *testing.T) {
	_, err := divide.Divide(-1, nil, "")
	require.ErrorContains(t, err, "-1 replicas cannot be divided")
	_, err = divide.Divide(divide.MaxReplicas+1, nil, "")
	require.ErrorContains(t, err, "state a number from 0 to 2147483647")
	_, err = divide.Divide(1, []divide.Cluster{{Name: "a"}, {Name: "a"}}, "")
	require.ErrorContains(t, err, `cluster "a" is named twice`)
}

// The odd replica of many workloads does not always go to the same cluster.
func TestSaltSpreadsTies(t *testing.T) {
	first := map[string]int{}
	for i := range 300 {
		d, err := divide.Divide(1, []divide.Cluster{{Name: "a", Weight: 1}, {Name: "b", Weight: 1}, {Name: "c", Weight: 1}}, fmt.Sprint("shop/", i))
		require.NoError(t, err)
		for name, seats := range d.Seats {
			first[name] += int(seats)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		require.Greater(t, first[name], 60)
	}
}

// plain is the definition: seat by seat, the largest quotient in exact fractions.
func plain(replicas int64, clusters []divide.Cluster) map[string]int64 {
	seats, sum := map[string]int64{}, int64(0)
	limit := func(c divide.Cluster) int64 {
		if c.Max == nil {
			return math.MaxInt64
		}
		return max(*c.Max, 0)
	}
	for _, c := range clusters {
		seats[c.Name] = 0
		if replicas > 0 {
			seats[c.Name] = min(max(c.Min, 0), limit(c))
		}
		sum += seats[c.Name]
	}
	for ; sum < replicas; sum++ {
		best, claim := "", new(big.Rat)
		for _, c := range clusters {
			if seats[c.Name] >= limit(c) {
				continue
			}
			q := big.NewRat(max(c.Weight, 0), 2*seats[c.Name]+1)
			better := q.Cmp(claim)
			if better == 0 && best != "" {
				better = int(seats[best] - seats[c.Name])
			}
			if best == "" || better > 0 || better == 0 && c.Name < best {
				best, claim = c.Name, q
			}
		}
		if best == "" {
			return seats
		}
		seats[best]++
	}
	return seats
}

func clusters(t *rapid.T) []divide.Cluster {
	out := make([]divide.Cluster, rapid.IntRange(1, 9).Draw(t, "clusters"))
	heaviest := rapid.SampledFrom([]int64{3, 100, 5000, math.MaxInt32}).Draw(t, "heaviest")
	for i := range out {
		out[i] = divide.Cluster{
			Name: fmt.Sprintf("c%d", i), Weight: rapid.Int64Range(0, heaviest).Draw(t, "weight"), Min: rapid.SampledFrom([]int64{1, 1, 1, 0, 2, 7}).Draw(t, "min"),
		}
		if rapid.IntRange(0, 2).Draw(t, "capped") == 0 {
			out[i].Max = most(rapid.Int64Range(0, 60).Draw(t, "max"))
		}
	}
	return out
}

func divided(t require.TestingT, replicas int64, clusters []divide.Cluster, salt string) divide.Division {
	d, err := divide.Divide(replicas, clusters, salt)
	require.NoError(t, err)
	return d
}

// The division equals the plain algorithm's, whatever the order of the clusters.
func TestEqualsThePlainAlgorithm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, replicas := clusters(t), rapid.Int64Range(0, 400).Draw(t, "replicas")
		want := plain(replicas, clusters)
		require.Equal(t, want, divided(t, replicas, rapid.Permutation(clusters).Draw(t, "order"), "").Seats)
	})
}

// Minimums and limits hold, and the total is exact: what is above it the minimums need, what is missing nobody takes.
func TestTotalsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, replicas, salt := clusters(t), rapid.Int64Range(1, 100000).Draw(t, "replicas"), rapid.String().Draw(t, "salt")
		d := divided(t, replicas, clusters, salt)
		require.Equal(t, d.Seats, divided(t, replicas, rapid.Permutation(clusters).Draw(t, "order"), salt).Seats)
		least, room := int64(0), int64(0)
		for _, c := range clusters {
			limit := int64(divide.MaxReplicas)
			if c.Max != nil {
				limit = *c.Max
			}
			require.GreaterOrEqual(t, d.Seats[c.Name], min(c.Min, limit))
			require.LessOrEqual(t, d.Seats[c.Name], limit)
			least, room = least+min(c.Min, limit), room+limit
		}
		require.Equal(t, min(max(replicas, least), room), d.Total())
		require.Equal(t, max(least-replicas, 0), d.Raised)
		require.Equal(t, max(replicas-room, 0), d.Unplaced)
	})
}

// One replica more gives exactly one seat more, and takes none; so down is the mirror image of up: the last seat goes.
func TestUpAndDownAreMirrorImages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, salt := clusters(t), rapid.StringN(0, 3, -1).Draw(t, "salt")
		from := rapid.Int64Range(1, 5000).Draw(t, "from")
		var given []string // the sequence upwards
		before := divided(t, from, clusters, salt)
		for n := from + 1; n <= from+20; n++ {
			after, moved := divided(t, n, clusters, salt), ""
			for name, seats := range after.Seats {
				require.GreaterOrEqual(t, seats, before.Seats[name])
				if seats > before.Seats[name] {
					require.Empty(t, moved)
					require.Equal(t, before.Seats[name]+1, seats)
					moved = name
				}
			}
			require.Equal(t, after.Raised > 0 || before.Raised > 0 || after.Unplaced > 0, moved == "")
			given, before = append(given, moved), after
		}
		for n := from + 19; n >= from; n-- { // and down again
			after := divided(t, n, clusters, salt)
			if last := given[n-from]; last != "" {
				before.Seats[last]--
			}
			require.Equal(t, before.Seats, after.Seats)
			before = after
		}
	})
}

// When clusters fail the others only gain, and what moves is what the failed had; with them back, the old division is.
func TestSurvivorsOnlyGain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, replicas, salt := clusters(t), rapid.Int64Range(1, 3000).Draw(t, "replicas"), rapid.StringN(0, 3, -1).Draw(t, "salt")
		before, without := divided(t, replicas, clusters, salt), slices.Clone(clusters)
		failed := rapid.SliceOfDistinct(rapid.IntRange(0, len(clusters)-1), rapid.ID[int]).Draw(t, "failed")
		lost := int64(0)
		for _, i := range failed {
			without[i].Max, lost = most(0), lost+before.Seats[clusters[i].Name]
		}
		after, gained := divided(t, replicas, without, salt), int64(0)
		for i, c := range clusters {
			if slices.Contains(failed, i) {
				require.Zero(t, after.Seats[c.Name])
				continue
			}
			require.GreaterOrEqual(t, after.Seats[c.Name], before.Seats[c.Name])
			gained += after.Seats[c.Name] - before.Seats[c.Name]
		}
		require.LessOrEqual(t, gained, lost)
		if before.Raised == 0 {
			require.Equal(t, lost, gained+after.Unplaced-before.Unplaced)
		}
		require.Equal(t, before, divided(t, replicas, clusters, salt))
	})
}

// More weight or a higher limit never costs a cluster seats.
func TestMoreWeightNeverCosts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters, replicas := clusters(t), rapid.Int64Range(1, 3000).Draw(t, "replicas")
		i := rapid.IntRange(0, len(clusters)-1).Draw(t, "which")
		before := divided(t, replicas, clusters, "")
		clusters[i].Weight += rapid.Int64Range(0, 1000).Draw(t, "more")
		if clusters[i].Max != nil {
			*clusters[i].Max += rapid.Int64Range(0, 10).Draw(t, "room")
		}
		require.GreaterOrEqual(t, divided(t, replicas, clusters, "").Seats[clusters[i].Name], before.Seats[clusters[i].Name])
	})
}

// 100 clusters x 100,000 replicas; and the largest numbers there are.
func BenchmarkDivide(b *testing.B) {
	for _, replicas := range []int64{100_000, divide.MaxReplicas} {
		many := make([]divide.Cluster, 100)
		for i := range many {
			many[i] = divide.Cluster{Name: fmt.Sprintf("cluster-%d", i), Weight: int64(500 + i*i%977*13), Min: 1}
			if i%10 == 0 {
				many[i].Max = most(200)
			}
		}
		b.Run(fmt.Sprint(replicas), func(b *testing.B) {
			for b.Loop() {
				if _, err := divide.Divide(replicas, many, "shop"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
