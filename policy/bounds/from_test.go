// SPDX-License-Identifier: Apache-2.0

package bounds

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/schedule"
)

func drawRule(t *rapid.T, i int) *schedule.Schedule {
	begin := rapid.IntRange(0, 90).Draw(t, "begin")
	end := begin + rapid.IntRange(1, 60).Draw(t, "minutes")
	down := time.Duration(rapid.IntRange(0, 20).Draw(t, "ramp down")) * time.Minute
	w := schedule.Window{
		Name:  "w",
		Start: noon.Add(time.Duration(begin) * time.Minute).Format(time.RFC3339), End: noon.Add(time.Duration(end) * time.Minute).Format(time.RFC3339),
		RampUp: time.Duration(rapid.IntRange(0, 20).Draw(t, "ramp up")) * time.Minute, RampDown: &down,
	}
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		w.MinReplicas = p(rapid.Int32Range(0, 60).Draw(t, "min"))
	case 1:
		w.MinReplicas = p(rapid.Int32Range(0, 60).Draw(t, "min"))
		w.MaxReplicas = p(*w.MinReplicas + rapid.Int32Range(1, 60).Draw(t, "room"))
	case 2:
		w.Replicas = p(rapid.Int32Range(1, 60).Draw(t, "replicas"))
	case 3:
		w.MaxReplicas = p(rapid.Int32Range(1, 60).Draw(t, "max"))
	}
	rule, err := schedule.Compile(schedule.Spec{
		Name: fmt.Sprint(i), TimeZone: "UTC", Priority: rapid.Int32Range(0, 2).Draw(t, "priority"), Windows: []schedule.Window{w},
	}, nil)
	require.NoError(t, err)
	return rule
}

// A preview of the schedules alone promises what the bounds become, as far as the HPA's own maximum allows.
func TestSchedulesAloneComeToTheirPreview(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := Bounds{Min: rapid.Int32Range(0, 10).Draw(t, "base min")}
		base.Max = max(base.Min, 1) + rapid.Int32Range(0, 40).Draw(t, "base room")
		var rules []*schedule.Schedule
		for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
			rules = append(rules, drawRule(t, i))
		}
		now := noon.Add(time.Duration(rapid.IntRange(-20, 170).Draw(t, "now")) * time.Minute)
		d := schedule.Evaluate(rules, schedule.Observations{BaseMin: base.Min, BaseMax: base.Max}, now)
		r := Evaluate(Input{Now: now, Base: base, Contributions: FromWindows(d)})

		want := base
		if d.Max != nil {
			want.Max = max(*d.Max, 1)
		}
		if d.Min != nil {
			want.Min = *d.Min
		}
		if d.Clash == schedule.MaxRaised && d.Active[d.MinBy].Max == nil {
			// A floor without a maximum of its own makes no room above the HPA's.
			want.Max = max(min(want.Max, base.Max), *d.Active[d.MaxBy].Max)
		}
		want.Min = min(want.Min, want.Max)
		require.Equal(t, want, r.Bounds)
	})
}

// A window of an exact count is exact while it is on: its ramps are floors.
func TestARampIsNotExact(t *testing.T) {
	for phase, exact := range map[schedule.Phase]bool{schedule.RampUp: false, schedule.On: true, schedule.RampDown: false} {
		require.Equal(t, exact, FromWindow(schedule.Active{Min: p(5), Exact: true, Phase: phase}).Exact, phase)
	}
}
