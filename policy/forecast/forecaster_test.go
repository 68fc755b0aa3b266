// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDailyDemandIsForecastFarBetterThanByTheLastValue(t *testing.T) {
	f := trained(t, fourLeads(), shape(4*7*288, fiveMinutes, daily(1)))
	requireSound(t, f)
	for _, a := range f.Accuracy() {
		require.Less(t, a.Error, 0.85*a.ErrorReactive, "lead %s", a.Lead)
		require.InDelta(t, 0.95, a.Coverage, 0.02, "lead %s", a.Lead)
		require.Less(t, a.Shortfall, 0.3*a.ShortfallReactive, "lead %s", a.Lead)
	}
	hour := f.Accuracy()[3]
	require.Less(t, hour.Error, 0.35*hour.ErrorReactive)
}

func TestTheFutureDoesNotChangeThePast(t *testing.T) {
	full := shape(3*288, fiveMinutes, daily(2))
	said := sayings(t, full)
	for _, cut := range []int{1, 100, 288, 600} {
		other := append([]Point(nil), full...)
		for i := cut; i < len(other); i++ {
			other[i].Value = 1e6 * float64(i%3)
			other[i].Censored = i%5 == 0
		}
		require.Equal(t, said[:cut], sayings(t, other)[:cut], "points from %d on were changed", cut)
	}
}

// sayings gives the predictions after each point.
func sayings(t *testing.T, points []Point) [][]Prediction {
	f := trained(t, fourLeads(), nil)
	var out [][]Prediction
	for _, p := range points {
		require.NoError(t, f.Observe(p))
		out = append(out, f.Predictions())
	}
	return out
}

func TestPredictionTimesAndPeak(t *testing.T) {
	points := shape(500, fiveMinutes, daily(3))
	f := trained(t, fourLeads(), points)
	newest := points[len(points)-1].Time
	got := f.Predictions()
	require.Len(t, got, 4)
	peak, ok := f.Peak(30 * time.Minute)
	require.True(t, ok)
	for _, p := range got {
		require.Equal(t, newest.Add(p.Lead), p.Time)
		if p.Lead <= 30*time.Minute {
			require.LessOrEqual(t, p.Upper, peak.Upper)
		}
	}
	_, ok = f.Peak(time.Minute)
	require.False(t, ok)
	at, missing := f.Newest()
	require.Equal(t, newest, at)
	require.Zero(t, missing)
}

func TestSeriesThatNeedNoForecast(t *testing.T) {
	tests := map[string]func(i int) float64{
		"constant": func(int) float64 { return 42.5 },
		"zero":     func(int) float64 { return 0 },
		"negative": func(int) float64 { return -3 },
	}
	for name, value := range tests {
		t.Run(name, func(t *testing.T) {
			f := trained(t, fourLeads(), shape(900, fiveMinutes, value))
			requireSound(t, f)
			for _, p := range f.Predictions() {
				require.InDelta(t, value(0), p.Value, 1e-9)
				require.InDelta(t, value(0), p.Upper, 1e-9)
			}
		})
	}
}

func TestExtremeValuesStayFinite(t *testing.T) {
	tests := map[string]func(i int) float64{
		"huge":              func(i int) float64 { return 1e100 * math.Sin(float64(i)) },
		"tiny":              func(i int) float64 { return 1e-300 * float64(i%7) },
		"from zero to huge": func(i int) float64 { return math.Max(0, float64(i-500)) * 1e95 },
		"denormal":          func(i int) float64 { return 5e-324 * float64(i%2) },
		"alternating":       func(i int) float64 { return float64(1-2*(i%2)) * math.Pow(10, float64(i%100)) },
	}
	for name, value := range tests {
		t.Run(name, func(t *testing.T) {
			f := trained(t, fourLeads(), nil)
			for _, p := range shape(900, fiveMinutes, value) {
				require.NoError(t, f.Observe(p))
				requireSound(t, f)
			}
		})
	}
}

func TestDemandThatWasNeverNegativeIsNotForecastNegative(t *testing.T) {
	f := trained(t, fourLeads(), nil)
	for _, p := range shape(900, fiveMinutes, func(i int) float64 { return math.Max(0, 100-float64(i%60)*4) }) {
		require.NoError(t, f.Observe(p))
		for _, said := range f.Predictions() {
			require.GreaterOrEqual(t, said.Value, 0.0)
		}
	}
}

func TestLevelShiftIsFollowed(t *testing.T) {
	usual := daily(4)
	points := shape(17*288, fiveMinutes, func(i int) float64 {
		if i >= 14*288 {
			return 2000 + usual(i)
		}
		return usual(i)
	})
	for _, steps := range []int{14*288 + 24, 14*288 + 144, 15*288 + 144, 16*288 + 144} {
		f := trained(t, fourLeads(), points[:steps])
		for _, p := range f.Predictions() {
			target := points[min(len(points)-1, steps-1+int(p.Lead/fiveMinutes))]
			require.InDelta(t, target.Value, p.Value, 150, "%d steps after the shift, lead %s", steps-14*288, p.Lead)
		}
	}
}

func TestFlashCrowdIsAnsweredAtOnceAndForgottenAgain(t *testing.T) {
	crowd := func(i int) bool { return i >= 10*288+100 && i < 10*288+112 }
	usual := daily(5)
	points := shape(12*288, fiveMinutes, func(i int) float64 {
		if crowd(i) {
			return 8000
		}
		return usual(i)
	})
	f := trained(t, fourLeads(), points[:10*288+106])
	for _, p := range f.Predictions() { // half an hour into it
		require.Greater(t, p.Upper, 3000.0, "lead %s", p.Lead)
	}
	feed(t, f, points[10*288+106:])
	for _, p := range f.Predictions() { // a day and a half later, near midnight
		require.InDelta(t, 200, p.Value, 80, "lead %s", p.Lead)
		require.Less(t, p.Upper, 500.0, "lead %s", p.Lead)
	}
	requireSound(t, f)
}

func TestOneWildValueDoesNotMoveTheForecast(t *testing.T) {
	for name, wild := range map[string]float64{"a counter that was reset": -5000, "a zero": 0, "a spike": 20000} {
		t.Run(name, func(t *testing.T) {
			points := shape(10*288+10, fiveMinutes, daily(6))
			calm := trained(t, fourLeads(), points)
			points[10*288].Value = wild
			after := trained(t, fourLeads(), points)
			for i, p := range after.Predictions() { // 45 minutes later
				require.InDelta(t, calm.Predictions()[i].Value, p.Value, 60, "lead %s", p.Lead)
			}
		})
	}
}

func TestBadConfigurations(t *testing.T) {
	good := fourLeads()
	tests := map[string]struct {
		change func(c *Config)
		says   string
	}{
		"no step":            {func(c *Config) { c.Step = 0 }, "step is 0s"},
		"quantile of 1":      {func(c *Config) { c.Quantile = 1 }, "quantile is 1"},
		"quantile not known": {func(c *Config) { c.Quantile = math.NaN() }, "quantile is NaN"},
		"negative quantile":  {func(c *Config) { c.Quantile = -0.5 }, "quantile is -0.5"},
		"no lead":            {func(c *Config) { c.Leads = nil }, "0 lead times"},
		"lead between steps": {func(c *Config) { c.Leads = []time.Duration{7 * time.Minute} }, "multiple of the step"},
		"lead of a month":    {func(c *Config) { c.Leads = []time.Duration{720 * time.Hour} }, "at most a week"},
		"step too fine":      {func(c *Config) { c.Step = time.Second }, "use a longer step"},
		"negative season":    {func(c *Config) { c.Seasons = &Seasons{Day: -time.Hour} }, "season of -1h0m0s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := good
			tt.change(&c)
			_, err := New(c)
			require.ErrorContains(t, err, tt.says)
		})
	}
}

func TestLeadsWithin(t *testing.T) {
	minutes := func(n ...int) (out []time.Duration) {
		for _, m := range n {
			out = append(out, time.Duration(m)*time.Minute)
		}
		return out
	}
	require.Equal(t, minutes(5), LeadsWithin(fiveMinutes, time.Minute))
	require.Equal(t, minutes(5, 10, 15), LeadsWithin(fiveMinutes, 15*time.Minute))
	require.Equal(t, minutes(5, 15, 30, 45, 60), LeadsWithin(fiveMinutes, time.Hour))
	require.Empty(t, LeadsWithin(0, time.Hour))
}
