// SPDX-License-Identifier: Apache-2.0

// Package report says what replicas were for: replica-hours by who asked for them (the HPA itself, schedules, forecasts,
// overrides), against what the plain HPA would have had, from the metrics that the scaler leaves in a Prometheus.
package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

// Stabilization is how long an HPA waits by default before it goes down: the plain HPA has the highest of what it aimed
// at in that time.
const Stabilization = 5 * time.Minute

// Winner is who asked for the floor in force: a kind of policy/bounds, and a name or name/window.
type Winner struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
}

// base is the HPA itself.
var base = Winner{Kind: bounds.KindBase}

// Point is what is known of one HPA for one step of time. NaN is unknown.
type Point struct {
	At       time.Time
	Replicas float64
	Without  float64 // what the metrics alone ask for, within the user's own bounds
	By       Winner  // of the floor; the zero value: unknown
}

// Usage is the sum of points. Hours are replica-hours. The parts sum to Total.
type Usage struct {
	Namespace string
	HPA       string

	Total   float64
	By      map[Winner]float64
	Unknown float64 // held by a floor while it is unknown what the HPA alone would have had

	Plain     float64       // replica-hours of the plain HPA, while they are known
	PlainOf   float64       // replica-hours that there were in that time
	PlainTime time.Duration // how long that was
	// Fewer is how long the plain HPA would have had fewer replicas than there were, because a floor held them. Whether
	// they would have been too few, the numbers do not say.
	Fewer time.Duration

	Known time.Duration // with data
	Asked time.Duration // with and without
}

// Share is how much of the time there is data for, from 0 to 1.
func (u Usage) Share() float64 {
	if u.Asked <= 0 {
		return 0
	}
	return float64(u.Known) / float64(u.Asked)
}

// Of returns the replica-hours of all winners of a kind.
func (u Usage) Of(kind string) float64 {
	sum := 0.0
	for _, by := range u.winners() { // floats depend on the order
		if by.Kind == kind {
			sum += u.By[by]
		}
	}
	return sum
}

// winners are those of the usage, in their order.
func (u Usage) winners() []Winner {
	all := make([]Winner, 0, len(u.By))
	for by := range u.By {
		all = append(all, by)
	}
	slices.SortFunc(all, func(a, b Winner) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all
}

// Meter adds up the points of one HPA. The zero value is ready for use.
type Meter struct {
	Usage
	aims []Point // of the last Stabilization, by time
}

// Add takes the next point, which stands for one step of time. Points must come in their order.
func (m *Meter) Add(p Point, step time.Duration) {
	m.Asked += step
	alone := m.alone(p)
	if !usable(p.Replicas) {
		return
	}
	m.Known += step
	if m.By == nil {
		m.By = map[Winner]float64{}
	}
	hours := p.Replicas * step.Hours()
	m.Total += hours
	held := p.By.Kind != "" && p.By.Kind != bounds.KindBase
	switch {
	case !usable(alone) && p.By.Kind == bounds.KindBase:
		m.By[base] += hours // nobody else asked for any
	case !usable(alone):
		m.Unknown += hours
	default:
		m.compare(p, alone, held, step)
	}
}

// compare splits the replicas of a point at what the plain HPA would have had.
func (m *Meter) compare(p Point, alone float64, held bool, step time.Duration) {
	own := min(p.Replicas, alone)
	extra := p.Replicas - own
	m.Plain += alone * step.Hours()
	m.PlainOf += p.Replicas * step.Hours()
	m.PlainTime += step
	switch {
	case extra > 0 && held:
		m.By[base] += own * step.Hours()
		m.By[p.By] += extra * step.Hours()
		m.Fewer += step
	case extra > 0 && p.By.Kind == "":
		m.By[base] += own * step.Hours()
		m.Unknown += extra * step.Hours()
	default: // what an HPA has above its aim without a floor is its own behavior
		m.By[base] += p.Replicas * step.Hours()
	}
}

// alone is what the plain HPA would have: the highest of what it aimed at lately. NaN: unknown.
func (m *Meter) alone(p Point) float64 {
	m.aims = slices.DeleteFunc(m.aims, func(old Point) bool { return p.At.Sub(old.At) >= Stabilization })
	if !usable(p.Without) {
		return math.NaN()
	}
	m.aims = append(m.aims, p)
	highest := p.Without
	for _, aim := range m.aims {
		highest = max(highest, aim.Without)
	}
	return highest
}

// usable says whether a number of replicas is one.
func usable(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) && v >= 0 }
