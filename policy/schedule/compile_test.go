// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"
)

func TestMistakes(t *testing.T) {
	cron := Window{Name: "w", Cron: "0 19 * * *", Duration: time.Hour, MinReplicas: floorOf(3)}
	change := func(f func(w *Window)) Spec {
		w := cron
		f(&w)
		return Spec{TimeZone: "UTC", Windows: []Window{w}}
	}
	negative := -time.Second
	demand := int64(-1)
	cases := []struct {
		spec Spec
		want string
	}{
		{Spec{TimeZone: "UTC"}, "windows: there is no window"},
		{Spec{TimeZone: "UTC", Windows: make([]Window, 201)}, "more than 200"},
		{Spec{TimeZone: "UTC", Windows: []Window{cron, cron}}, `windows[1].name: "w" names two windows`},
		{Spec{TimeZone: "UTC", Windows: []Window{cron}, Exclude: []string{"tomorrow"}}, `exclude[0]: "tomorrow" is not a date`},
		{Spec{TimeZone: "UTC", Windows: []Window{cron}, Exclude: []string{"13-01"}}, "of every year"},
		{Spec{TimeZone: "UTC", Windows: []Window{cron}, Exclude: []string{"2026-10-07/2026-10-01"}}, "ends before"},
		{Spec{TimeZone: "UTC", Windows: []Window{cron}, Exclude: []string{"* * * 15 11 *"}}, "is not a date"},
		{Spec{TimeZone: "UTC", Windows: []Window{cron}, Include: []string{"2026-02-14 as Workday"}}, "weekday"},
		{Spec{TimeZone: "UTC", Windows: []Window{cron}, ExcludeCalendar: "x"}, "excludeCalendar: "},
		{change(func(w *Window) { w.Name = "" }), "windows[0].name"},
		{change(func(w *Window) { w.Cron = "" }), "exactly one of schedule, start and calendar"},
		{change(func(w *Window) { w.Start = "2026-11-11" }), "exactly one of schedule, start and calendar"},
		{change(func(w *Window) { w.Cron = "0 25 * * *" }), "windows[0].schedule: \"0 25 * * *\" is not a cron expression"},
		{change(func(w *Window) { w.Cron = "TZ=" }), "use the schedule's timeZone"},
		{change(func(w *Window) { w.Cron = "CRON_TZ=UTC 0 0 * * *" }), "use the schedule's timeZone"},
		{change(func(w *Window) { w.Cron = "@every 1h" }), "no fixed times"},
		{change(func(w *Window) { w.Cron = "0 0 30 2 *" }), "names no date"},
		{change(func(w *Window) { w.Cron = ", 0 * * *" }), "names no date"},
		{change(func(w *Window) { w.Duration = 0 }), "needs a duration"},
		{change(func(w *Window) { w.Duration = negative }), "is negative"},
		{change(func(w *Window) { w.Duration = 1500 * time.Millisecond }), "whole seconds"},
		{change(func(w *Window) { w.Duration = 367 * 24 * time.Hour }), "longer than"},
		{change(func(w *Window) { w.End = "2026-11-11" }), "windows[0].end"},
		{change(func(w *Window) { w.Cron, w.Start = "", "2026-11-11"; w.Duration = 0 }), "either an end or a duration"},
		{change(func(w *Window) { w.Cron, w.Start = "", "11 November" }), "is not a time"},
		{change(func(w *Window) { w.Cron, w.Start, w.Duration, w.End = "", "2026-11-11", 0, "2026-11-11T00:00" }), "not after its start"},
		{change(func(w *Window) { w.Cron, w.Start, w.Duration, w.End = "", "2026-11-11", 0, "2028-11-11" }), "change the HPA's minReplicas"},
		{change(func(w *Window) { w.Cron, w.Start = "", "1026-11-11" }), "the year of"},
		{change(func(w *Window) { w.Cron, w.Calendar = "", "x" }), "events have their own ends"},
		{change(func(w *Window) { w.MinReplicas = nil }), "changes nothing"},
		{change(func(w *Window) { w.Replicas = floorOf(3) }), "at most one of minReplicas, replicas and demand"},
		{change(func(w *Window) { w.MinReplicas, w.Replicas, w.MaxReplicas = nil, floorOf(3), floorOf(4) }), "remove maxReplicas"},
		{change(func(w *Window) { w.MinReplicas, w.Replicas = nil, floorOf(0) }), "at least 1"},
		{change(func(w *Window) { w.MinReplicas = floorOf(-1) }), "must not be negative"},
		{change(func(w *Window) { w.MinReplicas, w.DemandMilli = nil, &demand }), "must not be negative"},
		{change(func(w *Window) { w.MaxReplicas = floorOf(0) }), "at least 1"},
		{change(func(w *Window) { w.MaxReplicas = floorOf(2) }), "more than the window's own maxReplicas"},
		{change(func(w *Window) { w.HardMax = true }), "hardMax"},
		{change(func(w *Window) { w.RampUp = 25 * time.Hour }), "rampUp: 25h0m0s is longer than 24h"},
		{change(func(w *Window) { w.RampDown = &negative }), "rampDown"},
		{change(func(w *Window) { w.After = []After{{}} }), "after[0].name"},
	}
	for _, c := range cases {
		_, err := Compile(c.spec, nil)
		require.ErrorContains(t, err, c.want)
		var field *FieldError
		require.ErrorAs(t, err, &field)
	}
}

func TestMoments(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-11": "2026-11-11T00:00:00+08:00", "2026-11-11T08:30": "2026-11-11T08:30:00+08:00", "2026-11-11 08:30:15": "2026-11-11T08:30:15+08:00",
		"2026-11-11T00:00Z": "2026-11-11T08:00:00+08:00", "2026-11-11T00:00:00+01:00": "2026-11-11T07:00:00+08:00",
	} {
		s := compileOne(t, "Asia/Shanghai", Window{Start: text, Duration: time.Hour})
		all := s.Intervals(firstTransition, lastTransition)
		require.Len(t, all, 1)
		require.Equal(t, want, all[0].Start.In(s.Zone()).Format(time.RFC3339))
	}
}

// Dates and times of day are those of robfig/cron, on a clock without changes.
func TestCronFieldsMeanWhatTheyMeanToCronJob(t *testing.T) {
	for _, text := range []string{"0 19 * * *", "*/7 */5 * * *", "0 0 1,15 * 1", "0 0 */2 * 1", "0 0 1 * */2", "30 6 29 2 *", "0 0 31 * ?",
		"@daily", "@weekly", "@monthly", "@yearly", "5 4 * jan-mar SUN", "0 0 13 * 5"} {
		parsed, err := cron.ParseStandard(text)
		require.NoError(t, err)
		s := compileOne(t, "UTC", Window{Cron: text, Duration: time.Second})
		at := firstTransition.Add(-time.Second)
		for range 15 {
			at = parsed.Next(at)
			next, found := s.Next(at.Add(-time.Second))
			require.True(t, found, text)
			require.Equal(t, at, next.Start, text)
		}
	}
}
