// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/hpa"
	"github.com/plimsoll/plimsoll/policy/schedule"
)

// The assumptions where nothing is given.
const (
	DefaultLead     = 15 * time.Minute
	DefaultQuantile = 0.95
	// defaultIncrease is that of a ScaleForecast: at most twice as many replicas at once.
	defaultIncrease = 1.0
	// replicasOfMean: without an HPA, a replica serves this part of the mean demand.
	replicasOfMean = 20
	// targetShare is the HPA's target as a share of what a replica serves, where only one of the two is known.
	targetShare = 0.8
	// assumedGoal is the target of an HPA that was not given, in thousandths of a unit so small that rounding does not show.
	assumedGoal = 1_000_000
)

// Input is what a plan is made of.
type Input struct {
	Trace     Trace
	Lead      time.Duration // from the decision to a Ready pod; 0: DefaultLead
	Quantile  float64       // 0: that of the ScaleForecast, or else DefaultQuantile
	Manifests Manifests
	Capacity  float64 // demand that one replica serves; 0: assumed
	Prices    Prices
	Node      Resources // of one node; zero: unknown
	Requests  Resources // of one pod; zero: those of the manifests
	// CPU returns the CPU time that the process has used; nil: the forecast's cost is reported as 0.
	CPU func() time.Duration
	// Progress is told what is done of what; nil: nobody looks.
	Progress func(what string, done, total int)
}

// Resources of a pod or node.
type Resources struct {
	CPU    float64 // cores
	Memory float64 // GiB
}

// Prices are per hour.
type Prices struct {
	CPU      float64 // of a core
	Memory   float64 // of a GiB
	Currency string
}

// problem is an Input made ready.
type problem struct {
	Input
	step     time.Duration
	points   []forecast.Point // on the grid of step
	raw      bool             // the trace had one value a step: it is known at once
	half     int              // the first point that is judged
	capacity float64
	target   float64 // demand that the HPA gives one replica
	hpa      hpa.Spec
	rules    []*schedule.Schedule
	forecast forecast.Rule
	notes    []string
	// milliPerUnit is what one unit of demand is in the HPA's metric; 0: 1000, as for every real metric.
	milliPerUnit float64
}

func newProblem(in Input) (*problem, error) {
	if in.Lead == 0 {
		in.Lead = DefaultLead
	}
	rule := forecast.Rule{Quantile: DefaultQuantile, MaxIncrease: defaultIncrease}
	if in.Manifests.Forecast != nil {
		rule = *in.Manifests.Forecast
	}
	if in.Quantile == 0 {
		in.Quantile = rule.Quantile
	}
	p := &problem{Input: in, notes: in.Trace.Notes, rules: in.Manifests.Schedules, forecast: rule}
	if err := p.checkFlags(); err != nil {
		return nil, err
	}
	if err := p.grid(); err != nil {
		return nil, err
	}
	if err := p.sizes(); err != nil {
		return nil, err
	}
	p.noteContradictions()
	return p, nil
}

func (p *problem) checkFlags() error {
	switch {
	case p.Lead < time.Second || p.Lead > 24*time.Hour:
		return fmt.Errorf("--lead %s is not between 1s and 24h", p.Lead)
	case !(p.Quantile >= 0.5 && p.Quantile < 1):
		return fmt.Errorf("--quantile %v is not at least 0.5 and below 1: no bound covers everything", p.Quantile)
	case p.Capacity < 0 || math.IsNaN(p.Capacity) || math.IsInf(p.Capacity, 0):
		return fmt.Errorf("--capacity %v is not a positive number", p.Capacity)
	}
	return nil
}

// fewestPoints is what a plan can be made from at all.
const fewestPoints = 32

// grid puts the trace on its steps.
func (p *problem) grid() error {
	sorted := forecast.Resample(p.Trace.Points, time.Second)
	p.step = forecast.StepOf(sorted)
	if p.step <= 0 {
		return fmt.Errorf("%s: it has a single point in time; a plan needs at least %d steps", p.Trace.Name, fewestPoints)
	}
	if p.step < 15*time.Second {
		p.step = 15 * time.Second
	}
	p.points = forecast.Resample(sorted, p.step)
	p.raw = len(sorted) == len(p.points)
	n := len(p.points)
	if n < fewestPoints {
		return fmt.Errorf("%s: it has %d steps of %s; a plan needs at least %d", p.Trace.Name, n, p.step, fewestPoints)
	}
	first, last := p.points[0].Time, p.points[n-1].Time
	if last.Sub(first) > 20*366*24*time.Hour {
		return fmt.Errorf("%s: it spans from %s to %s; give at most 20 years", p.Trace.Name, first.Format(time.DateOnly), last.Format(time.DateOnly))
	}
	middle := first.Add(last.Sub(first) / 2)
	for p.half = 1; p.half < n-2 && !p.points[p.half].Time.After(middle); {
		p.half++
	}
	if span := last.Sub(p.points[p.half].Time); p.Lead > span {
		return fmt.Errorf("%s: --lead %s is longer than the half of the history that is judged (%s)", p.Trace.Name, p.Lead, span)
	}
	return nil
}

// sizes finds the demand of one replica and the HPA.
func (p *problem) sizes() error {
	var sum, peak float64
	for _, point := range p.points {
		sum, peak = sum+point.Value, max(peak, point.Value)
	}
	if peak == 0 {
		return fmt.Errorf("%s: the demand is always 0, so there is nothing to plan", p.Trace.Name)
	}
	if m := p.Manifests.HPA; m != nil {
		if err := p.sizesOf(*m); err != nil {
			return fmt.Errorf("%s%w", p.hpaAt(), err)
		}
		return p.sane(peak)
	}
	p.capacity = p.Capacity
	if p.capacity == 0 {
		p.capacity = sum / float64(len(p.points)) / replicasOfMean
	}
	p.target = p.capacity * targetShare
	p.hpa = hpa.Spec{
		MinReplicas: 1, MaxReplicas: int32(min(2*math.Ceil(peak/p.target), math.MaxInt32/4)),
		Metrics: []hpa.Metric{{Type: hpa.ExternalMetric, Name: "demand", Target: hpa.AverageValue, Goal: assumedGoal}},
	}
	p.milliPerUnit = assumedGoal / p.target
	p.notes = append(p.notes, fmt.Sprintf("no HPA was given: this one has minReplicas 1, maxReplicas %d, and a target of %.4g, which is %.0f %% of the %.4g that a replica is taken to serve",
		p.hpa.MaxReplicas, p.target, targetShare*100, p.capacity))
	return p.sane(peak)
}

// sane refuses what is surely a mistake of units, and could not be simulated in reasonable time.
func (p *problem) sane(peak float64) error {
	if peak/p.capacity > 100_000 {
		return fmt.Errorf("%s: its peak of %.4g is %.0f times what a replica serves (%.4g); set --capacity", p.Trace.Name, peak, peak/p.capacity, p.capacity)
	}
	return nil
}

// hpaAt is where the HPA's manifest begins, for errors.
func (p *problem) hpaAt() string {
	if p.Manifests.HPAAt == "" {
		return ""
	}
	return p.Manifests.HPAAt + ": "
}

// mostContradictions is how many of the schedules' contradictions are told; `plimsoll lint` tells all.
const mostContradictions = 5

// noteContradictions says where the schedules contradict each other or the HPA.
func (p *problem) noteContradictions() {
	told := 0
	for _, found := range schedule.Lint(p.rules, p.observations(p.hpa.MinReplicas, p.hpa.MaxReplicas), p.from()) {
		if found.Note {
			continue
		}
		if told++; told > mostContradictions {
			p.notes = append(p.notes, "there is more of this: see plimsoll lint")
			return
		}
		name := "ScaleSchedule " + found.Schedule
		if found.Window != "" {
			name += ", window " + found.Window
		}
		p.notes = append(p.notes, name+": "+found.Message)
	}
}

// observations are what windows are evaluated with, with the HPA's own bounds.
func (p *problem) observations(low, high int32) schedule.Observations {
	return schedule.Observations{
		BaseMin: low, BaseMax: high, PerReplicaMilli: max(1, int64(math.Round(p.target*1000))), Lead: p.Lead, AssumeReady: true,
	}
}

// sizesOf takes them from the HPA. The trace is the demand behind its first metric.
func (p *problem) sizesOf(spec hpa.Spec) error {
	m := spec.Metrics[0]
	if len(spec.Metrics) > 1 {
		p.notes = append(p.notes, fmt.Sprintf("the HPA has %d metrics; the trace is taken as the demand behind the first, %s", len(spec.Metrics), m.Name))
		spec.Metrics = spec.Metrics[:1]
	}
	p.hpa, p.capacity = spec, p.Capacity
	switch {
	case m.Target == hpa.Value:
		return fmt.Errorf("the HPA's metric %s has a target of type Value, which does not say what one replica serves: plan needs AverageValue or Utilization", m.Name)
	case p.Manifests.noMetrics && p.capacity == 0:
		return errors.New("the HPA has no metrics, so it follows the utilization of cpu: add a metric, or say with --capacity how much of the trace's demand one pod serves at its full request")
	case m.Target == hpa.Utilization && p.capacity == 0:
		return fmt.Errorf("the HPA's target is a utilization of %s: say with --capacity how much of the trace's demand one pod serves at its full request", m.Name)
	case m.Target == hpa.Utilization:
		p.target = p.capacity * float64(m.Goal) / 100
	case m.Type == hpa.ResourceMetric || m.Type == hpa.ContainerResourceMetric:
		return fmt.Errorf("the HPA's target is an average %s: plan needs AverageValue of a Pods, Object or External metric, or a Utilization", m.Name)
	default:
		p.target = float64(m.Goal) / 1000
	}
	if p.capacity == 0 {
		p.capacity = p.target / targetShare
		p.notes = append(p.notes, fmt.Sprintf("a replica is taken to serve %.4g, a quarter more than the HPA's target of %.4g; --capacity says otherwise", p.capacity, p.target))
	}
	return nil
}
