// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// Outcome is what a run came to.
type Outcome struct {
	Measures simulate.Measures
	Failures []string // one sentence for each expectation that does not hold, with file and line
}

// Run simulates the scenario and checks what it expects. watch sees every moment; it may be nil.
func (s *Scenario) Run(watch func(simulate.Tick)) (Outcome, error) {
	config, err := s.prepare()
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", s.name, err)
	}
	expects, endChecks := slices.Clone(s.expects), slices.Clone(s.endChecks)
	config.Watch = func(t simulate.Tick) {
		for i := range expects {
			expects[i].check(t, t.Time.Sub(s.start), config.Sync)
		}
		if watch != nil {
			watch(t)
		}
	}
	measures, err := simulate.Run(config)
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", s.name, err)
	}
	for i := range endChecks {
		endChecks[i].checkEnd(measures)
	}
	out := Outcome{Measures: measures}
	for _, e := range append(expects, endChecks...) {
		switch {
		case !e.met:
			out.Failures = append(out.Failures, fmt.Sprintf("%s:%d: expect %s: the run has no such time", s.name, e.line, e.text))
		case e.failed != "":
			out.Failures = append(out.Failures, fmt.Sprintf("%s:%d: expect %s: %s", s.name, e.line, e.text, e.failed))
		}
	}
	return out, nil
}

// prepare turns times after the start into times.
func (s *Scenario) prepare() (simulate.Config, error) {
	c := s.config
	c.Start, c.End = s.start, s.start.Add(s.length)
	if c.Sync == 0 {
		c.Sync = 15 * time.Second
	}
	points := make([]simulate.Point, len(s.load))
	for i, p := range s.load {
		points[i] = simulate.Point{Time: s.start.Add(p.at), Value: p.value}
	}
	var err error
	if c.Demand, err = simulate.NewSeries(points); err != nil {
		return c, err
	}
	for _, o := range s.outages {
		c.Outages = append(c.Outages, simulate.Interval{From: s.start.Add(o.from), To: s.start.Add(o.to)})
	}
	for _, e := range s.edits {
		c.Edits = append(c.Edits, simulate.Edit{At: s.start.Add(e.at), Bounds: e.bounds})
	}
	if len(s.rules)+len(s.timed)+len(s.edits) > 0 {
		c.Contribute = s.contribute()
	}
	return c, nil
}

// contribute returns who asks for what at a time.
func (s *Scenario) contribute() func(time.Time, simulate.Seen) []bounds.Contribution {
	evaluator := schedule.NewEvaluator(s.rules...)
	return func(now time.Time, seen simulate.Seen) []bounds.Contribution {
		var out []bounds.Contribution
		if len(s.rules) > 0 {
			obs := schedule.Observations{BaseMin: seen.Base.Min, BaseMax: seen.Base.Max, Lead: s.config.Startup}
			out = bounds.FromWindows(evaluator.Evaluate(obs, now))
		}
		for _, t := range s.timed {
			if since := now.Sub(s.start); since >= t.from && since < t.to {
				out = append(out, t.Contribution)
			}
		}
		return out
	}
}
