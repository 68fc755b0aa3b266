// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"cmp"
	"slices"
)

// percents are the shares of numbers in their sum, in whole percents that add up to 100 (0 if the sum is): each gets what
// it is owed rounded down, and those with the largest remainders one more; of equal ones the larger, then the first.
func percents(numbers []int64) []int32 {
	out, order := make([]int32, len(numbers)), make([]int, len(numbers))
	var sum int64
	for i, n := range numbers {
		sum += n
		order[i] = i
	}
	if sum == 0 {
		return out
	}
	left := int64(100)
	for i, n := range numbers {
		out[i] = int32(100 * n / sum)
		left -= int64(out[i])
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(100*numbers[b]%sum, 100*numbers[a]%sum), cmp.Compare(numbers[b], numbers[a]))
	})
	for _, i := range order[:left] {
		out[i]++
	}
	return out
}
