// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// maxIntervals is how many intervals of one window are looked at.
const maxIntervals = 400

// steepJump is how many times its height a floor may reach at once without a word.
const steepJump = 2

// Window is one window of the event with what it asks of one target, at the first of its intervals.
type Window struct {
	Schedule string `json:"schedule"` // namespace/name
	Window   string `json:"window"`
	Target   string `json:"target"` // namespace/name of the HPA
	Reason   string `json:"reason,omitempty"`

	Rises     time.Time `json:"rises"` // when the floor begins to rise
	Full      time.Time `json:"full"`  // when it is at its full height
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Intervals int       `json:"intervals"` // how many were looked at, this one among them

	Before int32  `json:"before"`         // the target's floor just before it rises
	Asks   *int32 `json:"asks,omitempty"` // the window's own floor; absent: it sets none
	Floor  int32  `json:"floor"`          // what everything together asks for at its start
	Jump   bool   `json:"jump"`           // more than twofold at once

	timeline []stretch
}

// windowsOf finds the windows of the event that matter, for all targets.
func (w *World) windowsOf(targets []*target, o Options, zones *schedule.Zones) []Window {
	var all []Window
	for _, t := range targets {
		for i := range w.Event {
			if s := &w.Event[i]; appliesTo(s, t.hpa) && !s.Spec.Suspend {
				all = append(all, windowsOfSchedule(s, t, o, zones)...)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Window) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Target, b.Target)) })
	return all
}

func windowsOfSchedule(s *v1alpha1.ScaleSchedule, t *target, o Options, zones *schedule.Zones) []Window {
	var all []Window
	spec := s.PlainSpec()
	for i := range spec.Windows {
		one, alone := spec.Windows[i], spec
		alone.Windows = spec.Windows[i : i+1]
		rule, err := schedule.Compile(alone, zones)
		if err != nil {
			continue // the whole schedule compiled, so its parts do
		}
		down := schedule.DefaultRampDown
		if one.RampDown != nil {
			down = *one.RampDown
		}
		found := intervals(rule, o, t.obs.Lead+one.RampUp, down)
		if len(found) == 0 {
			continue
		}
		first := found[0]
		row := Window{
			Schedule: s.Namespace + "/" + s.Name, Window: one.Name, Target: t.name(), Reason: one.Reason, Intervals: len(found),
			Start: first.Start.In(rule.Zone()), End: first.End.In(rule.Zone()),
			Full: first.Start.Add(-t.obs.Lead).In(rule.Zone()), Rises: first.Start.Add(-t.obs.Lead - one.RampUp).In(rule.Zone()),
		}
		for _, f := range found {
			row.timeline = append(row.timeline, stretch{f.Start.Add(-t.obs.Lead - one.RampUp), f.End.Add(down)})
		}
		row.judge(t, rule, one.RampUp)
		all = append(all, row)
	}
	return all
}

// intervals are those of the time that is looked at, ramps included; or the first one after it.
func intervals(rule *schedule.Schedule, o Options, before, after time.Duration) []schedule.Interval {
	if !o.At.IsZero() {
		found := rule.Intervals(o.At.Add(-after), o.At.Add(before+time.Second))
		return slices.DeleteFunc(found, func(i schedule.Interval) bool {
			return o.At.Before(i.Start.Add(-before)) || !o.At.Before(i.End.Add(after))
		})
	}
	found := rule.Intervals(o.Now, o.Now.Add(o.For))
	if len(found) > 0 {
		return found[:min(len(found), maxIntervals)]
	}
	if next, ok := rule.Next(o.Now); ok {
		return []schedule.Interval{next}
	}
	return nil
}

// judge fills in the numbers of the first interval.
func (w *Window) judge(t *target, rule *schedule.Schedule, rampUp time.Duration) {
	alone := schedule.Evaluate([]*schedule.Schedule{rule}, t.obs, w.Start)
	for _, a := range alone.Active {
		if a.Full != nil && (w.Asks == nil || *a.Full > *w.Asks) {
			full := *a.Full
			w.Asks = &full
		}
	}
	w.Before, w.Floor = t.decide(w.Rises.Add(-time.Second)).want, t.decide(w.Start).want
	w.Jump = rampUp == 0 && t.decide(w.Full).want > steepJump*max(w.Before, 1)
}

// jumpAdvice is what to do about a jump.
func (w Window) jumpAdvice() string {
	return fmt.Sprintf("at %s the floor of %s jumps from %d to %d at once, more than twofold: give window %s of ScaleSchedule %s a rampUp (10m for example), so that nodes, caches and databases can follow",
		clock(w.Full), w.Target, w.Before, w.Floor, w.Window, w.Schedule)
}

// clock writes a time as the schedule's author knows it.
func clock(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }
