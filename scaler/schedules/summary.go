// SPDX-License-Identifier: Apache-2.0

// Package schedules writes the status of ScaleSchedules, and tells of their windows in events. It decides nothing: what
// it says comes from the same situations and decisions that the controllers of targets act by.
package schedules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// What a status holds at most.
const (
	maxWindows     = 50
	maxTransitions = 10
	maxText        = 1000
	horizon        = 48 * time.Hour // of the first transition
	following      = 24 * time.Hour // of the others, counted from the first, so that time alone changes nothing
)

// Summary adds up what a schedule comes to for its targets, one at a time, so that thousands of them need no room. It
// is arithmetic: the status depends on nothing but the schedule, the targets and the time.
type Summary struct {
	schedule *v1alpha1.ScaleSchedule
	compiled *schedule.Schedule
	now      time.Time
	next     time.Time

	targets int32
	reasons map[string]int
	worst   judgement
	name    string // of the worst target
	rank    int
	obs     schedule.Observations // of the first target
	windows []window
}

// window is an interval over all targets.
type window struct {
	v1alpha1.ActiveWindow
	rank int32 // the floor of the target that it speaks of
}

// NewSummary begins a summary. compiled is the schedule in the form in which it is evaluated; nil, if it has mistakes.
func NewSummary(s *v1alpha1.ScaleSchedule, compiled *schedule.Schedule, now time.Time) *Summary {
	return &Summary{schedule: s, compiled: compiled, now: now, reasons: map[string]int{}, rank: len(worstFirst())}
}

// Add adds a target.
func (m *Summary) Add(t Target) {
	if m.targets == 0 {
		m.obs = t.Situation.Observations()
	}
	m.targets++
	j := m.judge(&t)
	m.reasons[j.reason]++
	if rank := slices.Index(worstFirst(), j.reason); rank < m.rank {
		m.rank, m.worst, m.name = rank, j, t.Name
	}
	m.sooner(t.Outcome.Next)
	for _, i := range m.mine(&t.Outcome.Schedule) {
		m.addWindow(&t, i)
	}
}

// sooner notes a time at which the status may change.
func (m *Summary) sooner(at time.Time) {
	if at.After(m.now) && (m.next.IsZero() || at.Before(m.next)) {
		m.next = at
	}
}

// addWindow lets the target with the largest floor speak for an interval.
func (m *Summary) addWindow(t *Target, i int) {
	a := &t.Outcome.Schedule.Active[i]
	floor := int32(-1)
	if a.Min != nil {
		floor = *a.Min
	}
	at := slices.IndexFunc(m.windows, func(w window) bool { return w.Name == a.Window && w.Start.Time.Equal(a.Start) })
	if at < 0 {
		m.windows = append(m.windows, window{rank: -2})
		at = len(m.windows) - 1
	}
	w := &m.windows[at]
	released := w.Released || slices.ContainsFunc(t.Outcome.Schedule.Released, func(o schedule.Occurrence) bool {
		return o.Schedule == a.Schedule && o.Window == a.Window && o.Start == a.Start.Unix()
	})
	top := larger(w.MaxReplicas, a.Max)
	if floor > w.rank {
		message := m.window(t, i)
		if m.schedule.Spec.TargetSelector != nil {
			message = t.Name + ": " + message
		}
		w.rank = floor
		w.ActiveWindow = v1alpha1.ActiveWindow{
			Name: a.Window, Phase: v1alpha1.WindowPhase(a.Phase.String()), Start: metav1.NewTime(a.Start), End: metav1.NewTime(a.End),
			MinReplicas: larger(nil, a.Min), Message: short(message),
		}
	}
	w.MaxReplicas, w.Released = top, released
}

// larger returns the larger number, in memory of its own.
func larger(a, b *int32) *int32 {
	switch {
	case a == nil && b == nil:
		return nil
	case b == nil || a != nil && *a >= *b:
		n := *a
		return &n
	}
	n := *b
	return &n
}

// Next is when the status may change although nobody changes an object; zero: nobody knows.
func (m *Summary) Next() time.Time { return m.next }

// Status is the status, without its condition's times. trouble is what is wrong with the schedule itself; "" for nothing.
func (m *Summary) Status(trouble Trouble) v1alpha1.ScaleScheduleStatus {
	status := v1alpha1.ScaleScheduleStatus{ObservedGeneration: m.schedule.Generation, Targets: m.targets}
	slices.SortStableFunc(m.windows, func(a, b window) int {
		return cmp.Or(a.Start.Compare(b.Start.Time), strings.Compare(a.Name, b.Name))
	})
	var active []string
	for i := range m.windows[:min(len(m.windows), maxWindows)] {
		w := m.windows[i].ActiveWindow
		status.ActiveWindows = append(status.ActiveWindows, w)
		status.MinReplicas, status.MaxReplicas = larger(status.MinReplicas, w.MinReplicas), larger(status.MaxReplicas, w.MaxReplicas)
		if w.Phase != v1alpha1.WindowPhase(schedule.Waiting.String()) && !slices.Contains(active, w.Name) {
			active = append(active, w.Name)
		}
	}
	status.Active = strings.Join(active, ",")
	m.transitions(&status)
	j := m.whole(trouble, &status)
	ready := metav1.ConditionFalse
	if slices.Index(v1alpha1.ScheduleReasons(), j.reason) < slices.Index(v1alpha1.ScheduleReasons(), v1alpha1.ScheduleInvalid) {
		ready = metav1.ConditionTrue
	}
	status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: ready, Reason: j.reason, Message: short(j.message), ObservedGeneration: m.schedule.Generation,
	}}
	return status
}

// Trouble is what is wrong with the schedule itself.
type Trouble struct {
	Invalid  error  // the spec has mistakes
	NoTarget string // nothing is there to apply it to, and what to do
	Refused  string // the target can never be one, and what to do
	Failed   string // the target can be neither read nor written, and what to do
}

// whole is what the schedule comes to over all targets.
func (m *Summary) whole(trouble Trouble, status *v1alpha1.ScaleScheduleStatus) judgement {
	switch {
	case trouble.Invalid != nil:
		return judgement{v1alpha1.ScheduleInvalid, strings.ReplaceAll(trouble.Invalid.Error(), "\n", "; ") + "; correct the spec"}
	case trouble.Refused != "":
		return judgement{v1alpha1.ScheduleTargetRefused, trouble.Refused}
	case trouble.Failed != "":
		return judgement{v1alpha1.ScheduleWriteFailed, trouble.Failed}
	case trouble.NoTarget != "":
		return judgement{v1alpha1.ScheduleNoTarget, trouble.NoTarget}
	case m.schedule.Spec.Suspend:
		return judgement{v1alpha1.ScheduleSuspended, "spec.suspend is true, so the schedule asks for nothing; set it to false to go on"}
	case m.worst.reason == v1alpha1.ScheduleIdle && status.Next == "":
		return judgement{m.worst.reason, "no window is on, and none comes"}
	case m.worst.reason == v1alpha1.ScheduleIdle:
		return judgement{m.worst.reason, "no window is on; next: " + status.Next}
	case m.targets == 1:
		return judgement{m.worst.reason, m.name + ": " + m.worst.message}
	}
	return judgement{m.worst.reason, fmt.Sprintf("%d of %d targets, such as %s: %s", m.reasons[m.worst.reason], m.targets, m.name, m.worst.message)}
}

// transitions fills in what comes next.
func (m *Summary) transitions(status *v1alpha1.ScaleScheduleStatus) {
	if m.compiled == nil {
		return
	}
	all := schedule.Transitions([]*schedule.Schedule{m.compiled}, m.obs, m.now, m.now.Add(horizon+following), maxTransitions)
	for _, t := range all {
		if all[0].At.After(m.now.Add(horizon)) || !t.At.Before(all[0].At.Add(following)) {
			break
		}
		for _, c := range t.Changes {
			if len(status.NextTransitions) == maxTransitions {
				break
			}
			phase := c.Phase.String()
			status.NextTransitions = append(status.NextTransitions, v1alpha1.WindowTransition{
				Time: metav1.NewTime(t.At), Window: c.Window, Phase: v1alpha1.WindowPhase(phase),
				MinReplicas: larger(nil, t.Min), MaxReplicas: larger(nil, t.Max),
			})
		}
	}
	if len(status.NextTransitions) == 0 {
		if interval, ok := m.compiled.Next(m.now); ok {
			status.NextTransitions = []v1alpha1.WindowTransition{{
				Time: metav1.NewTime(interval.Start), Window: interval.Window, Phase: v1alpha1.WindowPhase(schedule.On.String()),
			}}
		}
	}
	if len(status.NextTransitions) > 0 {
		first := status.NextTransitions[0]
		status.Next = fmt.Sprintf("%s %s %s", localTime(first.Time.Time, m.compiled.Zone()), first.Window, first.Phase)
		m.sooner(first.Time.Time)
	}
}

// short keeps a text within what the status takes.
func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "..."
}
