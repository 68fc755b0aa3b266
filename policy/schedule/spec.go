// SPDX-License-Identifier: Apache-2.0

package schedule

import "time"

// The defaults of a window.
const (
	DefaultRampDown     = 15 * time.Minute
	DefaultAfterTimeout = 10 * time.Minute
)

// Spec is one schedule in plain values. Compile checks it and turns it into a Schedule.
type Spec struct {
	Name     string // names the schedule in explanations
	TimeZone string // an IANA name; a time without offset is wall time there
	Priority int32  // of overlapping windows the one with the highest priority decides
	Suspend  bool   // a suspended schedule asks for nothing

	Windows []Window

	// Exclude lists dates on which no recurring window begins: 2026-10-01, 2026-10-01/2026-10-07 (both ends
	// belong to it) or 12-25 (every year). One-off windows are not affected.
	Exclude []string
	// ExcludeCalendar is iCalendar text: no recurring window begins during one of its events.
	ExcludeCalendar string
	// Include lists make-up working days: 2026-02-14, or 2026-02-14 as Monday. They win over Exclude.
	Include []string
	// IncludeCalendar is iCalendar text; the days of its events are make-up working days.
	IncludeCalendar string
}

// Window is a rule for half-open intervals of time and what holds during them. When: exactly one of Cron (with
// Duration), Start (with End or Duration) and Calendar. What: at most one of MinReplicas, Replicas and DemandMilli,
// and MaxReplicas, at least one of the four.
type Window struct {
	Name   string
	Reason string // why, in the author's words

	Cron     string        // five fields, as in a CronJob, without a zone
	Duration time.Duration // whole seconds, in absolute time
	Start    string        // 2026-11-11T00:00, or with an offset: 2026-11-11T00:00:00+08:00
	End      string        // as Start; exclusive
	Calendar string        // iCalendar text; every event is an interval

	MinReplicas *int32 // the floor
	Replicas    *int32 // the exact count: floor and maximum
	DemandMilli *int64 // in thousandths of the metric's unit; the floor is demand / target, rounded up
	MaxReplicas *int32
	HardMax     bool // MaxReplicas holds at once, even where that removes replicas that the HPA wants

	RampUp   time.Duration  // how long before its start the floor begins to rise; it is reached by the start
	RampDown *time.Duration // how long after its end the floor sinks; nil: DefaultRampDown
	After    []After        // the ramp waits for these
}

// After makes a ramp wait until a target is Ready, at most for Timeout from the ramp's own beginning.
type After struct {
	Target  Target
	Timeout time.Duration // 0: DefaultAfterTimeout
}

// Target names a scaled object of the schedule's namespace.
type Target struct {
	Kind string
	Name string
}

// FieldError says which field of a Spec is wrong and what to do about it.
type FieldError struct {
	Field   string // windows[1].schedule
	Problem string
}

// Error returns "windows[1].schedule: ...".
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }
