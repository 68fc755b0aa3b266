// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math"
	"time"
)

// Accuracy says how well one lead time was forecast lately: exponentially weighted over about three days of
// outcomes (at least 300). Every number is finite.
type Accuracy struct {
	Lead time.Duration
	// Outcomes counts all outcomes so far, not only the recent ones.
	Outcomes int
	// Coverage is the share of outcomes at or under Prediction.Upper.
	Coverage float64
	// Error and ErrorReactive are sum|actual - forecast| / sum|actual| (WAPE) of the forecast and of the last value.
	Error, ErrorReactive float64
	// Shortfall and ShortfallReactive are the demand above the bound, and above the last value, as shares of the demand.
	Shortfall, ShortfallReactive float64
	// Spare is the bound above the demand, as a share of the demand.
	Spare float64
	// Members are the weights of the ensemble's members, in the order of MemberNames; they sum to 1.
	Members []float64
}

// accuracy keeps the sums behind Accuracy, all as exponentially weighted means.
type accuracy struct {
	memory               float64 // outcomes that the means reach back
	count                int
	coverage             float64
	demand               float64 // mean |actual|
	miss, missReactive   float64
	short, shortReactive float64
	spare                float64
}

func (a *accuracy) learn(p *pending, actual float64) {
	a.count++
	rate := max(1/a.memory, 1/float64(a.count))
	covered := 0.0
	if actual <= p.upper {
		covered = 1
	}
	move(&a.coverage, covered, rate)
	move(&a.demand, math.Abs(actual), rate)
	move(&a.miss, math.Abs(actual-p.forecast), rate)
	move(&a.missReactive, math.Abs(actual-p.members[lastValue]), rate)
	move(&a.short, max(0, actual-p.upper), rate)
	move(&a.shortReactive, max(0, actual-p.members[lastValue]), rate)
	move(&a.spare, max(0, p.upper-actual), rate)
}

func move(mean *float64, value, rate float64) { *mean += rate * (value - *mean) }

// Accuracy reports on every lead time, shortest first.
func (f *Forecaster) Accuracy() []Accuracy {
	out := make([]Accuracy, len(f.leads))
	for i := range f.leads {
		l := &f.leads[i]
		a := &l.accuracy
		out[i] = Accuracy{
			Lead:              time.Duration(l.steps) * f.plan.step,
			Outcomes:          a.count,
			Coverage:          a.coverage,
			Error:             share(a.miss, a.demand),
			ErrorReactive:     share(a.missReactive, a.demand),
			Shortfall:         share(a.short, a.demand),
			ShortfallReactive: share(a.shortReactive, a.demand),
			Spare:             share(a.spare, a.demand),
			Members:           l.mixture.weights(),
		}
	}
	return out
}

// share is part/whole, and 0 for a whole of nothing.
func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return part / whole
}

// memory is the number of outcomes that accuracy reaches back: three days, at least 300.
func (p plan) memory() float64 { return max(300, 3*float64(p.day)) }
