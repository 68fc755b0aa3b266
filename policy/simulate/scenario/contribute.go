// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
)

// parseWindow reads
//
//	window NAME 30m..2h [fields]
//	window NAME cron "0 19 * * *" for 4h [fields]
func (s *Scenario) parseWindow(l *line) {
	spec := schedule.Spec{Name: l.word("the window's name")}
	w := schedule.Window{Name: spec.Name}
	if l.accept("cron") {
		w.Cron = l.word("the cron expression")
		l.oneOf("the word", "for")
		w.Duration = l.duration("the window's length")
	} else {
		over := l.span("the window's time")
		w.Start, w.End = s.start.Add(over.from).Format(time.RFC3339), s.start.Add(over.to).Format(time.RFC3339)
	}
	for l.more() {
		switch l.oneOf("the field", "min", "max", "replicas", "hard-max", "priority", "ramp-up", "ramp-down") {
		case "min":
			w.MinReplicas = l.pointer("the minimum")
		case "max":
			w.MaxReplicas = l.pointer("the maximum")
		case "replicas":
			w.Replicas = l.pointer("the number of replicas")
		case "hard-max":
			w.HardMax = true
		case "priority":
			spec.Priority = l.count("the priority")
		case "ramp-up":
			w.RampUp = l.duration("the ramp")
		case "ramp-down":
			d := l.duration("the ramp")
			w.RampDown = &d
		}
	}
	spec.Windows = []schedule.Window{w}
	s.specs = append(s.specs, spec)
}

func (l *line) pointer(what string) *int32 {
	n := l.count(what)
	return &n
}

// parseForecast reads a floor as a forecast would set it.
func (s *Scenario) parseForecast(l *line) {
	t := timed{span: l.span("the forecast's time")}
	l.oneOf("the field", "min")
	t.Contribution = bounds.FromForecast("scenario", "", l.count("the floor"), 0)
	if l.accept("priority") {
		t.Priority = l.count("the priority")
	}
	s.timed = append(s.timed, t)
}

// parseOverride reads what a person asks for.
func (s *Scenario) parseOverride(l *line) {
	t := timed{span: l.span("the override's time")}
	t.Source, t.Override = bounds.Source{Kind: bounds.KindOverride, Name: "scenario"}, true
	for l.more() {
		switch l.oneOf("the field", "min", "max", "replicas", "hard-max", "freeze") {
		case "min":
			t.MinReplicas = l.pointer("the minimum")
		case "max":
			t.MaxReplicas = l.pointer("the maximum")
		case "replicas":
			t.MinReplicas, t.Exact = l.pointer("the number of replicas"), true
		case "hard-max":
			t.HardMax = true
		case "freeze":
			t.Freeze = true
		}
	}
	s.timed = append(s.timed, t)
}

// parseEdit reads what the user writes into the HPA.
func (s *Scenario) parseEdit(l *line) {
	e := edit{at: l.duration("the time")}
	l.oneOf("the field", "min")
	e.bounds.Min = l.count("the minimum")
	l.oneOf("the field", "max")
	e.bounds.Max = l.count("the maximum")
	if l.err == nil && (e.bounds.Max < 1 || e.bounds.Max < e.bounds.Min) {
		l.fail("the maximum %d is below 1 or below the minimum", e.bounds.Max)
	}
	if n := len(s.edits); n > 0 && l.err == nil && e.at < s.edits[n-1].at {
		l.fail("the edit at %s comes after that at %s", e.at, s.edits[n-1].at)
	}
	s.edits = append(s.edits, e)
}
