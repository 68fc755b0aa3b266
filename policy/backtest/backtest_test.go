// SPDX-License-Identifier: Apache-2.0

package backtest

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

const step = 5 * time.Minute

func begin() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

func series(n int, value func(i int) float64) []forecast.Point {
	out := make([]forecast.Point, n)
	for i := range out {
		out[i] = forecast.Point{Time: begin().Add(time.Duration(i) * step), Value: value(i)}
	}
	return out
}

func daily(seed uint64) func(i int) float64 {
	random := rand.New(rand.NewPCG(seed, 1))
	return func(i int) float64 {
		return 600 - 400*math.Cos(2*math.Pi*float64(i%288)/288) + 15*random.NormFloat64()
	}
}

func minutes(n ...int) (out []time.Duration) {
	for _, m := range n {
		out = append(out, time.Duration(m)*time.Minute)
	}
	return out
}

func TestRunOnADailyDemand(t *testing.T) {
	ticks := time.Duration(0)
	r, err := Run(series(14*288, daily(1)), Options{Leads: minutes(60, 13, 15), CPU: func() time.Duration { ticks += time.Millisecond; return ticks }})
	require.NoError(t, err)
	require.Equal(t, step, r.Step)
	require.Equal(t, begin().Add(7*24*time.Hour), r.JudgedFrom)
	require.InDelta(t, 1000.0/(14*288), r.CPUMicrosPerPoint, 1e-9)
	require.Len(t, r.Leads, 2, "13 minutes are 15 at this step")
	for _, lead := range r.Leads {
		require.Equal(t, 7*288, lead.Points)
		require.Less(t, lead.WAPE, 0.9*lead.WAPENaive)
		require.InDelta(t, 0.95, lead.Coverage, 0.02)
		require.Greater(t, lead.CoverageTopDecile, 0.8)
	}
}

func TestTheJudgedHalfIsForecastWithoutKnowingIt(t *testing.T) {
	points := series(8*288, daily(2))
	whole, err := Run(points, Options{Leads: minutes(15)})
	require.NoError(t, err)
	changed := slices.Clone(points)
	for i := 6 * 288; i < len(changed); i++ {
		changed[i].Value *= 3
	}
	other, err := Run(changed, Options{Leads: minutes(15)})
	require.NoError(t, err)
	known := 2*288 + 3 // forecasts made before the change
	for i := range known {
		require.Equal(t, whole.Leads[0].Outcomes[i].Upper, other.Leads[0].Outcomes[i].Upper)
		require.Equal(t, whole.Leads[0].Outcomes[i].WeekAgo, other.Leads[0].Outcomes[i].WeekAgo)
	}
}

func TestOrderAndDuplicatesDoNotMatter(t *testing.T) {
	points := series(4*288, daily(3))
	want, err := Run(points, Options{Leads: minutes(15)})
	require.NoError(t, err)
	mixed := append(slices.Clone(points), points[100], points[200])
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	got, err := Run(mixed, Options{Leads: minutes(15)})
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestOddSeriesGiveFiniteReports(t *testing.T) {
	noise := rand.New(rand.NewPCG(5, 5))
	jitter := series(1000, daily(6))
	for i := range jitter {
		jitter[i].Time = jitter[i].Time.Add(time.Duration(noise.IntN(4000)) * time.Millisecond)
	}
	holes := slices.DeleteFunc(series(4*288, daily(4)), func(forecast.Point) bool { return noise.Float64() < 0.3 })
	saturated := series(500, daily(7))
	for i := range saturated {
		saturated[i].Censored = true
	}
	tests := map[string][]forecast.Point{
		"constant":     series(500, func(int) float64 { return 5 }),
		"zero":         series(500, func(int) float64 { return 0 }),
		"negative":     series(500, func(i int) float64 { return -float64(i % 7) }),
		"short":        series(16, func(i int) float64 { return float64(i) }),
		"holes":        holes,
		"jitter":       jitter,
		"saturated":    saturated,
		"huge":         series(500, func(i int) float64 { return 1e100 * float64(i%3) }),
		"half silence": append(series(300, daily(5)), forecast.Point{Time: begin().AddDate(0, 6, 0), Value: 3}),
	}
	for name, points := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := Run(points, Options{Leads: minutes(5, 30)})
			require.NoError(t, err)
			_, err = json.Marshal(r) // fails on NaN and infinity
			require.NoError(t, err)
			require.Len(t, r.Leads, 2)
			for _, lead := range r.Leads {
				needs := EqualUnserved(lead.Outcomes, 0.001)
				require.False(t, math.IsNaN(needs.Reactive+needs.WeekAgo+needs.Forecast))
			}
		})
	}
}

func TestJitteredTimesAreFiveMinuteSteps(t *testing.T) {
	points := series(1000, daily(6))
	noise := rand.New(rand.NewPCG(5, 5))
	for i := range points {
		points[i].Time = points[i].Time.Add(time.Duration(noise.IntN(4000)) * time.Millisecond)
	}
	got, err := StepOf(points)
	require.NoError(t, err)
	require.Equal(t, step, got)
}

func TestUnusableSeriesAndOptions(t *testing.T) {
	good := series(500, daily(8))
	tests := map[string]struct {
		points  []forecast.Point
		options Options
		says    string
	}{
		"nothing":              {nil, Options{Leads: minutes(5)}, "0 points"},
		"one point":            {good[:1], Options{Leads: minutes(5)}, "1 points and no two different times"},
		"few points":           {good[:10], Options{Leads: minutes(5)}, "10 usable steps"},
		"no lead":              {good, Options{}, "no lead time"},
		"negative lead":        {good, Options{Leads: minutes(-5)}, "lead time is -5m0s"},
		"lead beyond the data": {good, Options{Leads: minutes(60 * 24 * 3)}, "longer than the last half of the series"},
		"lead beyond a week":   {series(30*288, daily(9)), Options{Leads: minutes(60 * 24 * 9)}, "at most a week"},
		"quantile of 1":        {good, Options{Leads: minutes(5), Quantile: 1}, "quantile is 1"},
		"negative step":        {good, Options{Leads: minutes(5), Step: -step}, "step is -5m0s"},
		"step of nothing":      {good, Options{Leads: minutes(5), Step: time.Millisecond}, "use a longer step"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Run(tt.points, tt.options)
			require.ErrorContains(t, err, tt.says)
		})
	}
}

func TestEqualUnservedIsWhatItSays(t *testing.T) {
	var outcomes []Outcome
	for i := range 1000 {
		actual := 100.0
		if i == 500 {
			actual = 1000
		}
		outcomes = append(outcomes, Outcome{Actual: actual, Reactive: 100, WeekAgo: 50, Upper: 110})
	}
	// 0.1 % of 100,900 are 100.9: the peak needs a capacity of 899.1
	needs := EqualUnserved(outcomes, 0.001)
	require.InDelta(t, 899.1*1000/100900, needs.Reactive, 1e-6)
	require.InDelta(t, needs.Reactive, needs.WeekAgo, 1e-6)
	require.InDelta(t, needs.Reactive, needs.Forecast, 1e-6)
	require.Zero(t, EqualUnserved(nil, 0.001))
}
