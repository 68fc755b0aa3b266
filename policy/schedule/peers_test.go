// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func floorOf(n int32) *int32 { return &n }

func noRamp() *time.Duration { return new(time.Duration) }

// compileOne compiles windows without ramps in a zone.
func compileOne(t testing.TB, zone string, windows ...Window) *Schedule {
	t.Helper()
	for i := range windows {
		if windows[i].RampDown == nil {
			windows[i].RampDown = noRamp()
		}
		if windows[i].Name == "" {
			windows[i].Name = string(rune('a' + i))
		}
		if windows[i].MinReplicas == nil && windows[i].Replicas == nil && windows[i].DemandMilli == nil && windows[i].MaxReplicas == nil {
			windows[i].MinReplicas = floorOf(10)
		}
	}
	s, err := Compile(Spec{Name: "shop", TimeZone: zone, Windows: windows}, nil)
	require.NoError(t, err)
	return s
}

func localTime(t testing.TB, loc *time.Location, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02T15:04", text, loc)
	require.NoError(t, err)
	return at
}

// locals shows intervals in local time.
func locals(s *Schedule, from, to time.Time) []string {
	var all []string
	for _, i := range s.Intervals(from, to) {
		all = append(all, i.Start.In(s.Zone()).Format("Mon 01-02 15:04")+" - "+i.End.In(s.Zone()).Format("Mon 01-02 15:04"))
	}
	return all
}

// Each case is one that a peer gets wrong (see the facts' section 2.2 for versions and how it was found out).
func TestWhatPeersGetWrong(t *testing.T) {
	daily := func(cron string, duration time.Duration) Window { return Window{Cron: cron, Duration: duration} }
	cases := []struct {
		name     string
		zone     string
		window   Window
		from, to string
		want     []string
	}{
		{
			// KEDA and crane (start `30 2`, end `0 10`): 02:30 does not exist on that Sunday, and the window lasts
			// from Sat 02:30 to Sun 10:00, 30.5 hours in place of 7.5.
			name: "start that does not exist", zone: "America/New_York", window: daily("30 2 * * *", 7*time.Hour+30*time.Minute),
			from: "2026-03-07T00:00", to: "2026-03-10T00:00",
			want: []string{"Sat 03-07 02:30 - Sat 03-07 10:00", "Sun 03-08 03:00 - Sun 03-08 10:30", "Mon 03-09 02:30 - Mon 03-09 10:00"},
		},
		{
			// KEDA and crane (start `0 20`, end `30 2`): the end does not exist, and the Saturday's window is lost.
			name: "end that does not exist", zone: "America/New_York", window: daily("0 20 * * *", 6*time.Hour+30*time.Minute),
			from: "2026-03-07T12:00", to: "2026-03-09T12:00",
			want: []string{"Sat 03-07 20:00 - Sun 03-08 03:30", "Sun 03-08 20:00 - Mon 03-09 02:30"},
		},
		{
			// KEDA and crane: midnight of Friday does not exist; active from Thu 00:00 to Fri 06:00.
			name: "clock put forward at midnight", zone: "Africa/Cairo", window: daily("0 0 * * *", 6*time.Hour),
			from: "2026-04-23T00:00", to: "2026-04-25T12:00",
			want: []string{"Thu 04-23 00:00 - Thu 04-23 06:00", "Fri 04-24 01:00 - Fri 04-24 07:00", "Sat 04-25 00:00 - Sat 04-25 06:00"},
		},
		{
			// KEDA and crane (start Mon-Fri, end daily, KEDA #4677): active the whole weekend.
			name: "days of the week", zone: "Europe/Berlin", window: daily("0 9 * * 1-5", 8*time.Hour),
			from: "2026-11-20T00:00", to: "2026-11-24T00:00",
			want: []string{"Fri 11-20 09:00 - Fri 11-20 17:00", "Mon 11-23 09:00 - Mon 11-23 17:00"},
		},
		{
			// zalando: cut at Tue 00:00, because only today's weekday is looked at.
			name: "over midnight on one weekday", zone: "Europe/Berlin", window: daily("0 23 * * 1", 3*time.Hour),
			from: "2026-11-22T00:00", to: "2026-11-29T00:00",
			want: []string{"Mon 11-23 23:00 - Tue 11-24 02:00"},
		},
		{
			// zalando (startTime 22:00, endTime 02:00): never active.
			name: "end before start on the clock", zone: "Europe/Berlin", window: daily("0 22 * * *", 4*time.Hour),
			from: "2026-11-22T12:00", to: "2026-11-23T12:00",
			want: []string{"Sun 11-22 22:00 - Mon 11-23 02:00"},
		},
		{
			// KEDA got this right; it belongs to the set: 25 hours, the first of the two 02:30.
			name: "start that exists twice", zone: "Europe/Berlin", window: daily("30 2 * * *", 2*time.Hour),
			from: "2026-10-25T00:00", to: "2026-10-26T12:00",
			want: []string{"Sun 10-25 02:30 - Sun 10-25 03:30", "Mon 10-26 02:30 - Mon 10-26 04:30"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := compileOne(t, c.zone, c.window)
			require.Equal(t, c.want, locals(s, localTime(t, s.Zone(), c.from), localTime(t, s.Zone(), c.to)))
		})
	}
}

// zalando loses the part of a ramp that lies before midnight.
func TestRampBeforeMidnight(t *testing.T) {
	s := compileOne(t, "Europe/Berlin", Window{Cron: "0 0 * * *", Duration: time.Hour, MinReplicas: floorOf(22), RampUp: 20 * time.Minute})
	obs := Observations{BaseMin: 2}
	at := localTime(t, s.Zone(), "2026-11-22T23:50")
	require.EqualValues(t, 12, *Evaluate([]*Schedule{s}, obs, at).Min)
	require.EqualValues(t, 22, *Evaluate([]*Schedule{s}, obs, at.Add(10*time.Minute)).Min)
}

// cronhpa (#23, #35) reads excludeDates with a layout that is not one of Go's: 3 Nov 00:10 is "excluded", and
// 15 Nov is not.
func TestExcludedDate(t *testing.T) {
	spec := Spec{Name: "shop", TimeZone: "Asia/Shanghai", Exclude: []string{"11-15"},
		Windows: []Window{{Name: "w", Cron: "10 0 * * *", Duration: time.Hour, MinReplicas: floorOf(3), RampDown: noRamp()}}}
	s, err := Compile(spec, nil)
	require.NoError(t, err)
	from := localTime(t, s.Zone(), "2026-11-02T00:00")
	all := locals(s, from, from.AddDate(0, 0, 14))
	require.Len(t, all, 13)
	require.Contains(t, all, "Tue 11-03 00:10 - Tue 11-03 01:10")
	require.NotContains(t, all, "Sun 11-15 00:10 - Sun 11-15 01:10")
	for i := range 60 {
		at := localTime(t, s.Zone(), "2026-11-15T00:10").Add(time.Duration(i) * time.Minute)
		require.Nil(t, Evaluate([]*Schedule{s}, Observations{}, at).Min)
	}
}

// cronhpa, karmada and cron jobs lose a run when the process is not there at its time. Here a process that starts at
// any minute of the window, with nothing remembered, decides the same.
func TestRestartInsideAWindow(t *testing.T) {
	spec := Spec{Name: "shop", TimeZone: "Asia/Shanghai", Windows: []Window{{Name: "evening", Cron: "0 19 * * *", Duration: 4 * time.Hour, MinReplicas: floorOf(40)}}}
	for minute := range 240 {
		s, err := Compile(spec, nil)
		require.NoError(t, err)
		at := localTime(t, s.Zone(), "2026-11-22T19:00").Add(time.Duration(minute) * time.Minute)
		require.EqualValues(t, 40, *Evaluate([]*Schedule{s}, Observations{BaseMin: 2}, at).Min)
	}
}

// Schedules that are fed to an HPA as a metric stop up to 10 % short of their number (crane #836: 22 of 24; KEDA
// #5263: 88 of 89; #5820: 11 in place of 10). A floor is exact, for every number.
func TestFloorsAreExact(t *testing.T) {
	for n := int32(1); n < 200; n++ {
		demand, perReplica := int64(n)*300, int64(300)
		s := compileOne(t, "UTC", Window{Cron: "0 0 * * *", Duration: 24 * time.Hour, DemandMilli: &demand})
		d := Evaluate([]*Schedule{s}, Observations{BaseMin: 1, PerReplicaMilli: perReplica}, firstTransition)
		require.Equal(t, n, *d.Min)
	}
}

// crane without a timezone takes that of the machine, zalando takes Europe/Berlin for one that is not known.
func TestZoneIsRequired(t *testing.T) {
	for _, zone := range []string{"", "Nowhere/City"} {
		_, err := Compile(Spec{TimeZone: zone, Windows: []Window{{Name: "w", Cron: "0 0 * * *", Duration: time.Hour, MinReplicas: floorOf(1)}}}, nil)
		require.ErrorContains(t, err, "timeZone: ")
	}
}
