// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"math"
)

// Recommendation is one policy and why.
type Recommendation struct {
	Policy string `json:"policy"`
	Reason string `json:"reason"`
}

// What is good enough: at most 0.1 % of the demand unserved, and none unserved in 99 % of the time.
const (
	tolerable      = 0.001
	tolerableShort = 0.01
)

func (o Outcome) goodEnough() bool {
	return o.UnservedShare <= tolerable && o.TimeShort <= tolerableShort
}

// recommend takes, of the policies that are good enough, the one with the fewest replica-hours; if none is, the one
// that leaves the least demand unserved. Fixed and impossible policies are for comparison only.
func recommend(r Result) Recommendation {
	plain := r.Policies[0]
	best := plain
	for _, o := range r.Policies[1:] {
		if o.Name != FixedMaximum && o.Name != Oracle && better(o, best) {
			best = o
		}
	}
	fixed := r.Policies[len(r.Policies)-2]
	switch {
	case best.Name == PlainHPA && plain.goodEnough():
		return Recommendation{PlainHPA, fmt.Sprintf("Keep the HPA as it is: it leaves %s of the demand unserved, and no other policy does as well with fewer replica-hours.", percent(plain.UnservedShare))}
	case best.Name == PlainHPA:
		return Recommendation{PlainHPA, fmt.Sprintf("Keep the HPA as it is: it leaves %s of the demand unserved, and nothing here does better; look at its target, its maximum and the start-up time.", percent(plain.UnservedShare))}
	case best.ReplicaHours >= fixed.ReplicaHours:
		return Recommendation{FixedMaximum, fmt.Sprintf("Run %d replicas all the time: what serves the demand otherwise (%s) needs more replica-hours than that.", fixed.PeakReplicas, best.Name)}
	}
	return Recommendation{best.Name, fmt.Sprintf("Use %s: it leaves %s of the demand unserved where the HPA alone leaves %s (%.0f short minutes instead of %.0f), for %s replica-hours.",
		best.Name, percent(best.UnservedShare), percent(plain.UnservedShare), best.ShortMinutes, plain.ShortMinutes, change(best.ReplicaHours, plain.ReplicaHours))}
}

func better(a, b Outcome) bool {
	okA, okB := a.goodEnough(), b.goodEnough()
	if okA != okB {
		return okA
	}
	if okA {
		return a.ReplicaHours < b.ReplicaHours
	}
	return a.UnservedShare < b.UnservedShare
}

func percent(share float64) string {
	switch {
	case share == 0:
		return "nothing"
	case share < 0.00001:
		return "less than 0.001 %"
	}
	return fmt.Sprintf("%.3f %%", share*100)
}

// change says how a compares to b.
func change(a, b float64) string {
	if b == 0 {
		return "any number of"
	}
	ratio := math.Round((a/b - 1) * 100)
	switch {
	case ratio == 0:
		return "as many"
	case ratio > 0:
		return fmt.Sprintf("%.0f %% more", ratio)
	}
	return fmt.Sprintf("%.0f %% fewer", -ratio)
}
