// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"math"
	"time"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

const (
	// mostSteps that a model looks ahead beyond the lead time in use. A step ahead costs about 200 bytes.
	mostSteps = 2000
	// headroom is how many times the measured lead time a model looks ahead: a lead time that grows by less is followed
	// without learning anew.
	headroom = 2
	// tolerance above the target that Kubernetes' HPA does not act on.
	tolerance = 0.1
)

// Model is what one forecast has learned. It is not safe for concurrent use.
type Model struct {
	rule       forecast.Rule // with the seasons in use
	forecaster *forecast.Forecaster
	gate       forecast.Gate
	rungs      []time.Duration // the lead times that may be in use, shortest first
	lead       time.Duration   // the rung in use
	value      forecast.Point  // the newest
}

// New learns a history, in order of time, for a lead time. Where the rule names no seasons, they are found in it.
func New(rule forecast.Rule, lead time.Duration, points []forecast.Point) (*Model, error) {
	if rule.Interval <= 0 {
		return nil, fmt.Errorf("the interval is %s; it must be above zero", rule.Interval)
	}
	points = forecast.Resample(points, rule.Interval)
	if rule.Seasons == nil {
		found := forecast.FindSeasons(points, rule.Interval)
		rule.Seasons = &found
	}
	reach := reachOf(rule, lead)
	config := rule.Config(reach, outlook(rule, reach)...)
	forecaster, err := forecast.New(config)
	if err != nil {
		return nil, err
	}
	gate, err := forecast.NewGate(config)
	if err != nil {
		return nil, err
	}
	m := &Model{rule: rule, forecaster: forecaster, gate: gate, rungs: forecast.LeadsWithin(rule.Interval, reach)}
	m.Aim(lead)
	for _, p := range points {
		if err := m.Learn(p); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// reachOf is the longest lead time that a model can be used with: the one given, or some more than the one measured.
func reachOf(rule forecast.Rule, lead time.Duration) time.Duration {
	if rule.Lead > 0 {
		return lead
	}
	reach := headroom * lead
	if rule.MaxLead > 0 {
		reach = min(reach, rule.MaxLead)
	}
	return max(lead, min(reach, mostSteps*rule.Interval))
}

// outlook is how far ahead to look beyond the lead time, for people: some hours, or what is one in a shorter day.
func outlook(rule forecast.Rule, reach time.Duration) []time.Duration {
	day := rule.Seasons.Day
	if day <= 0 {
		day = 24 * time.Hour
	}
	var out []time.Duration
	for _, part := range []time.Duration{24, 12, 6, 4} {
		ahead := (day / part).Round(rule.Interval)
		if ahead > reach && ahead <= mostSteps*rule.Interval {
			out = append(out, ahead)
		}
	}
	return out
}

// Aim sets the lead time in use. False: the model does not look that far ahead, and has to be learned anew for it.
func (m *Model) Aim(lead time.Duration) bool {
	for _, rung := range m.rungs {
		m.lead = rung
		if rung >= lead {
			return true
		}
	}
	return false
}

// Learn takes the next point. One that is not later than the newest is an error and changes nothing.
func (m *Model) Learn(p forecast.Point) error {
	if err := m.forecaster.Observe(p); err != nil {
		return err
	}
	if !math.IsNaN(p.Value) {
		m.value = p
	}
	m.gate = m.gate.Judge(m.accuracy())
	return nil
}

// accuracy is that of the lead time in use.
func (m *Model) accuracy() forecast.Accuracy {
	for _, a := range m.forecaster.Accuracy() {
		if a.Lead >= m.lead {
			return a
		}
	}
	return forecast.Accuracy{Lead: m.lead}
}

// Gate is the verdict on the lead time in use.
func (m *Model) Gate() forecast.Gate { return m.gate }

// Newest is the newest point; its time is zero before the first.
func (m *Model) Newest() forecast.Point { return m.value }

// Seasons are the periods in use.
func (m *Model) Seasons() forecast.Seasons { return *m.rule.Seasons }

// View is what a model says at a time.
type View struct {
	Newest      forecast.Point
	Lead        time.Duration         // in use: a multiple of the interval
	Demand      float64               // to be ready for: the highest upper bound up to the lead time
	Expected    forecast.Prediction   // at the lead time
	Predictions []forecast.Prediction // of all lead times and the outlook, the soonest first
	Accuracy    forecast.Accuracy     // at the lead time
	Gate        forecast.Gate
	Seasons     forecast.Seasons
}

// Look says what is to be expected at a time; nil before the first point. While values are missing, the forecast is made
// from the newest one, with a bound that widens.
func (m *Model) Look(now time.Time) (*View, error) {
	if m.value.Time.IsZero() {
		return nil, nil
	}
	forecaster, err := m.until(now)
	if err != nil {
		return nil, err
	}
	v := &View{
		Newest: m.value, Lead: m.lead, Predictions: forecaster.Predictions(),
		Accuracy: m.accuracy(), Gate: m.gate, Seasons: *m.rule.Seasons,
	}
	if peak, ok := forecaster.Peak(m.lead); ok {
		v.Demand = peak.Upper
	}
	for _, p := range v.Predictions {
		if p.Lead <= m.lead {
			v.Expected = p
		}
	}
	return v, nil
}

// until is the forecaster moved on to a time through steps without values. The model's own stays where it is, so that
// values that come late can still be learned.
func (m *Model) until(now time.Time) (*forecast.Forecaster, error) {
	newest, _ := m.forecaster.Newest()
	if now.Sub(newest) < 2*m.rule.Interval {
		return m.forecaster, nil
	}
	moved, err := forecast.Load(m.forecaster.Save())
	if err != nil {
		return nil, err
	}
	return moved, moved.Observe(forecast.Point{Time: now, Value: math.NaN()})
}

// Saturated says whether a demand cannot be the true one, because the replicas are at their maximum and each has more
// than its share.
func Saturated(value, perReplica float64, replicas, most int32) bool {
	return most > 0 && replicas >= most && perReplica > 0 && value > perReplica*float64(replicas)*(1+tolerance)
}
