// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"slices"
	"time"
)

// Preview returns the decisions of [from, to) in their order: the first is that of from, and each holds until the
// next one's At. It takes every target of `after` as Ready in time and the other observations as they are now. It
// stops after limit decisions.
func Preview(rules []*Schedule, obs Observations, from, to time.Time, limit int) []Decision {
	obs.AssumeReady = true
	line := newTimeline(rules, obs.leadSeconds(), from.Unix(), max(to.Unix(), from.Unix()+1))
	var all []Decision
	for now := from.Unix(); now < line.to && len(all) < limit; {
		d := line.decide(&obs, now)
		if len(all) == 0 || !d.equal(&all[len(all)-1]) {
			all = append(all, d)
		}
		now = d.Next.Unix()
	}
	return all
}

// equal says that two decisions differ in nothing but their times.
func (d *Decision) equal(other *Decision) bool {
	return sameNumber(d.Min, other.Min) && sameNumber(d.Max, other.Max) && d.sameShape(other)
}

// sameShape says that the same windows are in the same phases and decide.
func (d *Decision) sameShape(other *Decision) bool {
	return d.MinBy == other.MinBy && d.MaxBy == other.MaxBy &&
		slices.EqualFunc(d.Active, other.Active, func(a, b Active) bool {
			return a.Schedule == b.Schedule && a.Window == b.Window && a.Phase == b.Phase && a.Start.Equal(b.Start)
		})
}

func sameNumber(a, b *int32) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// Transition is a moment at which a window changes its phase or another window takes over. The steps of a ramp are
// not transitions.
type Transition struct {
	Decision
	Changes []Change
}

// Change is one window's new phase.
type Change struct {
	Schedule string
	Window   string
	Start    time.Time // of the interval
	Zone     *time.Location
	Phase    Phase // 0: its interval is over, and so is its ramp
}

// Transitions returns the transitions in (from, to), at most limit of them.
func Transitions(rules []*Schedule, obs Observations, from, to time.Time, limit int) []Transition {
	obs.AssumeReady = true
	line := newTimeline(rules, obs.leadSeconds(), from.Unix(), max(to.Unix(), from.Unix()+1))
	var all []Transition
	last := line.decide(&obs, from.Unix())
	for len(all) < limit {
		now := last.Next.Unix()
		if now >= line.to {
			break
		}
		d := line.decide(&obs, now)
		if changed := changes(&last, &d); len(changed) > 0 || tookOver(&last, &d) {
			all = append(all, Transition{Decision: d, Changes: changed})
		}
		last = d
	}
	return all
}

// tookOver says that one window decides a bound in place of another, and not just in place of the HPA's own bounds: a
// ramp does that with its first step.
func tookOver(before, after *Decision) bool {
	return before.MinBy >= 0 && after.MinBy >= 0 && before.find(&after.Active[after.MinBy]) != &before.Active[before.MinBy] ||
		before.MaxBy >= 0 && after.MaxBy >= 0 && before.find(&after.Active[after.MaxBy]) != &before.Active[before.MaxBy]
}

func changes(before, after *Decision) []Change {
	var all []Change
	for i := range after.Active {
		a := &after.Active[i]
		if b := before.find(a); b == nil || b.Phase != a.Phase {
			all = append(all, Change{a.Schedule, a.Window, a.Start, a.Zone, a.Phase})
		}
	}
	for i := range before.Active {
		if b := &before.Active[i]; after.find(b) == nil {
			all = append(all, Change{b.Schedule, b.Window, b.Start, b.Zone, 0})
		}
	}
	return all
}

func (d *Decision) find(a *Active) *Active {
	for i := range d.Active {
		b := &d.Active[i]
		if a.Schedule == b.Schedule && a.Window == b.Window && a.Start.Equal(b.Start) && a.End.Equal(b.End) {
			return b
		}
	}
	return nil
}

// Interval is one interval of a window in absolute time, half-open.
type Interval struct {
	Window     string
	Start, End time.Time
	Moved      bool // the local start does not exist, so Start is the next instant that does
}

// Next returns the first interval of an unsuspended schedule that starts after an instant. Dates repeat within 28
// years at most; it looks 8 years ahead, which is the longest gap between two leap days.
func (s *Schedule) Next(after time.Time) (Interval, bool) {
	if s.suspend {
		return Interval{}, false
	}
	from := after.Unix()
	for _, days := range []int64{2, 40, 400, 8*366 + 2} {
		var found *span
		all := s.spans(nil, 0, from, from+days*secondsPerDay)
		for i := range all {
			if all[i].start > from && (found == nil || all[i].start < found.start) {
				found = &all[i]
			}
		}
		if found != nil {
			return s.interval(*found), true
		}
	}
	return Interval{}, false
}

// Intervals returns the intervals that overlap [from, to), by start, also of a suspended schedule.
func (s *Schedule) Intervals(from, to time.Time) []Interval {
	running := *s
	running.suspend = false
	line := newTimeline([]*Schedule{&running}, 0, from.Unix(), to.Unix())
	var all []Interval
	for _, found := range line.spans {
		if found.end > from.Unix() && found.start < to.Unix() {
			all = append(all, s.interval(found))
		}
	}
	return all
}

func (s *Schedule) interval(found span) Interval {
	return Interval{
		Window: s.windows[found.window].Name, Moved: found.moved,
		Start: time.Unix(found.start, 0).UTC(), End: time.Unix(found.end, 0).UTC(),
	}
}
