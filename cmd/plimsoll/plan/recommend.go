// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"math"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
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

// recommend takes, of the policies that are good enough, the one with the fewest replica-hours, and the simplest of
// equals; if none is, the one that leaves the least demand unserved. Fixed and impossible policies are for comparison only.
func recommend(r Result) Recommendation {
	plain := r.Policies[0]
	best := plain
	for _, o := range r.Policies[1:] {
		if o.Name != FixedMaximum && o.Name != Oracle && better(o, best) {
			best = o
		}
	}
	reason := reasonFor(best, plain)
	if fixed := r.Policies[len(r.Policies)-2]; best.ReplicaHours >= fixed.ReplicaHours {
		reason += fmt.Sprintf(" Scaling saves nothing here: %s all the time, which the peak turned out to need, would be %s replica-hours.",
			human.Things(int(fixed.PeakReplicas), "replica"), change(fixed.ReplicaHours, best.ReplicaHours))
	}
	return Recommendation{best.Name, reason}
}

func reasonFor(best, plain Outcome) string {
	switch {
	case best.Name == PlainHPA && plain.goodEnough():
		return fmt.Sprintf("Keep the HPA as it is: it leaves %s of the demand unserved, and no other policy does as well with fewer replica-hours.", percent(plain.UnservedShare))
	case best.Name == PlainHPA:
		return fmt.Sprintf("Keep the HPA as it is: it leaves %s of the demand unserved, and nothing here does better; look at its target, its maximum and the start-up time.", percent(plain.UnservedShare))
	}
	return fmt.Sprintf("Use %s: it leaves %s of the demand unserved where the HPA alone leaves %s (short for %s instead of %s), for %s replica-hours.",
		best.Name, percent(best.UnservedShare), percent(plain.UnservedShare), minutes(best.ShortMinutes), minutes(plain.ShortMinutes), change(best.ReplicaHours, plain.ReplicaHours))
}

// A later policy of the list must be that much better than an earlier, simpler one: in replica-hours where both are
// good enough, in unserved demand where neither is.
const worthwhile = 0.95

func better(a, b Outcome) bool {
	okA, okB := a.goodEnough(), b.goodEnough()
	if okA != okB {
		return okA
	}
	cheaper, dearer := a.ReplicaHours < b.ReplicaHours*worthwhile, a.ReplicaHours > b.ReplicaHours
	if okA {
		return cheaper || !dearer && a.ShortMinutes < b.ShortMinutes*worthwhile
	}
	return a.UnservedShare < b.UnservedShare*worthwhile || a.UnservedShare <= b.UnservedShare && cheaper
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
