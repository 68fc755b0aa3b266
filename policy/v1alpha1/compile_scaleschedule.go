// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/schedule"
)

// Compile checks everything that the API server cannot, such as the time zone and calendars, and returns the schedule
// in the form in which it is evaluated. The error joins one *schedule.FieldError for each mistake, with fields below
// spec. zones keeps time zones for several schedules and may be nil.
func (s *ScaleSchedule) Compile(zones *schedule.Zones) (*schedule.Schedule, error) {
	return schedule.Compile(s.PlainSpec(), zones)
}

// PlainSpec returns the spec in plain values, with the defaults that the API server fills in.
func (s *ScaleSchedule) PlainSpec() schedule.Spec {
	spec := schedule.Spec{
		Name: s.Name, TimeZone: s.Spec.TimeZone, Priority: s.Spec.Priority, Suspend: s.Spec.Suspend,
		Exclude: s.Spec.Exclude, ExcludeCalendar: s.Spec.ExcludeCalendar,
		Include: s.Spec.Include, IncludeCalendar: s.Spec.IncludeCalendar,
	}
	for i := range s.Spec.Windows {
		spec.Windows = append(spec.Windows, s.Spec.Windows[i].plain())
	}
	return spec
}

func (w *ScheduleWindow) plain() schedule.Window {
	plain := schedule.Window{
		Name: w.Name, Reason: w.Reason,
		Cron: w.Schedule, Duration: durationOf(w.Duration), Start: w.Start, End: w.End, Calendar: w.Calendar,
		MinReplicas: w.MinReplicas, Replicas: w.Replicas, DemandMilli: milli(w.Demand), MaxReplicas: w.MaxReplicas, HardMax: w.HardMax,
		RampUp: durationOf(w.RampUp),
	}
	if w.RampDown != nil {
		plain.RampDown = &w.RampDown.Duration
	}
	for _, after := range w.After {
		kind := after.Kind
		if kind == "" {
			kind = DefaultTargetKind
		}
		plain.After = append(plain.After, schedule.After{
			Target: schedule.Target{Kind: kind, Name: after.Name}, Timeout: durationOf(after.Timeout),
		})
	}
	return plain
}

func durationOf(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.Duration
}

// milli returns thousandths, rounded up; a quantity too large for that becomes the largest number there is.
func milli(q *resource.Quantity) *int64 {
	if q == nil {
		return nil
	}
	value := q.MilliValue()
	if q.Sign() > 0 && q.CmpInt64(math.MaxInt64/1000) > 0 {
		value = math.MaxInt64
	}
	return &value
}
