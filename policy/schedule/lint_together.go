// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// together collects what the windows of one target do to each other.
type together struct {
	rules   []*Schedule
	obs     Observations
	found   []Finding
	said    map[string]bool    // what was said already: once is enough
	decided map[[2]string]bool // windows that ever decide a bound
	beaten  map[[2]string]string
	order   [][2]string
}

// lintTogether walks through the decisions of the horizon.
func lintTogether(rules []*Schedule, obs Observations, now time.Time) []Finding {
	obs.AssumeReady = true
	t := together{rules: rules, obs: obs, said: map[string]bool{}, decided: map[[2]string]bool{}, beaten: map[[2]string]string{}}
	line := newTimeline(rules, obs.leadSeconds(), now.Unix(), lintUntil(rules, now))
	last := line.decide(&obs, now.Unix())
	t.look(&last)
	for range lintDecisions {
		at := last.Next.Unix()
		if at >= line.to {
			break
		}
		d := line.decide(&obs, at)
		t.look(&d)
		t.jump(&last, &d)
		last = d
	}
	for _, key := range t.order {
		if !t.decided[key] {
			t.found = append(t.found, Finding{Schedule: key[0], Window: key[1],
				Message: "the window never decides a bound: " + t.beaten[key]})
		}
	}
	return t.found
}

func (t *together) say(a *Active, kind, format string, args ...any) {
	key := a.Schedule + "/" + a.Window + " " + kind
	if t.said[key] {
		return
	}
	t.said[key] = true
	t.found = append(t.found, Finding{Schedule: a.Schedule, Window: a.Window, Message: fmt.Sprintf(format, args...)})
}

func (t *together) look(d *Decision) {
	for i := range d.Active {
		a := &d.Active[i]
		if a.Phase != On {
			continue
		}
		key := [2]string{a.Schedule, a.Window}
		if _, seen := t.beaten[key]; !seen {
			t.beaten[key] = d.Why(i)
			t.order = append(t.order, key)
		}
		if i == d.MinBy || i == d.MaxBy || a.NoTarget {
			t.decided[key] = true
		}
		t.alone(a)
		t.exact(d, i)
	}
	t.clash(d)
	t.capped(d)
}

// alone compares a window with the HPA's own bounds.
func (t *together) alone(a *Active) {
	if t.obs.BaseMax == 0 {
		return
	}
	if a.NoTarget {
		t.say(a, "demand", "its demand sets no floor: the HPA has no single metric with an AverageValue target to divide it by; use minReplicas")
	}
	if a.Max != nil && a.Min == nil && *a.Max < t.obs.BaseMin {
		t.say(a, "low", "its maxReplicas %d is below the HPA's own minReplicas %d, and it sets no minReplicas", *a.Max, t.obs.BaseMin)
	}
}

func (t *together) exact(d *Decision, i int) {
	a := &d.Active[i]
	for j := range d.Active[:i] {
		b := &d.Active[j]
		if a.Exact && b.Exact && b.Phase == On && a.Priority == b.Priority && *a.Full != *b.Full {
			t.say(a, "exact", "at %s it asks for exactly %d replicas and %s/%s for exactly %d, at the same priority; give one of them a higher priority",
				a.local(d.At), *a.Full, b.Schedule, b.Window, *b.Full)
		}
	}
}

func (t *together) clash(d *Decision) {
	if d.Clash == NoClash {
		return
	}
	low, high := &d.Active[d.MaxBy], &d.Active[d.MinBy]
	if d.Clash == FloorLowered {
		t.say(high, "clash", "at %s its minReplicas %d is lowered to %d, the maxReplicas of %s/%s, which has the higher priority",
			high.local(d.At), *high.Min, *d.Min, low.Schedule, low.Window)
		return
	}
	t.say(low, "clash", "at %s its maxReplicas %d is raised to %d, the minReplicas of %s/%s; give the one that shall win a higher priority",
		low.local(d.At), *low.Max, *d.Max, high.Schedule, high.Window)
}

// capped tells of a floor above the HPA's maximum that no window raises.
func (t *together) capped(d *Decision) {
	if t.obs.BaseMax == 0 || d.Min == nil || d.Max != nil || *d.Min <= t.obs.BaseMax {
		return
	}
	a := &d.Active[d.MinBy]
	t.say(a, "capped", "its floor of %d is above the HPA's maxReplicas %d and will be capped there (FloorCapped); set the window's maxReplicas to allow more",
		*a.Full, t.obs.BaseMax)
}

// jump tells of a window without rampUp whose start more than doubles the floor.
func (t *together) jump(before, after *Decision) {
	if after.Min == nil || after.Active[after.MinBy].Phase != On || before.find(&after.Active[after.MinBy]) != nil {
		return
	}
	a := &after.Active[after.MinBy]
	from := t.obs.BaseMin
	switch {
	case before.Min != nil:
		from = *before.Min
	case t.obs.BaseMax == 0:
		return
	}
	if *after.Min > steepJump*max(from, 1) {
		t.say(a, "jump", "at %s the floor jumps from %d to %d at once, more than twofold; add rampUp (10m for example), so that nodes, caches and databases can follow",
			a.local(after.At), from, *after.Min)
	}
}

func sortedTargets(waits map[Target][]Target) []Target {
	return slices.SortedFunc(maps.Keys(waits), func(a, b Target) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

func circleFrom(at Target, waits map[Target][]Target, done map[Target]bool, path []Target) []Target {
	if i := slices.Index(path, at); i >= 0 {
		return append(slices.Clone(path[i:]), at)
	}
	if done[at] {
		return nil
	}
	done[at] = true
	path = append(path, at)
	for _, next := range waits[at] {
		if circle := circleFrom(next, waits, done, path); circle != nil {
			return circle
		}
	}
	return nil
}
