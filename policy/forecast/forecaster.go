// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"math"
	"time"
)

// Forecaster forecasts one series. It is not safe for concurrent use. The cost of a point does not depend on how
// many came before; the memory is one week of steps and a day thrice.
type Forecaster struct {
	plan  plan
	state state
	leads []lead
	index int64 // the newest step
	begun bool
}

// Prediction is a forecast for one time.
type Prediction struct {
	// Time is the time forecast, Lead its distance from the newest point.
	Time time.Time
	Lead time.Duration
	// Value is the expected demand, Upper what it stays under with the configured quantile.
	Value, Upper float64
}

// New returns a forecaster that has seen nothing yet. The error names the setting that cannot be used.
func New(c Config) (*Forecaster, error) {
	p, err := c.compile()
	if err != nil {
		return nil, err
	}
	f := &Forecaster{plan: p, state: newState(p)}
	for _, steps := range p.leads {
		f.leads = append(f.leads, newLead(steps, p.quantile, p.memory()))
	}
	return f, nil
}

// Observe takes the next point. Steps between it and the one before are holes. A value that is NaN is a hole, too.
// A point of the same step as the newest or of an earlier one is an error and changes nothing (resample first), and
// so is a value that is infinite or beyond 1e100.
func (f *Forecaster) Observe(p Point) error {
	if !usable(p.Value) && !math.IsNaN(p.Value) {
		return fmt.Errorf("forecast: the value at %s is %v; it must be a number between -1e100 and 1e100", p.Time.UTC().Format(time.RFC3339), p.Value)
	}
	index := stepIndex(p.Time, f.plan.step)
	if f.begun && index <= f.index {
		return fmt.Errorf("forecast: the point at %s is not later than the step before (%s); give the points in order, one for each step", p.Time.UTC().Format(time.RFC3339), f.timeOf(f.index).Format(time.RFC3339))
	}
	if !f.begun {
		if math.IsNaN(p.Value) {
			return nil // a series begins with its first value
		}
		f.begun = true
		f.index = index - 1
		f.state.learned = index - 1
	}
	// after a hole longer than everything that is kept of the recent past, more of it makes no difference
	f.index = max(f.index, index-1-int64(f.forgetsAfter()))
	for f.index+1 < index {
		f.advance(f.index+1, Point{Value: math.NaN()})
	}
	f.advance(index, p)
	return nil
}

// advance moves on by one step.
func (f *Forecaster) advance(index int64, p Point) {
	s := &f.state
	// the first value is always taken: there is nothing better
	measured := !math.IsNaN(p.Value) && (!p.Censored || s.count == 0)
	if measured {
		s.learn(index, p.Value)
		for i := range f.leads {
			f.leads[i].learn(index, p.Value, s)
		}
	} else {
		s.guess(index, p.Value)
	}
	f.index = index
	for i := range f.leads {
		f.leads[i].predict(index, s, measured)
	}
}

// forgetsAfter is the number of steps after which nothing recent is left.
func (f *Forecaster) forgetsAfter() int {
	return max(len(f.state.recent), f.plan.leads[len(f.plan.leads)-1]) + 1
}

// Predictions gives the forecast for every lead time, shortest first; nothing before the first point.
func (f *Forecaster) Predictions() []Prediction {
	if !f.begun {
		return nil
	}
	out := make([]Prediction, len(f.leads))
	for i := range f.leads {
		out[i] = f.prediction(i)
	}
	return out
}

func (f *Forecaster) prediction(i int) Prediction {
	l := &f.leads[i]
	p := l.due(f.index)
	upper := p.upper
	// while values are missing, the forecast is really made from an older one: the uncertainty grows with its age
	if gap := float64(f.index - f.state.learned); gap > 0 {
		upper = p.forecast + (p.upper-p.forecast)*math.Sqrt(1+gap/float64(l.steps))
	}
	return Prediction{
		Time:  f.timeOf(f.index + int64(l.steps)),
		Lead:  time.Duration(l.steps) * f.plan.step,
		Value: p.forecast,
		Upper: upper,
	}
}

// Peak is the prediction with the greatest upper bound among the leads up to `within`: what to be ready for. False
// when there is none.
func (f *Forecaster) Peak(within time.Duration) (Prediction, bool) {
	var peak Prediction
	found := false
	for _, p := range f.Predictions() {
		if p.Lead <= within && (!found || p.Upper > peak.Upper) {
			peak, found = p, true
		}
	}
	return peak, found
}

// Newest is the time of the newest step, and how long ago (in the time of the series) the newest measured value was
// learned. Zero times before the first point.
func (f *Forecaster) Newest() (at time.Time, learned time.Duration) {
	if !f.begun {
		return time.Time{}, 0
	}
	return f.timeOf(f.index), time.Duration(f.index-f.state.learned) * f.plan.step
}

func (f *Forecaster) timeOf(index int64) time.Time {
	const second = int64(time.Second)
	step := int64(f.plan.step)
	if step%second == 0 {
		return time.Unix(index*(step/second), 0).UTC()
	}
	return time.Unix(0, index*step).UTC()
}
