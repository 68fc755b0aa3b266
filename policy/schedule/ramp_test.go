// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRampsEndWhenTheWindowBegins(t *testing.T) {
	down := 15 * time.Minute
	s := compileOne(t, "Asia/Shanghai", Window{Name: "evening", Cron: "0 19 * * *", Duration: 4 * time.Hour,
		MinReplicas: floorOf(40), MaxReplicas: floorOf(100), RampUp: 30 * time.Minute, RampDown: &down})
	obs := Observations{BaseMin: 10, BaseMax: 50, Lead: 5 * time.Minute}
	cases := []struct {
		at       string
		min, max int32 // 0: none
		phase    Phase
	}{
		{"18:24", 0, 0, 0},
		{"18:25", 0, 100, RampUp}, // the ramp begins 30m + lead before the start; nothing to raise yet
		{"18:26", 11, 100, RampUp},
		{"18:40", 25, 100, RampUp},
		{"18:54", 39, 100, RampUp},
		{"18:55", 40, 100, Lead},
		{"19:00", 40, 100, On},
		{"22:59", 40, 100, On},
		{"23:00", 40, 100, RampDown},
		{"23:07", 26, 100, RampDown}, // 14 of 30 steps are done
		{"23:14", 12, 100, RampDown},
		{"23:15", 0, 0, 0},
	}
	for _, c := range cases {
		t.Run(c.at, func(t *testing.T) {
			d := Evaluate([]*Schedule{s}, obs, localTime(t, s.Zone(), "2026-11-22T"+c.at))
			requireNumber(t, c.min, d.Min)
			requireNumber(t, c.max, d.Max)
			if c.phase == 0 {
				require.Empty(t, d.Active)
				return
			}
			require.Equal(t, c.phase, d.Active[0].Phase)
			require.EqualValues(t, 40, *d.Active[0].Full)
			require.Equal(t, c.phase != On, d.Active[0].RaiseOnly)
		})
	}
}

func requireNumber(t *testing.T, want int32, got *int32) {
	t.Helper()
	if want == 0 {
		require.Nil(t, got)
		return
	}
	require.NotNil(t, got)
	require.Equal(t, want, *got)
}

// A window may ask for less than the HPA's own bounds; then there is nothing to ramp.
func TestALowerWindowHoldsFromStartToEndOnly(t *testing.T) {
	s := compileOne(t, "UTC", Window{Cron: "0 2 * * *", Duration: time.Hour, MinReplicas: floorOf(1), MaxReplicas: floorOf(3), RampUp: time.Hour})
	obs := Observations{BaseMin: 5, BaseMax: 20, Lead: time.Hour}
	for text, want := range map[string][2]int32{"01:30": {}, "02:00": {1, 3}, "02:59": {1, 3}, "03:00": {}} {
		d := Evaluate([]*Schedule{s}, obs, localTime(t, s.Zone(), "2026-11-22T"+text))
		requireNumber(t, want[0], d.Min)
		requireNumber(t, want[1], d.Max)
	}
}

func TestAfterHoldsTheRampBack(t *testing.T) {
	payment := Target{Kind: "HorizontalPodAutoscaler", Name: "payment"}
	s := compileOne(t, "UTC", Window{Cron: "0 19 * * *", Duration: time.Hour, MinReplicas: floorOf(30), RampUp: 30 * time.Minute,
		After: []After{{Target: payment, Timeout: 20 * time.Minute}}})
	rules := []*Schedule{s}
	at := func(text string) time.Time { return localTime(t, time.UTC, "2026-11-22T"+text) }

	waiting := Evaluate(rules, Observations{}, at("18:40"))
	require.Nil(t, waiting.Min)
	require.Equal(t, Waiting, waiting.Active[0].Phase)
	require.Equal(t, []Target{payment}, waiting.Active[0].Waiting)
	require.Empty(t, waiting.Released)

	itself := Evaluate(rules, Observations{Self: payment}, at("18:40"))
	require.EqualValues(t, 10, *itself.Min, "nobody waits for himself")

	late := Evaluate(rules, Observations{}, at("18:50"))
	require.EqualValues(t, 20, *late.Min, "the time-out has passed; the ramp's end does not move")

	ready := Evaluate(rules, Observations{Ready: map[Target]bool{payment: true}}, at("18:40"))
	require.EqualValues(t, 10, *ready.Min)
	require.Len(t, ready.Released, 1)

	released := map[Occurrence]bool{ready.Released[0]: true}
	later := Evaluate(rules, Observations{Released: released}, at("18:41"))
	require.EqualValues(t, 11, *later.Min, "a pod of payment that restarts does not take the floor back")
	require.Equal(t, ready.Released, later.Released)
}

// A window that waited until its end has raised nothing, so nothing is to sink.
func TestAfterWithALongTimeout(t *testing.T) {
	down := 15 * time.Minute
	s := compileOne(t, "UTC", Window{Cron: "0 19 * * *", Duration: 10 * time.Minute, MinReplicas: floorOf(30), RampDown: &down,
		After: []After{{Target: Target{Name: "payment"}, Timeout: time.Hour}}})
	for minute := range 30 {
		d := Evaluate([]*Schedule{s}, Observations{BaseMin: 1}, localTime(t, time.UTC, "2026-11-22T19:00").Add(time.Duration(minute)*time.Minute))
		require.Nil(t, d.Min)
	}
	d := Evaluate([]*Schedule{s}, Observations{BaseMin: 1, AssumeReady: true}, localTime(t, time.UTC, "2026-11-22T19:10"))
	require.EqualValues(t, 30, *d.Min)
}

func TestRampStepsAreFew(t *testing.T) {
	for seconds, want := range map[int64]int64{0: 1, 1: 1, 19: 1, 20: 2, 299: 29, 300: 30, 3600: 30} {
		require.Equal(t, want, stepsOf(seconds), seconds)
	}
	s := compileOne(t, "UTC", Window{Cron: "0 19 * * *", Duration: time.Hour, MinReplicas: floorOf(100_000), RampUp: 24 * time.Hour})
	from := localTime(t, time.UTC, "2026-11-22T18:00").Add(-24 * time.Hour)
	all := Preview([]*Schedule{s}, Observations{}, from, from.Add(48*time.Hour), 1000)
	require.Less(t, len(all), 70)
}

func TestDemandIsRoundedUp(t *testing.T) {
	require.EqualValues(t, 11, replicasFor(1100, 100), "1.1 / 0.1 is 11.000000000000002 in floating point")
	require.EqualValues(t, 2, replicasFor(1001, 1000))
	require.EqualValues(t, 1, replicasFor(1000, 1000))
	require.EqualValues(t, 0, replicasFor(0, 1000))
	require.EqualValues(t, 1<<31-1, replicasFor(1<<62, 1))

	demand := int64(1_200_000_000)
	s := compileOne(t, "Asia/Shanghai", Window{Start: "2026-11-11T00:00", End: "2026-11-12T00:00", DemandMilli: &demand, MaxReplicas: floorOf(1000)})
	at := localTime(t, s.Zone(), "2026-11-11T00:00")
	d := Evaluate([]*Schedule{s}, Observations{BaseMin: 2, BaseMax: 100, PerReplicaMilli: 1_300_000}, at)
	require.EqualValues(t, 924, *d.Min)
	require.EqualValues(t, 1000, *d.Max)
	d = Evaluate([]*Schedule{s}, Observations{BaseMin: 2, BaseMax: 100}, at)
	require.Nil(t, d.Min)
	require.True(t, d.Active[0].NoTarget)
}
