// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"slices"
	"time"

	"github.com/teambition/rrule-go"
)

// instant is a date or time of a calendar, with the zone that gives it a meaning.
type instant struct {
	wall int64 // counted as if it were UTC
	date bool  // without a time of day
	zone *time.Location
}

func (i instant) resolve() int64 {
	c := clock{loc: i.zone}
	at, _ := c.resolve(i.wall)
	return at
}

// recurrence is an RRULE that works on wall time counted as if it were UTC.
type recurrence struct {
	rule   *rrule.RRule
	option rrule.ROption
}

// iterate returns the local starts, in order, beginning not later than the first that is at or after a wall time.
// Rules by the day or week are moved near to it by whole intervals, so that an old event costs no more than a new one.
func (r *recurrence) iterate(earliest int64) rrule.Next {
	step := map[rrule.Frequency]int64{rrule.DAILY: secondsPerDay, rrule.WEEKLY: 7 * secondsPerDay}[r.option.Freq] * int64(max(r.option.Interval, 1))
	behind := earliest - r.option.Dtstart.Unix()
	if step == 0 || r.option.Count > 0 || behind < 2*step {
		return r.rule.Iterator()
	}
	option := r.option
	option.Dtstart = time.Unix(option.Dtstart.Unix()+(behind/step-1)*step, 0).UTC()
	moved, err := rrule.NewRRule(option)
	if err != nil {
		return r.rule.Iterator()
	}
	return moved.Iterator()
}

// event is an event of a calendar: one interval, or many of the same length.
type event struct {
	uid      string
	start    instant
	allDay   bool
	seconds  int64 // absolute; of an event without times of day, counted in days of its zone's clock
	rule     *recurrence
	extra    []instant // RDATE
	skip     []instant // EXDATE
	replaces bool      // it has a RECURRENCE-ID
	zone     clock
}

// leaveOut removes the instances that other events replace.
func (e *event) leaveOut(replaced []replacement) {
	for _, r := range replaced {
		if r.uid == e.uid && !e.replaces {
			e.skip = append(e.skip, r.instance)
		}
	}
}

// spans appends the intervals that overlap [from, to) (Unix seconds), in no particular order.
func (e *event) spans(into []span, from, to int64) []span {
	c := e.zone
	for _, wall := range e.walls(from, to) {
		at, moved := c.resolve(wall)
		end := at + e.seconds
		if e.allDay {
			end, _ = c.resolve(wall + e.seconds)
		}
		if end > from && at < to && end > at {
			into = append(into, span{start: at, end: end, moved: moved, local: wall})
		}
	}
	return into
}

// walls returns the local starts that may overlap [from, to), without the skipped ones and without doubles.
func (e *event) walls(from, to int64) []int64 {
	earliest, latest := from-e.seconds-2*secondsPerDay, to+2*secondsPerDay
	var walls []int64
	add := func(wall int64) {
		if wall >= earliest && wall < latest && !e.skips(wall) && !slices.Contains(walls, wall) {
			walls = append(walls, wall)
		}
	}
	if e.rule == nil {
		add(e.start.wall)
	} else {
		next := e.rule.iterate(earliest)
		for at, ok := next(); ok && at.Unix() < latest; at, ok = next() {
			add(at.Unix())
		}
	}
	for _, extra := range e.extra {
		add(e.inZone(extra))
	}
	return walls
}

func (e *event) skips(wall int64) bool {
	for _, skip := range e.skip {
		switch {
		case skip.date && dayOf(skip.wall) == dayOf(wall):
			return true
		case !skip.date && e.inZone(skip) == wall:
			return true
		}
	}
	return false
}

// inZone returns what the event's clock reads at an instant that may be written in another zone.
func (e *event) inZone(at instant) int64 {
	if at.date || at.zone == e.start.zone {
		return at.wall
	}
	c := e.zone
	return c.wallOf(at.resolve())
}
