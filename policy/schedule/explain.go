// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"fmt"
	"strings"
	"time"
)

// Explain says in one sentence for each active window what it does and who won, in the order of Active.
func (d *Decision) Explain() []string {
	if len(d.Active) == 0 {
		return []string{"no window is on"}
	}
	lines := make([]string, len(d.Active))
	for i := range d.Active {
		lines[i] = d.Why(i)
	}
	return lines
}

// Why says what Active[i] does and why its numbers count or do not.
func (d *Decision) Why(i int) string {
	a := &d.Active[i]
	var parts []string
	switch {
	case a.Phase == Waiting:
		return a.where() + ": it sets nothing before " + names(a.Waiting) + " is Ready or the time-out has passed"
	case a.NoTarget:
		parts = append(parts, "its demand sets no floor, because the HPA's target for one replica is not known")
	case a.Min != nil:
		parts = append(parts, d.whyMin(i))
	}
	if a.Max != nil {
		parts = append(parts, d.whyMax(i))
	}
	if len(parts) == 0 {
		parts = append(parts, "its lower maxReplicas holds from start to end only")
	}
	return a.where() + ": " + strings.Join(parts, "; ")
}

func (a *Active) where() string {
	name := a.Schedule + "/" + a.Window
	switch a.Phase {
	case Waiting:
		return name + " waits"
	case RampUp, Lead:
		return fmt.Sprintf("%s ramps up for %s", name, a.local(a.Start))
	case RampDown:
		return fmt.Sprintf("%s ramps down until %s", name, a.local(a.End.Add(a.RampDown)))
	default:
		return fmt.Sprintf("%s is on until %s", name, a.local(a.End))
	}
}

func (a *Active) local(at time.Time) string {
	return at.In(a.Zone).Format("2006-01-02 15:04 ") + a.Zone.String()
}

func names(targets []Target) string {
	list := make([]string, len(targets))
	for i, t := range targets {
		list[i] = t.Name
	}
	return strings.Join(list, ", ")
}

func (d *Decision) whyMin(i int) string {
	a := &d.Active[i]
	ramp := ""
	if a.RaiseOnly && *a.Full > *a.Min {
		ramp = fmt.Sprintf(" (on its way to or from %d)", *a.Full)
	}
	switch {
	case i == d.MinBy && d.Clash == FloorLowered:
		by := &d.Active[d.MaxBy]
		return fmt.Sprintf("it decides minReplicas, but its %d%s is lowered to %d, the maxReplicas of %s/%s, which has the higher priority", *a.Min, ramp, *d.Min, by.Schedule, by.Window)
	case i == d.MinBy:
		return fmt.Sprintf("it decides minReplicas %d%s", *a.Min, ramp)
	case d.MinBy < 0:
		return fmt.Sprintf("its minReplicas %d%s is not above the HPA's own", *a.Min, ramp)
	default:
		return fmt.Sprintf("its minReplicas %d%s loses to %s", *a.Min, ramp, against(a, &d.Active[d.MinBy], d.Active[d.MinBy].Min))
	}
}

func (d *Decision) whyMax(i int) string {
	a := &d.Active[i]
	switch {
	case i == d.MaxBy && d.Clash == MaxRaised:
		by := &d.Active[d.MinBy]
		return fmt.Sprintf("it decides maxReplicas, but its %d is raised to %d, the minReplicas of %s/%s", *a.Max, *d.Max, by.Schedule, by.Window)
	case i == d.MaxBy:
		return fmt.Sprintf("it decides maxReplicas %d", *a.Max)
	case d.MaxBy < 0:
		return fmt.Sprintf("its maxReplicas %d is not above the HPA's own", *a.Max)
	default:
		return fmt.Sprintf("its maxReplicas %d loses to %s", *a.Max, against(a, &d.Active[d.MaxBy], d.Active[d.MaxBy].Max))
	}
}

func against(a, winner *Active, number *int32) string {
	name := fmt.Sprintf("%d of %s/%s", *number, winner.Schedule, winner.Window)
	switch {
	case winner.Priority > a.Priority:
		return fmt.Sprintf("%s, which has priority %d over %d", name, winner.Priority, a.Priority)
	case winner.Priority < a.Priority:
		return name + ", because a ramp only raises"
	default:
		return name + " at the same priority"
	}
}
