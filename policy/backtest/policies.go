// SPDX-License-Identifier: Apache-2.0

package backtest

import "math"

// Needs is the mean capacity per mean demand that each policy needs for the same unserved demand. The capacity is a
// real number here: replicas are not rounded, so that the figure holds for large and small workloads.
type Needs struct {
	// Reactive: the HPA alone, with a margin. WeekAgo: the greater of the HPA's and last week's maximum around this
	// time, with a margin. Forecast: the greater of the HPA's and the forecast's bound, with a margin.
	Reactive, WeekAgo, Forecast float64
}

// EqualUnserved gives every policy the one margin (a factor, found with hindsight, so no policy gains by a better
// guess) with which it leaves the given share of the demand unserved, and says how much capacity that takes. A
// policy that no margin up to a million makes good enough gets the capacity of that margin.
func EqualUnserved(outcomes []Outcome, share float64) Needs {
	demand := 0.0
	for _, o := range outcomes {
		demand += max(0, o.Actual)
	}
	need := func(capacity func(Outcome) float64) float64 {
		return capacityFor(outcomes, demand, share, capacity)
	}
	return Needs{
		Reactive: need(func(o Outcome) float64 { return o.Reactive }),
		WeekAgo:  need(func(o Outcome) float64 { return max(o.Reactive, o.WeekAgo) }),
		Forecast: need(func(o Outcome) float64 { return max(o.Reactive, o.Upper) }),
	}
}

// capacityFor finds the least factor by bisection: unserved demand falls as the factor grows.
func capacityFor(outcomes []Outcome, demand, share float64, capacity func(Outcome) float64) float64 {
	if demand <= 0 {
		return 0
	}
	unserved := func(factor float64) float64 {
		sum := 0.0
		for _, o := range outcomes {
			sum += max(0, o.Actual-factor*max(0, capacity(o)))
		}
		return sum / demand
	}
	low, high := 0.0, 1.0
	for unserved(high) > share && high < 1e6 {
		low, high = high, 2*high
	}
	for range 50 {
		middle := (low + high) / 2
		if unserved(middle) > share {
			low = middle
		} else {
			high = middle
		}
	}
	total := 0.0
	for _, o := range outcomes {
		total += high * max(0, capacity(o))
	}
	return finite(total / demand)
}

func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
