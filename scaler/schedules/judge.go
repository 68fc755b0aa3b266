// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// How long pods may take to be Ready with a floor, where it was never measured how long they take; and how much longer
// than was measured, because the HPA first has to look, and its workload to make the pods.
const (
	reachGrace = 2 * time.Minute
	reachSlack = time.Minute
)

// judgement is what one target, or the whole schedule, comes to.
type judgement struct {
	reason  string
	message string
}

// worstFirst are the reasons that a target can have. Of several targets, the one whose reason comes first is told of.
func worstFirst() []string {
	return []string{
		v1alpha1.ScheduleTargetRefused, v1alpha1.SchedulePaused, v1alpha1.ScheduleWriteFailed, v1alpha1.ScheduleReverted,
		v1alpha1.ScheduleDemandUnknown, v1alpha1.ScheduleFloorCapped, v1alpha1.ScheduleFloorNotReached,
		v1alpha1.ScheduleWaiting, v1alpha1.ScheduleOverruled, v1alpha1.ScheduleActive, v1alpha1.ScheduleRestoring, v1alpha1.ScheduleIdle,
	}
}

// judge says what the schedule comes to for one target.
func (m *Summary) judge(t *Target) judgement {
	if j, found := m.leftAlone(t); found {
		return j
	}
	mine := m.mine(&t.Outcome.Schedule)
	switch {
	case t.NoDemand != "" && states(m.schedule):
		return judgement{v1alpha1.ScheduleDemandUnknown, t.NoDemand + "; give the window minReplicas instead of demand"}
	case len(mine) == 0:
		return m.afterwards(t)
	}
	if j, found := m.capped(t); found {
		return j
	}
	if j, found := m.notReached(t, mine); found {
		return j
	}
	d := &t.Outcome.Schedule
	for _, i := range mine {
		if d.Active[i].Phase == schedule.Waiting {
			return judgement{v1alpha1.ScheduleWaiting, d.Why(i)}
		}
	}
	return m.running(t, mine)
}

// leftAlone is for targets whose numbers are not written.
func (m *Summary) leftAlone(t *Target) (judgement, bool) {
	s := t.Situation
	switch {
	case t.Refused != "":
		return judgement{v1alpha1.ScheduleTargetRefused, t.Refused}, true
	case s.PausedBy != "":
		return judgement{v1alpha1.SchedulePaused, fmt.Sprintf("paused by the annotation %s of %s, so it stays at %d; remove the annotation, or: kubectl plimsoll resume",
			record.PausedAnnotation, s.PausedBy, t.Floor)}, true
	case s.Unreadable:
		return judgement{v1alpha1.ScheduleWriteFailed, strings.Join(s.Problems, "; ")}, true
	case t.WriteFailure != nil:
		return judgement{v1alpha1.ScheduleWriteFailed, t.WriteFailure.Error()}, true
	case t.Outcome.Adoption.Change == bounds.Contested:
		return judgement{v1alpha1.ScheduleReverted, fmt.Sprintf("%s writes it back to %d whenever it is changed, so it is left alone for up to %s; let it ignore minReplicas, maxReplicas and replicas",
			t.RevertedBy, t.Floor, bounds.RevertWindow)}, true
	}
	return judgement{}, false
}

// mine are the indices of the schedule's own windows among those that matter now.
func (m *Summary) mine(d *schedule.Decision) []int {
	var mine []int
	for i := range d.Active {
		if d.Active[i].Schedule == m.schedule.Name {
			mine = append(mine, i)
		}
	}
	return mine
}

// afterwards is for targets of which no window wants anything now.
func (m *Summary) afterwards(t *Target) judgement {
	r := &t.Outcome.Result
	tail := r.State.Tail
	if tail != nil && m.is(tail.By) || r.Has(bounds.Restoring) && len(r.Verdicts) == 0 {
		return judgement{v1alpha1.ScheduleRestoring, "the window is over, and its bounds go back in steps: " + notes(r, bounds.Decaying, bounds.Restoring)}
	}
	return judgement{v1alpha1.ScheduleIdle, ""}
}

func (m *Summary) is(by bounds.Source) bool {
	return by.Kind == bounds.KindSchedule && by.Name == m.schedule.Name
}

func notes(r *bounds.Result, reasons ...bounds.NoteReason) string {
	var texts []string
	for _, n := range r.Notes {
		if slices.Contains(reasons, n.Reason) {
			texts = append(texts, n.Message)
		}
	}
	return strings.Join(texts, "; ")
}

func (m *Summary) capped(t *Target) (judgement, bool) {
	r := &t.Outcome.Result
	if !r.Has(bounds.FloorCapped) || !m.is(r.FloorBy) {
		return judgement{}, false
	}
	return judgement{v1alpha1.ScheduleFloorCapped, notes(r, bounds.FloorCapped) + "; set maxReplicas of the window, or raise the other maximum"}, true
}

// notReached says so when a floor of this schedule is written and its window has begun, but the pods are not Ready.
func (m *Summary) notReached(t *Target, mine []int) (judgement, bool) {
	r, pods := &t.Outcome.Result, t.Situation.Pods
	on := slices.ContainsFunc(mine, func(i int) bool { return t.Outcome.Schedule.Active[i].Phase == schedule.On })
	has := pods.Ready
	if pods.Total == 0 {
		has = t.Situation.Replicas // whose pods are not known by their owner
	}
	if !on || !m.is(r.FloorBy) || t.Floor < r.Bounds.Min || has >= r.Bounds.Min {
		return judgement{}, false
	}
	grace := reachGrace
	if pods.Lead > 0 {
		grace = pods.Lead + reachSlack
	}
	since := t.Outcome.Record.State.Since
	if until := since.Add(grace); pods.Unschedulable == 0 && m.now.Before(until) {
		m.sooner(until)
		return judgement{}, false
	}
	text := fmt.Sprintf("the floor is %d, but fewer pods are Ready", r.Bounds.Min)
	switch {
	case pods.Unschedulable > 0:
		text += ": some are pending because no node has place for them; add nodes, or free some"
	case pods.Total < r.Bounds.Min:
		text += ": some were not created; look at the ResourceQuotas of the namespace and at the events of the workload"
	default:
		text += ": some do not become Ready; look at their logs and probes"
	}
	return judgement{v1alpha1.ScheduleFloorNotReached, text}, true
}

// running is for targets with a window that is on or ramps.
func (m *Summary) running(t *Target, mine []int) judgement {
	d, r := &t.Outcome.Schedule, &t.Outcome.Result
	var texts []string
	won, over, overtaken := false, true, false
	for _, i := range mine {
		a := &d.Active[i]
		won = won || r.Verdicts[i].Won
		over = over && a.Phase == schedule.RampDown
		overtaken = overtaken || a.Min != nil && m.others(r.FloorBy) || a.Min == nil && a.Max != nil && m.others(r.MaxBy)
		texts = append(texts, m.window(t, i))
	}
	text := strings.Join(texts, "; ")
	switch {
	case over:
		return judgement{v1alpha1.ScheduleRestoring, text}
	case !won && overtaken:
		return judgement{v1alpha1.ScheduleOverruled, text}
	}
	return judgement{v1alpha1.ScheduleActive, text}
}

// others says whether somebody else asked for a number: another schedule, a forecast or an override.
func (m *Summary) others(by bounds.Source) bool {
	switch by.Kind {
	case bounds.KindSchedule:
		return by.Name != m.schedule.Name
	case bounds.KindForecast, bounds.KindOverride:
		return true
	}
	return false
}

// window says in a sentence what a window does to a target, and why.
func (m *Summary) window(t *Target, i int) string {
	d, r := &t.Outcome.Schedule, &t.Outcome.Result
	a := &d.Active[i]
	if a.Phase == schedule.Waiting || a.NoTarget || r.Verdicts[i].Why == "" {
		return d.Why(i)
	}
	return fmt.Sprintf("%s %s: %s", a.Window, m.during(a), r.Verdicts[i].Why)
}

func (m *Summary) during(a *schedule.Active) string {
	switch a.Phase {
	case schedule.RampUp, schedule.Lead:
		return "ramps up for " + localTime(a.Start, a.Zone)
	case schedule.RampDown:
		return "ramps down until " + localTime(a.End.Add(a.RampDown), a.Zone)
	default:
		return "is on until " + localTime(a.End, a.Zone)
	}
}

// localTime is a time as people write it: 2026-11-23 19:00 Asia/Shanghai.
func localTime(at time.Time, zone *time.Location) string {
	layout := "2006-01-02 15:04"
	if at.Second() != 0 {
		layout += ":05"
	}
	return at.In(zone).Format(layout) + " " + zone.String()
}
