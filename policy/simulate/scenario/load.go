// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"regexp"
	"strconv"
	"time"
)

type loadPoint struct {
	at    time.Duration
	value float64
}

// maxPoints bounds the load of one text.
const maxPoints = 1_000_000

// parseLoad reads one of
//
//	load 10m 500                       from 10m on
//	load 10m..20m 500 -> 4000          a straight line
//	load every 5m 100 200+50x3 400x2   a value for each step, in Prometheus' notation for series
func (s *Scenario) parseLoad(l *line) {
	if l.accept("every") {
		s.parseSteps(l)
		return
	}
	if len(l.words) > 1 && len(l.words) < 4 {
		s.step(l, l.duration("the time"), l.float("the load"))
		return
	}
	over := l.span("the time")
	from := l.float("the load")
	l.oneOf("the arrow", "->")
	to := l.float("the load")
	s.step(l, over.from, from)
	s.draw(l, over.to, to)
}

// step sets the load from a time on.
func (s *Scenario) step(l *line, at time.Duration, value float64) {
	if n := len(s.load); n > 0 {
		s.draw(l, at, s.load[n-1].value)
	}
	s.draw(l, at, value)
}

// draw goes on in a straight line.
func (s *Scenario) draw(l *line, at time.Duration, value float64) {
	n := len(s.load)
	switch {
	case l.err != nil:
	case value < 0:
		l.fail("a load of %v is negative", value)
	case n > 0 && at < s.load[n-1].at:
		l.fail("the load at %s comes after that at %s", at, s.load[n-1].at)
	case n >= maxPoints:
		l.fail("the load has more than %d points", maxPoints)
	default:
		s.load = append(s.load, loadPoint{at, value})
	}
}

var series = regexp.MustCompile(`^([0-9.]+)(?:([+-][0-9.]+))?x([0-9]{1,7})$`)

// parseSteps reads values for equal steps, from where the load ends.
func (s *Scenario) parseSteps(l *line) {
	every := l.duration("the step")
	if l.err == nil && every < time.Second {
		l.fail("the step %s is below 1s", every)
	}
	at := time.Duration(0)
	if n := len(s.load); n > 0 {
		at = s.load[n-1].at + every
	}
	for l.more() {
		value, change, times := l.values()
		for range times {
			s.step(l, at, max(value, 0))
			if l.err != nil {
				return
			}
			value, at = value+change, at+every
		}
	}
}

// values reads 7, 7x3 (7 and three more) or 7+2x3 (7 9 11 13).
func (l *line) values() (value, change float64, times int) {
	parts := series.FindStringSubmatch(l.words[0])
	if parts == nil {
		return l.float("the load"), 0, 1
	}
	l.words = l.words[1:]
	value, err := strconv.ParseFloat(parts[1], 64)
	if err == nil && parts[2] != "" {
		change, err = strconv.ParseFloat(parts[2], 64)
	}
	n, errTimes := strconv.Atoi(parts[3])
	if err != nil || errTimes != nil || n >= maxPoints {
		l.fail("%q is not a series such as 100+50x3", parts[0])
		return 0, 0, 0
	}
	return value, change, n + 1
}
