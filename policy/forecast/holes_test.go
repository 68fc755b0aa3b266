// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHolesAreBridgedAndWidenTheBound(t *testing.T) {
	points := shape(15*288, fiveMinutes, daily(11))
	hole := 14*288 + 90 // in the morning's rise
	f := trained(t, fourLeads(), points[:hole])
	before := f.Predictions()
	require.NoError(t, f.Observe(Point{Time: points[hole+11].Time, Value: math.NaN()}))
	requireSound(t, f)
	_, missing := f.Newest()
	require.Equal(t, time.Hour, missing)
	for i, p := range f.Predictions() {
		target := hole + 11 + int(p.Lead/fiveMinutes)
		require.InDelta(t, points[target].Value, p.Value, 120, "an hour without values, lead %s", p.Lead)
		require.Greater(t, p.Upper-p.Value, before[i].Upper-before[i].Value)
	}
	// afterwards it is as good as before
	feed(t, f, points[hole+12:])
	for _, a := range f.Accuracy() {
		require.InDelta(t, 0.95, a.Coverage, 0.02)
	}
}

func TestHolesAsNaNAndAsMissingPointsAreTheSame(t *testing.T) {
	points := shape(4*288, fiveMinutes, daily(12))
	missing := append(append([]Point(nil), points[:700]...), points[760:]...)
	asNaN := append([]Point(nil), points...)
	for i := 700; i < 760; i++ {
		asNaN[i].Value = math.NaN()
	}
	require.Equal(t, trained(t, fourLeads(), missing).Predictions(), trained(t, fourLeads(), asNaN).Predictions())
}

func TestLongSilence(t *testing.T) {
	points := shape(2*288, fiveMinutes, daily(13))
	f := trained(t, fourLeads(), points)
	for _, later := range []time.Duration{30 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		at := points[len(points)-1].Time.Add(later)
		require.NoError(t, f.Observe(Point{Time: at, Value: 250}))
		newest, missing := f.Newest()
		require.Equal(t, at, newest)
		require.Zero(t, missing)
		requireSound(t, f)
	}
}

func TestASeriesBeginsWithItsFirstValue(t *testing.T) {
	f := trained(t, fourLeads(), []Point{{Time: begin(), Value: math.NaN()}})
	require.Empty(t, f.Predictions())
	require.NoError(t, f.Observe(Point{Time: begin().Add(time.Hour), Value: 7}))
	for _, p := range f.Predictions() {
		require.Equal(t, 7.0, p.Value)
	}
}

func TestPointsOutOfOrderChangeNothing(t *testing.T) {
	points := shape(300, fiveMinutes, daily(14))
	f := trained(t, fourLeads(), points)
	said := f.Predictions()
	require.ErrorContains(t, f.Observe(points[299]), "not later")
	require.ErrorContains(t, f.Observe(points[10]), "not later")
	require.ErrorContains(t, f.Observe(Point{Time: points[299].Time.Add(fiveMinutes), Value: math.Inf(1)}), "+Inf")
	require.Equal(t, said, f.Predictions())
}

func TestSaturatedDaysAreNotLearned(t *testing.T) {
	// the workload can serve 700 only: what is measured above is cut, and the caller knows when
	const most = 700
	usual := daily(15)
	points := shape(14*288, fiveMinutes, func(i int) float64 { return usual(i) })
	for i := range points {
		if i >= 7*288 && points[i].Value > most {
			points[i].Value, points[i].Censored = most, true
		}
	}
	marked := trained(t, fourLeads(), points[:13*288+144]) // noon of the last day, a Sunday
	peak := 200 + 400*2*0.6
	for i := range points {
		points[i].Censored = false
	}
	for _, p := range marked.Predictions() {
		require.InDelta(t, peak, p.Value, 60, "lead %s: Sundays do not saturate", p.Lead)
	}
	friday := 11*288 + 144
	for i := range points {
		points[i].Censored = i >= 7*288 && points[i].Value >= most
	}
	marked = trained(t, fourLeads(), points[:friday])
	for i := range points {
		points[i].Censored = false
	}
	blind := trained(t, fourLeads(), points[:friday])
	for i, p := range marked.Predictions() {
		require.Greater(t, p.Value, 850.0, "the true peak is 1000, lead %s", p.Lead)
		require.Less(t, blind.Predictions()[i].Value, 750.0, "what learning the cut values would say")
	}
}

func TestCounterRates(t *testing.T) {
	at := func(s int, v float64) Point {
		return Point{Time: begin().Add(time.Duration(s) * time.Second), Value: v}
	}
	got := CounterRates([]Point{at(0, 100), at(10, 150), at(20, math.NaN()), at(30, 10), at(30, 99), at(40, 30)})
	require.Equal(t, []Point{at(10, 5), at(30, 0.5), at(40, 3)}, got)
}

func TestResample(t *testing.T) {
	at := func(s int, v float64) Point {
		return Point{Time: begin().Add(time.Duration(s) * time.Second), Value: v}
	}
	cut := at(75, 9)
	cut.Censored = true
	got := Resample([]Point{cut, at(5, 2), at(0, 1), at(30, 6), at(61, math.NaN()), at(200, 4), at(100, 5), at(130, math.Inf(1))}, time.Minute)
	middle := at(60, 7)
	middle.Censored = true
	require.Equal(t, []Point{at(0, 3), middle, at(180, 4)}, got)
	require.Empty(t, Resample([]Point{at(0, 1)}, 0))
	before := time.Date(1960, 1, 1, 0, 0, 30, 0, time.UTC)
	require.Equal(t, before.Add(-30*time.Second), Resample([]Point{{Time: before, Value: 1}}, time.Minute)[0].Time)
}

func TestStepOf(t *testing.T) {
	points := shape(100, fiveMinutes, func(int) float64 { return 1 })
	require.Equal(t, fiveMinutes, StepOf(points))
	stray := append([]Point(nil), points...)
	stray = append(stray, Point{Time: points[99].Time.Add(time.Second)})
	require.Equal(t, fiveMinutes, StepOf(stray))
	require.Zero(t, StepOf(points[:1]))
	require.Zero(t, StepOf([]Point{points[0], points[0]}))
}
