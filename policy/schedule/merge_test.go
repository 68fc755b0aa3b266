// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// allDay compiles one schedule with a window of every whole day.
func allDay(t *testing.T, name string, priority int32, w Window) *Schedule {
	w.Name, w.Cron, w.Duration, w.RampDown = "w", "0 0 * * *", 24*time.Hour, noRamp()
	s, err := Compile(Spec{Name: name, TimeZone: "UTC", Priority: priority, Windows: []Window{w}}, nil)
	require.NoError(t, err)
	return s
}

func TestWhoWins(t *testing.T) {
	cases := []struct {
		name         string
		rules        []*Schedule
		min, max     int32
		minBy, maxBy string
		clash        Clash
	}{
		{"the larger floor and the larger maximum among equals",
			[]*Schedule{allDay(t, "a", 0, Window{MinReplicas: floorOf(30), MaxReplicas: floorOf(50)}), allDay(t, "b", 0, Window{MinReplicas: floorOf(20), MaxReplicas: floorOf(70)})},
			30, 70, "a", "b", NoClash},
		{"priority before size", []*Schedule{allDay(t, "a", 0, Window{MinReplicas: floorOf(30)}), allDay(t, "b", 1, Window{MinReplicas: floorOf(20)})}, 20, 0, "b", "", NoClash},
		{"floor and maximum are decided apart", []*Schedule{allDay(t, "a", 5, Window{MaxReplicas: floorOf(90)}), allDay(t, "b", 1, Window{MinReplicas: floorOf(20)})}, 20, 90, "b", "a", NoClash},
		{"an exact count is floor and maximum", []*Schedule{allDay(t, "a", 0, Window{Replicas: floorOf(12)})}, 12, 12, "a", "a", NoClash},
		{"a maximum of higher priority lowers the floor", []*Schedule{allDay(t, "a", 0, Window{MinReplicas: floorOf(30)}), allDay(t, "b", 1, Window{MaxReplicas: floorOf(20)})}, 20, 20, "a", "b", FloorLowered},
		{"a floor of the same priority raises the maximum", []*Schedule{allDay(t, "a", 0, Window{MinReplicas: floorOf(30)}), allDay(t, "b", 0, Window{MaxReplicas: floorOf(20)})}, 30, 30, "a", "b", MaxRaised},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := Evaluate(c.rules, Observations{BaseMin: 1, BaseMax: 10}, firstTransition)
			requireNumber(t, c.min, d.Min)
			requireNumber(t, c.max, d.Max)
			require.Equal(t, c.clash, d.Clash)
			if c.minBy != "" {
				require.Equal(t, c.minBy, d.Active[d.MinBy].Schedule)
			}
			if c.maxBy != "" {
				require.Equal(t, c.maxBy, d.Active[d.MaxBy].Schedule)
			}
		})
	}
}

// The ramp of an important window must not pull down what a less important one holds.
func TestRampsOnlyRaise(t *testing.T) {
	day := allDay(t, "day", 0, Window{MinReplicas: floorOf(40)})
	sale, err := Compile(Spec{Name: "sale", TimeZone: "UTC", Priority: 10, Windows: []Window{
		{Name: "w", Start: "2026-11-11T12:00", Duration: time.Hour, MinReplicas: floorOf(100), RampUp: time.Hour}}}, nil)
	require.NoError(t, err)
	calm, err := Compile(Spec{Name: "calm", TimeZone: "UTC", Priority: -1, Windows: []Window{
		{Name: "w", Start: "2026-11-11T12:00", Duration: time.Hour, MinReplicas: floorOf(500), RampUp: time.Hour}}}, nil)
	require.NoError(t, err)
	at := localTime(t, time.UTC, "2026-11-11T11:10")
	d := Evaluate([]*Schedule{day, sale, calm}, Observations{BaseMin: 2}, at)
	require.EqualValues(t, 40, *d.Min)
	require.Equal(t, "day", d.Active[d.MinBy].Schedule, "sale is at 18 of 100; calm has a lower priority than day")
	d = Evaluate([]*Schedule{day, sale, calm}, Observations{BaseMin: 2}, at.Add(45*time.Minute))
	require.Equal(t, "sale", d.Active[d.MinBy].Schedule)
	require.Greater(t, *d.Min, int32(90))
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

func TestExplain(t *testing.T) {
	rules := []*Schedule{
		allDay(t, "day", 0, Window{MinReplicas: floorOf(40)}), allDay(t, "night", 0, Window{MinReplicas: floorOf(10)}),
		allDay(t, "cheap", 3, Window{MaxReplicas: floorOf(20)}),
	}
	d := Evaluate(rules, Observations{BaseMin: 2}, firstTransition)
	require.Equal(t, []string{
		"cheap/w is on until 2026-01-02 00:00 UTC: it decides maxReplicas 20",
		"day/w is on until 2026-01-02 00:00 UTC: it decides minReplicas, but its 40 is lowered to 20, the maxReplicas of cheap/w, which has the higher priority",
		"night/w is on until 2026-01-02 00:00 UTC: its minReplicas 10 loses to 40 of day/w at the same priority",
	}, sorted(d.Explain()))
	idle := Evaluate(nil, Observations{}, firstTransition)
	require.Equal(t, []string{"no window is on"}, idle.Explain())
}

func TestSuspend(t *testing.T) {
	s, err := Compile(Spec{Name: "s", TimeZone: "UTC", Suspend: true, Windows: []Window{{Name: "w", Cron: "0 0 * * *", Duration: 24 * time.Hour, MinReplicas: floorOf(3)}}}, nil)
	require.NoError(t, err)
	require.Empty(t, Evaluate([]*Schedule{s}, Observations{}, firstTransition).Active)
	_, found := s.Next(firstTransition)
	require.False(t, found)
	require.NotEmpty(t, s.Intervals(firstTransition, lastTransition.AddDate(-9, 0, 0)))
}

func TestNextLooksEightYearsAhead(t *testing.T) {
	s := compileOne(t, "Asia/Shanghai", Window{Cron: "0 8 29 2 *", Duration: time.Hour})
	next, found := s.Next(localTime(t, s.Zone(), "2096-03-01T00:00"))
	require.True(t, found)
	require.Equal(t, localTime(t, s.Zone(), "2104-02-29T08:00").UTC(), next.Start)
	once := compileOne(t, "UTC", Window{Start: "2026-11-11", Duration: time.Hour})
	_, found = once.Next(localTime(t, time.UTC, "2026-11-11T00:00"))
	require.False(t, found)
}

func TestTransitionsLeaveOutRampSteps(t *testing.T) {
	down := 15 * time.Minute
	s := compileOne(t, "UTC", Window{Name: "evening", Cron: "0 19 * * *", Duration: 4 * time.Hour, MinReplicas: floorOf(40), RampUp: 30 * time.Minute, RampDown: &down})
	from := localTime(t, time.UTC, "2026-11-22T12:00")
	all := Transitions([]*Schedule{s}, Observations{BaseMin: 1}, from, from.Add(48*time.Hour), 100)
	var seen []string
	for _, tr := range all {
		require.Len(t, tr.Changes, 1)
		seen = append(seen, tr.At.Format("02 15:04 ")+tr.Changes[0].Phase.String())
	}
	require.Equal(t, []string{
		"22 18:30 RampUp", "22 19:00 On", "22 23:00 RampDown", "22 23:15 Off",
		"23 18:30 RampUp", "23 19:00 On", "23 23:00 RampDown", "23 23:15 Off",
	}, seen)
	require.Len(t, Transitions([]*Schedule{s}, Observations{BaseMin: 1}, from, from.Add(48*time.Hour), 3), 3)
}
