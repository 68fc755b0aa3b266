// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"cmp"
	"slices"
)

// span is one interval of a window in absolute time: Unix seconds, half-open.
type span struct {
	start, end int64
	rule       int32 // index of the schedule
	window     int32 // index of the window in it
	moved      bool  // the local start does not exist, so it is the next instant that does
	local      int64 // the local start as written, counted as if it were UTC; not of one-off windows
}

// timeline holds the intervals of several schedules for a stretch of time, by start. Every interval that matters at
// some instant of [from, to) is in it.
type timeline struct {
	rules    []*Schedule
	spans    []span
	from, to int64
	back     int64 // the longest that an interval matters after its start
	ahead    int64 // the longest that it matters before
}

// newTimeline works out all intervals that matter in [from, to), given the lead time in seconds.
func newTimeline(rules []*Schedule, lead, from, to int64) timeline {
	line := timeline{rules: rules, from: from, to: to}
	for i, rule := range rules {
		if rule.suspend {
			continue
		}
		line.back = max(line.back, rule.back)
		line.ahead = max(line.ahead, rule.ahead+lead)
		line.spans = rule.spans(line.spans, int32(i), from, to+rule.ahead+lead)
	}
	slices.SortFunc(line.spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.rule, b.rule), cmp.Compare(a.window, b.window), cmp.Compare(a.end, b.end),
			// Of starts that fall together because the clock skips some, the one that was not moved stays.
			cmp.Compare(b.local, a.local))
	})
	line.spans = slices.CompactFunc(line.spans, func(a, b span) bool {
		return a.start == b.start && a.end == b.end && a.rule == b.rule && a.window == b.window
	})
	return line
}

// near returns the intervals that may matter at an instant, and those that begin soon after it.
func (l *timeline) near(now int64) []span {
	first, _ := slices.BinarySearchFunc(l.spans, now-l.back, func(s span, at int64) int { return cmp.Compare(s.start, at) })
	return l.spans[first:]
}

// spans appends the schedule's intervals that overlap [from, to), rampDown included.
func (s *Schedule) spans(into []span, rule int32, from, to int64) []span {
	local := clock{loc: s.zone}
	var days calendarDays
	prepared := false
	for i := range s.windows {
		w := &s.windows[i]
		if w.once != nil {
			if w.once.end+w.rampDown > from && w.once.start < to {
				into = append(into, span{start: w.once.start, end: w.once.end, rule: rule, window: int32(i), moved: w.once.moved})
			}
			continue
		}
		if !prepared {
			first, last := dayOf(from-s.back-maxOffset), dayOf(to+maxOffset)
			days, prepared = s.dates.between(&local, first, last), true
		}
		had := len(into)
		if w.tab != nil {
			into = w.recurring(into, &local, &days, from-w.rampDown, to)
		} else {
			into = w.ofCalendar(into, &local, &days, from-w.rampDown, to)
		}
		for j := had; j < len(into); j++ {
			into[j].rule, into[j].window = rule, int32(i)
		}
	}
	return into
}

// recurring appends the intervals of a cron window that overlap [from, to).
func (w *window) recurring(into []span, local *clock, days *calendarDays, from, to int64) []span {
	last := dayOf(to + maxOffset)
	for d := dayOf(from - w.duration - maxOffset); d <= last; d++ {
		if days.excludes(d) || !w.tab.matches(d, days.weekdays(d)) {
			continue
		}
		for _, time := range w.tab.times {
			wall := d.wall() + time
			at, moved := local.resolve(wall)
			if at+w.duration > from && at < to && !days.excludesAt(at) {
				into = append(into, span{start: at, end: at + w.duration, moved: moved, local: wall})
			}
		}
	}
	return into
}

// ofCalendar appends the intervals of a window's calendar that overlap [from, to).
func (w *window) ofCalendar(into []span, local *clock, days *calendarDays, from, to int64) []span {
	had := len(into)
	for i := range w.events {
		into = w.events[i].spans(into, from, to)
	}
	kept := into[:had]
	for _, s := range into[had:] {
		if !days.excludes(dayOf(local.wallOf(s.start))) && !days.excludesAt(s.start) {
			kept = append(kept, s)
		}
	}
	return kept
}
