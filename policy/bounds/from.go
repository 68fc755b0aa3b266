// SPDX-License-Identifier: Apache-2.0

package bounds

import "github.com/plimsoll/plimsoll/policy/schedule"

// FromWindow is the contribution of an active window of a schedule.
func FromWindow(a schedule.Active) Contribution {
	c := Contribution{
		Source:      Source{Kind: KindSchedule, Name: a.Schedule, Part: a.Window},
		Reason:      a.Reason,
		MinReplicas: copied(a.Min),
		MaxReplicas: copied(a.Max),
		Exact:       a.Exact && a.Phase == schedule.On,
		HardMax:     a.HardMax,
		RaiseOnly:   a.RaiseOnly,
		Sinking:     a.Phase == schedule.RampDown,
		Priority:    a.Priority,
		Until:       a.End,
	}
	if a.RampDown > 0 {
		c.RampEnds = a.End.Add(a.RampDown)
	}
	return c
}

// FromWindows are the contributions of a schedule's decision.
func FromWindows(d schedule.Decision) []Contribution {
	out := make([]Contribution, len(d.Active))
	for i, a := range d.Active {
		out[i] = FromWindow(a)
	}
	return out
}

// FromForecast is the contribution of a forecast's floor.
func FromForecast(name, reason string, floor, priority int32) Contribution {
	return Contribution{
		Source: Source{Kind: KindForecast, Name: name}, Reason: reason, MinReplicas: &floor, RaiseOnly: true, Priority: priority,
	}
}

// copied gives a number of its own: a schedule's evaluator reuses its memory.
func copied(n *int32) *int32 {
	if n == nil {
		return nil
	}
	v := *n
	return &v
}
