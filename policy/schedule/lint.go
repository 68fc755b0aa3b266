// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"time"
)

const (
	lintDays      = 400
	lintIntervals = 20_000 // windows of every minute are looked at for fewer days
	lintDecisions = 50_000
	steepJump     = 2 // times the floor before
)

// Finding is something in valid schedules that is probably not what its author wants.
type Finding struct {
	Schedule string
	Window   string // may be empty
	Note     bool   // good to know, nothing to repair
	Message  string
}

// lintUntil returns the end of the stretch that is looked at.
func lintUntil(rules []*Schedule, now time.Time) int64 {
	perDay := 1
	for _, rule := range rules {
		for i := range rule.windows {
			if tab := rule.windows[i].tab; tab != nil {
				perDay += len(tab.times)
			}
		}
	}
	return now.Unix() + int64(min(max(lintIntervals/perDay, 8), lintDays))*secondsPerDay
}

// Lint looks for contradictions and surprises in the schedules of one target, for 400 days from now. With
// Observations.BaseMax 0 nothing is known of the target, and nothing is compared with its bounds.
func Lint(rules []*Schedule, obs Observations, now time.Time) []Finding {
	var all []Finding
	for _, rule := range rules {
		all = append(all, rule.lint(now)...)
	}
	return append(all, lintTogether(rules, obs, now)...)
}

// lint looks at one schedule alone.
func (s *Schedule) lint(now time.Time) []Finding {
	byWindow := make([][]span, len(s.windows))
	until := lintUntil([]*Schedule{s}, now)
	l := linter{rule: s, local: clock{loc: s.zone}, now: now.Unix(), days: (until - now.Unix()) / secondsPerDay}
	alone := *s
	alone.suspend = false
	for _, found := range newTimeline([]*Schedule{&alone}, 0, l.now, until).spans {
		byWindow[found.window] = append(byWindow[found.window], found)
	}
	for i := range s.windows {
		l.window(&s.windows[i], byWindow[i])
	}
	l.dates()
	return l.found
}

type linter struct {
	rule  *Schedule
	local clock
	now   int64
	days  int64
	found []Finding
}

func (l *linter) say(window string, note bool, format string, args ...any) {
	l.found = append(l.found, Finding{Schedule: l.rule.name, Window: window, Note: note, Message: fmt.Sprintf(format, args...)})
}

func (l *linter) at(unix int64) string {
	return time.Unix(unix, 0).In(l.rule.zone).Format("2006-01-02 15:04 MST")
}

func (l *linter) window(w *window, spans []span) {
	ahead := 0
	for _, s := range spans {
		if s.end > l.now {
			ahead++
		}
	}
	switch {
	case ahead == 0 && w.once != nil && w.once.end <= l.now:
		l.say(w.Name, true, "the window has been over since %s and can be removed", l.at(w.once.end))
	case ahead == 0 && w.once == nil:
		l.say(w.Name, false, "the window does not begin within %d days; check its schedule, the excluded dates and UNTIL or COUNT of its calendar", l.days)
	}
	for i := 1; i < len(spans); i++ {
		if spans[i].start < spans[i-1].end {
			l.say(w.Name, false, "the interval from %s has not ended when the next one begins at %s; shorten the duration or begin less often",
				l.at(spans[i-1].start), l.at(spans[i].start))
			break
		}
	}
	l.clockChanges(w, spans)
}

// clockChanges tells of the first start that does not exist, and of the first that exists twice.
func (l *linter) clockChanges(w *window, spans []span) {
	moved, twice := false, false
	for _, s := range spans {
		if s.end <= l.now {
			continue
		}
		if s.moved && !moved {
			moved = true
			l.say(w.Name, true, "the clock skips its start on one day: there it begins at %s", l.at(s.start))
		}
		if w.tab != nil && !s.moved && !twice && l.local.twice(s.start, s.local) {
			twice = true
			l.say(w.Name, true, "the clock shows its start twice on one day: there it begins at the first, %s", l.at(s.start))
		}
	}
}

// dates tells of excluded dates on which nothing would begin, and of make-up days on which nothing begins: the date
// or the schedule has a typing error.
func (l *linter) dates() {
	d, today := &l.rule.dates, dayOf(l.local.wallOf(l.now))
	for _, r := range d.excluded {
		if r.last >= today && r.last-r.first < 400 && !l.beginsWithin(r) {
			l.say("", false, "no window would begin from %s to %s, so excluding it changes nothing", r.first, r.last)
		}
	}
	for date, bits := range d.included {
		if date >= today && !l.tabMatches(date, bits) {
			l.say("", false, "no window begins on %s, which is to be a make-up day", date)
		}
	}
}

func (l *linter) beginsWithin(r dayRange) bool {
	for d := r.first; d <= r.last; d++ {
		if l.tabMatches(d, 1<<d.weekday()) {
			return true
		}
	}
	return l.hasCalendar()
}

func (l *linter) hasCalendar() bool {
	for i := range l.rule.windows {
		if l.rule.windows[i].events != nil {
			return true
		}
	}
	return false
}

func (l *linter) tabMatches(d day, weekdays uint64) bool {
	for i := range l.rule.windows {
		if tab := l.rule.windows[i].tab; tab != nil && tab.matches(d, weekdays) {
			return true
		}
	}
	return false
}

// Circle returns targets that wait for each other in a circle by `after`, the first one also last; nil if there is
// no circle. waits says for each target what it waits for. All of them would wait until their time-outs.
func Circle(waits map[Target][]Target) []Target {
	done := map[Target]bool{}
	for _, start := range sortedTargets(waits) {
		if path := circleFrom(start, waits, done, nil); path != nil {
			return path
		}
	}
	return nil
}
