// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"container/heap"
	"math/bits"
)

// seat is a cluster while seats are given.
type seat struct {
	name               string
	tie                uint64
	weight             uint64 // 1 to MaxReplicas
	least, most, seats int64
}

// before reports whether a has the better claim to the next seat: the larger weight / (2 x seats + 1), compared
// crosswise in 128 bits; then fewer seats, then the tie's order, then the name.
func before(a, b seat) bool {
	ah, al := bits.Mul64(a.weight, uint64(2*b.seats+1))
	bh, bl := bits.Mul64(b.weight, uint64(2*a.seats+1))
	switch {
	case ah != bh:
		return ah > bh
	case al != bl:
		return al > bl
	case a.seats != b.seats:
		return a.seats < b.seats
	case a.tie != b.tie:
		return a.tie < b.tie
	}
	return a.name < b.name
}

// give gives n seats in the sequence's order and returns how many nobody takes. Those that are surely among the n are
// given in one step, at most one for each cluster is left to be given singly: for a threshold x, all seats with
// weight / (2 x seats + 1) > heaviest / x come before all others in the sequence, and x + 1 adds at most one per cluster.
func give(all []seat, n int64) int64 {
	if len(all) == 0 || n == 0 {
		return n
	}
	var heaviest, lightest uint64 = 0, MaxReplicas
	for _, s := range all {
		heaviest, lightest = max(heaviest, s.weight), min(lightest, s.weight)
	}
	var most int64
	for _, s := range all {
		most = max(most, s.seats)
	}
	low, high := uint64(0), (2*uint64(most+n)+2)*(heaviest/lightest+1)
	for low < high { // the largest x that gives no more than n
		x := low + (high-low+1)/2
		if sure(all, x, heaviest, n) <= n {
			low = x
		} else {
			high = x - 1
		}
	}
	for i, s := range all {
		reached := s.reached(low, heaviest, n)
		n -= reached - s.seats
		all[i].seats = reached
	}
	return single(all, n)
}

// sure is how many seats come before the threshold x, at most a little more than n.
func sure(all []seat, x, heaviest uint64, n int64) int64 {
	var sum int64
	for _, s := range all {
		if sum += s.reached(x, heaviest, n) - s.seats; sum > n {
			break
		}
	}
	return sum
}

// reached is how many seats the cluster has once all before the threshold x are given: the smallest number of seats with
// weight / (2 x seats + 1) <= heaviest / x, no fewer than it has, and no more than n + 1 besides and than its limit.
func (s seat) reached(x, heaviest uint64, n int64) int64 {
	high, low := bits.Mul64(s.weight, x)
	odd, rest := bits.Div64(high, low, heaviest) // weight <= heaviest, so that it fits
	if rest > 0 {
		odd++
	}
	seats := int64(min(odd/2, uint64(s.seats+n+1))) // 2 x seats + 1 >= odd
	return max(s.seats, min(seats, s.most))
}

// single gives n seats one by one and returns how many nobody takes.
func single(all []seat, n int64) int64 {
	queue := &claims{}
	for i := range all {
		if all[i].seats < all[i].most {
			*queue = append(*queue, &all[i])
		}
	}
	heap.Init(queue)
	for ; n > 0 && queue.Len() > 0; n-- {
		first := (*queue)[0]
		if first.seats++; first.seats < first.most {
			heap.Fix(queue, 0)
		} else {
			heap.Pop(queue)
		}
	}
	return n
}

// claims has the best claim to the next seat on top.
type claims []*seat

func (c claims) Len() int           { return len(c) }
func (c claims) Less(i, j int) bool { return before(*c[i], *c[j]) }
func (c claims) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }

// Push is heap's.
func (c *claims) Push(x any) { *c = append(*c, x.(*seat)) }

// Pop is heap's.
func (c *claims) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}
