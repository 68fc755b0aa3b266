// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"strings"
	"time"
)

type monthDay struct {
	month time.Month
	dom   int
}

type dayRange struct{ first, last day } // both belong to it

// dates holds the days on which recurring windows do not begin, and the days that count as working days.
type dates struct {
	excluded []dayRange
	yearly   map[monthDay]bool
	included map[day]uint64 // the weekdays that the day counts as, a bit for each
	// Events of calendars; their recurrences are found for the stretch of time that is asked for.
	excludeEvents []event
	includeEvents []event
}

func (d *dates) exclude(text string) error {
	first, last, isRange := strings.Cut(text, "/")
	if !isRange && len(text) == len("12-25") {
		// 2000 is a leap year, so that 02-29 is a date.
		t, err := time.Parse(time.DateOnly, "2000-"+text)
		if err != nil {
			return fmt.Errorf("%q is not a date of every year; write it as 12-25", text)
		}
		if d.yearly == nil {
			d.yearly = map[monthDay]bool{}
		}
		d.yearly[monthDay{t.Month(), t.Day()}] = true
		return nil
	}
	if !isRange {
		last = first
	}
	from, err := parseDay(first)
	if err != nil {
		return err
	}
	to, err := parseDay(last)
	if err != nil {
		return err
	}
	if to < from {
		return fmt.Errorf("%q ends before it begins", text)
	}
	d.excluded = append(d.excluded, dayRange{from, to})
	return nil
}

func (d *dates) include(text string) error {
	date, weekday, named := strings.Cut(text, " as ")
	at, err := parseDay(date)
	if err != nil {
		return err
	}
	bits := uint64(workdays)
	if named {
		bits = weekdayBit(weekday)
	}
	if bits == 0 {
		return fmt.Errorf("%q does not end in a weekday; write 2026-02-14 as Monday", text)
	}
	if d.included == nil {
		d.included = map[day]uint64{}
	}
	d.included[at] = bits
	return nil
}

func weekdayBit(name string) uint64 {
	for w := time.Sunday; w <= time.Saturday; w++ {
		if strings.EqualFold(name, w.String()) || strings.EqualFold(name, w.String()[:3]) {
			return 1 << w
		}
	}
	return 0
}

// calendarDays are the dates for one stretch of time, with the recurrences of calendars worked out.
type calendarDays struct {
	dates    *dates
	excluded map[day]bool
	included map[day]bool
	timed    []span // events with times of day that exclude
}

// between works out the days of calendars from one date to another.
func (d *dates) between(c *clock, first, last day) calendarDays {
	days := calendarDays{dates: d}
	if len(d.excludeEvents)+len(d.includeEvents) == 0 {
		return days
	}
	days.excluded, days.included = map[day]bool{}, map[day]bool{}
	from, to := first.wall()-2*secondsPerDay, last.wall()+3*secondsPerDay
	for i := range d.excludeEvents {
		e := &d.excludeEvents[i]
		for _, s := range e.spans(nil, from, to) {
			if !e.allDay {
				days.timed = append(days.timed, s)
				continue
			}
			markDays(days.excluded, c, s)
		}
	}
	for i := range d.includeEvents {
		for _, s := range d.includeEvents[i].spans(nil, from, to) {
			markDays(days.included, c, s)
		}
	}
	return days
}

func markDays(days map[day]bool, c *clock, s span) {
	for d := dayOf(c.wallOf(s.start)); d <= dayOf(c.wallOf(s.end-1)); d++ {
		days[d] = true
	}
}

// weekdays returns what a date counts as for cron expressions: a bit for each weekday, none on an excluded date.
func (days *calendarDays) weekdays(d day) uint64 {
	own := uint64(1) << d.weekday()
	if bits, ok := days.dates.included[d]; ok {
		return bits
	}
	if days.included[d] {
		return workdays
	}
	if days.excludes(d) {
		return 0
	}
	return own
}

// excludes says whether recurring windows must not begin on a date.
func (days *calendarDays) excludes(d day) bool {
	if _, included := days.dates.included[d]; included || days.included[d] {
		return false
	}
	if days.excluded[d] {
		return true
	}
	for _, r := range days.dates.excluded {
		if r.first <= d && d <= r.last {
			return true
		}
	}
	if len(days.dates.yearly) == 0 {
		return false
	}
	_, month, dom := d.time().Date()
	return days.dates.yearly[monthDay{month, dom}]
}

// excludesAt says whether an event with times of day covers an instant.
func (days *calendarDays) excludesAt(at int64) bool {
	for _, s := range days.timed {
		if s.start <= at && at < s.end {
			return true
		}
	}
	return false
}
