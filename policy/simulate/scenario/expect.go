// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// expectation is one line `expect`.
type expectation struct {
	line     int
	text     string
	span     span // of the times at which it is checked; both ends the same for `at`
	once     bool
	field    string
	operator string
	number   float64
	word     string // of note, floor-by and limited
	met      bool   // checked at least once
	failed   string // the first failure
}

// tickFields are numbers of one moment.
var tickFields = map[string]func(simulate.Tick) float64{
	"demand":   func(t simulate.Tick) float64 { return t.Demand },
	"replicas": func(t simulate.Tick) float64 { return float64(t.Replicas) },
	"ready":    func(t simulate.Tick) float64 { return float64(t.Ready) },
	"unserved": func(t simulate.Tick) float64 { return t.Unserved },
	"min":      func(t simulate.Tick) float64 { return float64(t.Bounds.Min) },
	"max":      func(t simulate.Tick) float64 { return float64(t.Bounds.Max) },
}

// endFields are numbers of the whole run.
var endFields = map[string]func(simulate.Measures) float64{
	"deficient-replica-minutes": func(m simulate.Measures) float64 { return m.DeficientReplicaMinutes },
	"excess-replica-minutes":    func(m simulate.Measures) float64 { return m.ExcessReplicaMinutes },
	"short-minutes":             func(m simulate.Measures) float64 { return m.ShortMinutes },
	"time-short":                func(m simulate.Measures) float64 { return m.TimeShort },
	"worst-hour":                func(m simulate.Measures) float64 { return m.WorstHour },
	"unserved-share":            func(m simulate.Measures) float64 { return m.UnservedShare },
	"replica-hours":             func(m simulate.Measures) float64 { return m.ReplicaHours },
	"scale-events":              func(m simulate.Measures) float64 { return float64(m.ScaleEvents) },
	"direction-changes":         func(m simulate.Measures) float64 { return float64(m.DirectionChanges) },
	"peak-replicas":             func(m simulate.Measures) float64 { return float64(m.PeakReplicas) },
}

var operators = map[string]func(a, b float64) bool{
	"==": func(a, b float64) bool { return a == b },
	"!=": func(a, b float64) bool { return a != b },
	"<":  func(a, b float64) bool { return a < b },
	"<=": func(a, b float64) bool { return a <= b },
	">":  func(a, b float64) bool { return a > b },
	">=": func(a, b float64) bool { return a >= b },
}

func keys[V any](m map[string]V, more ...string) []string {
	for k := range m {
		more = append(more, k)
	}
	slices.Sort(more)
	return more
}

// parseExpect reads
//
//	expect at 30m replicas == 800
//	expect 30m..2h ready >= 10
//	expect at 2h note Restoring            (or: no-note)
//	expect at 2h floor-by "ScaleSchedule sale/sale"
//	expect at 2h limited TooManyReplicas
//	expect end short-minutes == 0
func (s *Scenario) parseExpect(l *line) {
	e := expectation{line: l.number, text: fmt.Sprint(l.words)}
	if l.accept("end") {
		e.field = l.oneOf("the measure", keys(endFields)...)
		e.compare(l)
		s.endChecks = append(s.endChecks, e)
		return
	}
	if e.once = l.accept("at"); e.once {
		at := l.duration("the time")
		e.span = span{at, at}
	} else {
		e.span = l.span("the time")
	}
	e.field = l.oneOf("the field", keys(tickFields, "note", "no-note", "floor-by", "limited")...)
	if _, isNumber := tickFields[e.field]; isNumber {
		e.compare(l)
	} else {
		e.word = l.word("the word")
	}
	s.expects = append(s.expects, e)
}

func (e *expectation) compare(l *line) {
	e.operator = l.oneOf("the comparison", keys(operators)...)
	e.number = l.float("the number")
}

// check looks at one moment, which is `since` after the start; step is the time to the next.
func (e *expectation) check(t simulate.Tick, since, step time.Duration) {
	due := since >= e.span.from && since < e.span.to
	if e.once {
		due = since >= e.span.from && since < e.span.from+step
	}
	if !due || e.failed != "" {
		return
	}
	e.met = true
	ok, got := e.holds(t)
	if !ok {
		e.failed = fmt.Sprintf("after %s it is %s; replicas %d, ready %d, bounds %d..%d, demand %.6g",
			since, got, t.Replicas, t.Ready, t.Bounds.Min, t.Bounds.Max, t.Demand)
	}
}

func (e *expectation) holds(t simulate.Tick) (bool, string) {
	switch e.field {
	case "note":
		return t.Decided.Has(bounds.NoteReason(e.word)), fmt.Sprint(t.Decided.Notes)
	case "no-note":
		return !t.Decided.Has(bounds.NoteReason(e.word)), fmt.Sprint(t.Decided.Notes)
	case "floor-by":
		return t.Decided.FloorBy.String() == e.word, t.Decided.FloorBy.String()
	case "limited":
		c := t.HPA.ScalingLimited
		return c.Status && c.Reason == e.word, fmt.Sprintf("%v %s", c.Status, c.Reason)
	}
	got := tickFields[e.field](t)
	return operators[e.operator](got, e.number), strconv.FormatFloat(got, 'g', 6, 64)
}

// checkEnd looks at the measures.
func (e *expectation) checkEnd(m simulate.Measures) {
	e.met = true
	if got := endFields[e.field](m); !operators[e.operator](got, e.number) {
		e.failed = "it is " + strconv.FormatFloat(got, 'g', 6, 64)
	}
}
