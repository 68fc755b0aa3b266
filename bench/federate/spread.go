// SPDX-License-Identifier: Apache-2.0

package federate

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// spread gives each of the scales so many of the members, by their numbers: different ones, and each member as many scales
// as another, or one more. Who meets whom is by chance, and the same every time.
func spread(scales, members, perScale int) [][]int {
	const seed = 1
	chance := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // no secret depends on it
	order, load := make([]int, members), make([]int, members)
	for i := range order {
		order[i] = i
	}
	all := make([][]int, scales)
	for i := range all {
		chance.Shuffle(members, func(a, b int) { order[a], order[b] = order[b], order[a] })
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(load[a], load[b]) })
		all[i] = slices.Sorted(slices.Values(order[:perScale]))
		for _, member := range all[i] {
			load[member]++
		}
	}
	return all
}

// timesOf are the percentiles of durations in seconds.
func timesOf(seconds []float64) Times {
	if len(seconds) == 0 {
		return Times{}
	}
	sorted := slices.Sorted(slices.Values(seconds))
	return Times{P50Seconds: sorted[len(sorted)/2], P99Seconds: sorted[len(sorted)*99/100], MaxSeconds: sorted[len(sorted)-1]}
}
