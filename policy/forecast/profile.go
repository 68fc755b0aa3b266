// SPDX-License-Identifier: Apache-2.0

package forecast

import "math"

// Gains of the profiles: how much the newest period counts. A day's profile averages over about a week, a week's
// over about the last three weeks with the newest counting most, so that it follows a changing habit and still
// forgets a holiday, an hour's over about the last four hours. Values from 0.1 to 0.4 (day), 0.3 to 0.6 (week) and 0.2
// to 0.5 (hour) differ by less than 2 % in error.
const (
	dayGain  = 0.2
	weekGain = 0.4
	hourGain = 0.3
)

// profile holds the usual value of every step of a period, as an exponentially weighted mean over the periods.
type profile struct {
	gain   float64
	values []float64 // NaN: not seen yet; empty: no such period
	seen   int64     // steps learned, to weigh the first periods evenly
	// residual is the newest value minus the usual one before it was learned; NaN: unknown.
	residual float64
}

func newProfile(period int, gain float64) profile {
	p := profile{gain: gain, values: make([]float64, period), residual: math.NaN()}
	for i := range p.values {
		p.values[i] = math.NaN()
	}
	return p
}

// usual is the value of the step `index` by the profile alone; NaN: unknown.
func (p *profile) usual(index int64) float64 {
	if len(p.values) == 0 {
		return math.NaN()
	}
	return p.values[slot(index, len(p.values))]
}

// learn takes the value of the step `index`.
func (p *profile) learn(index int64, value float64) {
	if len(p.values) == 0 {
		return
	}
	i := slot(index, len(p.values))
	p.seen++
	p.residual = value - p.values[i]
	if math.IsNaN(p.values[i]) {
		p.values[i] = value
		return
	}
	periods := float64((p.seen-1)/int64(len(p.values)) + 1)
	p.values[i] += max(p.gain, 1/periods) * p.residual
}

// guess notes a step without a value to learn from: the residual is taken against an estimate of the value.
func (p *profile) guess(index int64, estimate float64) {
	p.residual = estimate - p.usual(index)
}

// persistence estimates how much of a residual is left after a lead time: the lagged autocorrelation of the
// residuals, that is the AR(1) part of "profile + AR(1)", estimated at the lead itself.
type persistence struct {
	product, square float64
}

// memory of the estimate: about 500 outcomes.
const persistenceDecay = 0.998

func (p *persistence) learn(before, after float64) {
	if math.IsNaN(before) || math.IsNaN(after) {
		return
	}
	p.product = persistenceDecay*p.product + before*after
	p.square = persistenceDecay*p.square + before*before
}

// share is between 0 (the residual tells nothing) and 1 (it stays).
func (p *persistence) share() float64 {
	if p.square <= 0 {
		return 0
	}
	return max(0, min(1, p.product/p.square))
}
