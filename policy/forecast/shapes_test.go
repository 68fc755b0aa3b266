// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const fiveMinutes = 5 * time.Minute

// begin of every made series: a Monday.
func begin() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

func fourLeads() Config {
	return Config{Step: fiveMinutes, Leads: []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}}
}

// shape makes a series of n steps from a function of the step.
func shape(n int, step time.Duration, value func(i int) float64) []Point {
	out := make([]Point, n)
	for i := range out {
		out[i] = Point{Time: begin().Add(time.Duration(i) * step), Value: value(i)}
	}
	return out
}

// daily is a demand with a day and a week: high by day, lower on the weekend, with noise.
func daily(seed uint64) func(i int) float64 {
	random := rand.New(rand.NewPCG(seed, 7))
	return func(i int) float64 {
		day := 1 - math.Cos(2*math.Pi*float64(i%288)/288)
		if i/288%7 >= 5 {
			day *= 0.6
		}
		return 200 + 400*day + 15*random.NormFloat64()
	}
}

func trained(t testing.TB, c Config, points []Point) *Forecaster {
	t.Helper()
	f, err := New(c)
	require.NoError(t, err)
	feed(t, f, points)
	return f
}

func feed(t testing.TB, f *Forecaster, points []Point) {
	t.Helper()
	for _, p := range points {
		require.NoError(t, f.Observe(p))
	}
}

// requireSound demands finite figures in the right order.
func requireSound(t testing.TB, f *Forecaster) {
	t.Helper()
	for _, p := range f.Predictions() {
		require.False(t, math.IsNaN(p.Value) || math.IsInf(p.Value, 0), "value %v at lead %s", p.Value, p.Lead)
		require.False(t, math.IsNaN(p.Upper) || math.IsInf(p.Upper, 0), "upper %v at lead %s", p.Upper, p.Lead)
		require.GreaterOrEqual(t, p.Upper, p.Value)
	}
	for _, a := range f.Accuracy() {
		sum := 0.0
		for _, w := range a.Members {
			sum += w
		}
		require.InDelta(t, 1, sum, 1e-9)
		for _, v := range []float64{a.Coverage, a.Error, a.ErrorReactive, a.Shortfall, a.ShortfallReactive, a.Spare} {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%+v", a)
		}
	}
}
