// SPDX-License-Identifier: Apache-2.0

package upcoming

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// noon is a Monday in Shanghai, where it is 20:00.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func compile(t *testing.T, name string, priority int32, windows ...schedule.Window) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Compile(schedule.Spec{Name: name, TimeZone: "Asia/Shanghai", Priority: priority, Windows: windows}, nil)
	require.NoError(t, err)
	return s
}

// plan is an HPA of 10..50 with windows.
func plan(rules ...*schedule.Schedule) Plan {
	base := bounds.Bounds{Min: 10, Max: 50}
	self := bounds.Source{Kind: bounds.KindBase}
	return Plan{
		Namespace: "live", Name: "shop", Base: base, Replicas: 12, Schedules: rules,
		Decided:  bounds.Result{Bounds: base, FloorBy: self, MaxBy: self},
		Observed: schedule.Observations{BaseMin: 10, BaseMax: 50},
	}
}

func window(name, start string, minReplicas int32) schedule.Window {
	down := 15 * time.Minute
	return schedule.Window{Name: name, Start: start, Duration: time.Hour, MinReplicas: &minReplicas, RampUp: 30 * time.Minute, RampDown: &down}
}

func (p Plan) text(hours int) string {
	to := noon.Add(time.Duration(hours) * time.Hour)
	return Text(Document{From: noon, To: to, HPAs: 1, Changes: p.Changes(noon, to)}, View{Zone: time.UTC, Width: 100})
}

func number(n int32) *int32 { return &n }

func TestChanges(t *testing.T) {
	withLead := plan(compile(t, "shop", 0, window("late", "2026-11-23T23:00", 40)))
	withLead.Observed.Lead = 5 * time.Minute

	abrupt := window("late", "2026-11-23T23:00", 40)
	abrupt.RampUp, abrupt.RampDown = 0, new(time.Duration)
	abrupt.Reason = "late shoppers"

	capped := window("late", "2026-11-23T23:00", 80)
	roomy := capped
	roomy.MaxReplicas = number(90)

	overridden := plan(compile(t, "shop", 0, window("late", "2026-11-23T23:00", 40)))
	overridden.Override = &record.Override{Min: number(45), Since: noon.Add(-time.Hour), Until: noon.Add(5 * time.Hour), Reason: "test", Author: "anna"}
	overridden.Decided = bounds.Result{Bounds: bounds.Bounds{Min: 45, Max: 50}, FloorBy: bounds.Source{Kind: bounds.KindOverride, Name: "anna"}, MaxBy: bounds.Source{Kind: bounds.KindBase}}

	paused := plan(compile(t, "shop", 0, abrupt))
	paused.PausedBy = "Namespace live"
	refused := plan(compile(t, "shop", 0, abrupt))
	refused.Refused = "ScaledObject shop owns the HPA"

	sinking := plan()
	sinking.Decided.Bounds.Min, sinking.Decided.FloorBy = 30, bounds.Source{Kind: bounds.KindSchedule, Name: "gone", Part: "w"}
	sinking.Decided.State.Tail = &bounds.Tail{From: 40, Since: noon.Add(-3 * time.Minute), By: sinking.Decided.FloorBy}
	sinking.Decided.Notes = []bounds.Note{{Reason: bounds.Decaying, Message: "it sinks"}}

	forecast := plan()
	forecast.Forecasts = []Forecast{{Name: "users", Floor: 10, Lead: 10 * time.Minute, Points: []Point{
		{noon.Add(time.Hour), 20}, {noon.Add(2 * time.Hour), 12}, {noon.Add(3 * time.Hour), 5},
	}}}

	for name, tc := range map[string]struct {
		plan Plan
		want string
	}{
		"nothing": {plan(), "Nothing is planned for the next 24h: no bounds of 1 HPA will change.\n"},
		"a window with ramps and a lead time": {withLead, `
  14:25  live/shop  min 10 -> 40, max 50, in steps until 14:55
         ScaleSchedule shop/late ramps up for its start at 23:00 Asia/Shanghai
  16:00  live/shop  min 40 -> 10, max 50, in steps until 16:15
         ScaleSchedule shop/late ended at 00:00 Asia/Shanghai and ramps down
         minReplicas 10 is of the HPA itself
`},
		"a window without ramps leaves a floor that decays": {plan(compile(t, "shop", 0, abrupt)), `
  15:00  live/shop  min 10 -> 40, max 50
         ScaleSchedule shop/late is on from 23:00 Asia/Shanghai until Tue 24 Nov 00:00 Asia/Shanghai
         (late shoppers)
  16:00  live/shop  min 40 -> 10, max 50, in steps until 16:14
         ScaleSchedule shop/late is over (late shoppers)
         minReplicas 10 is of the HPA itself
         Decaying: ScaleSchedule shop/late no longer asks for its floor, which is at 40 on the way
         to 10, 10 % a minute
`},
		"a floor above the maximum is capped": {plan(compile(t, "shop", 0, capped)), `
  14:30  live/shop  min 10 -> 50, max 50, in steps until 15:00
         ScaleSchedule shop/late ramps up for its start at 23:00 Asia/Shanghai
         FloorCapped: the floor of 80 that ScaleSchedule shop/late asks for is above the maximum 50
         of HorizontalPodAutoscaler
`},
		"a window that states a maximum": {plan(compile(t, "shop", 0, roomy)), `
  14:30  live/shop  min 10 -> 80, max 50 -> 90, in steps until 15:00
         ScaleSchedule shop/late ramps up for its start at 23:00 Asia/Shanghai
`},
		"one of two windows is overruled": {plan(compile(t, "shop", 0, window("late", "2026-11-23T23:00", 40)), compile(t, "sale", 5, window("sale", "2026-11-23T23:00", 30))), `
OVERRULED ScaleSchedule shop/late: its priority 0 is below 5 of ScaleSchedule sale/sale
`},
		"an override ends after a window that it beats": {overridden, `
         OVERRULED ScaleSchedule shop/late: Override anna beats it
  17:00  live/shop  min 45 -> 10, max 50, in steps until 17:15
         Override anna ends (test)
`},
		"paused":                        {paused, "does not happen while Namespace live is paused\n"},
		"left alone":                    {refused, "Nothing is planned"},
		"a floor that sinks already":    {sinking, "  12:00  live/shop  min 30 -> 10, max 50, in steps until 12:11\n         going on already\n"},
		"a forecast rises a lead early": {forecast, "  12:50  live/shop  min 10 -> 20, max 50 (forecast)\n         ScaleForecast users expects another demand\n"},
		"a forecast holds its peak":     {forecast, "  14:00  live/shop  min 20 -> 12, max 50 (forecast)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			text := tc.plan.text(24)
			require.Contains(t, text, strings.TrimPrefix(tc.want, "\n"), text)
		})
	}
}

// Nothing is told twice: what one change leads to is where the next one begins.
func TestChangesAreAChain(t *testing.T) {
	down := time.Hour
	p := plan(
		compile(t, "evening", 0, schedule.Window{Name: "w", Cron: "0 * * * *", Duration: 20 * time.Minute, MinReplicas: number(30), RampUp: 50 * time.Minute, RampDown: &down}),
		compile(t, "sale", 1, schedule.Window{Name: "w", Cron: "30 */3 * * *", Duration: 70 * time.Minute, Replicas: number(42), RampUp: 5 * time.Minute}),
	)
	changes := p.Changes(noon, noon.Add(48*time.Hour))
	require.Greater(t, len(changes), 50)
	last := Bounds(p.Base)
	for _, c := range changes {
		require.Equal(t, last, c.From, "%s", c.Time)
		last = c.To
	}
}

func TestNarrowTerminals(t *testing.T) {
	p := plan(compile(t, "shop", 0, window("late", "2026-11-23T23:00", 80)))
	changes := p.Changes(noon, noon.Add(24*time.Hour))
	text := Text(Document{From: noon, To: noon.Add(24 * time.Hour), HPAs: 1, Changes: changes}, View{Zone: time.UTC, Width: 40})
	for _, line := range strings.Split(text, "\n")[1:] {
		require.LessOrEqual(t, len(line), 40, line)
	}
	require.Contains(t, text, "  14:30  live/shop\n         min 10 -> 50, max 50, in steps\n")
}
