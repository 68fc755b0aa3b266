// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/report"
	"github.com/plimsoll/plimsoll/policy/bounds"
)

var (
	own      = report.Winner{Kind: bounds.KindBase}
	evening  = report.Winner{Kind: bounds.KindSchedule, Name: "shop/evening"}
	forecast = report.Winner{Kind: bounds.KindForecast, Name: "shop"}
	unknown  = math.NaN()
	start    = time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)
)

// points are one hour apart, so that an hour of a replica is a replica-hour.
func points(all ...report.Point) report.Usage {
	var m report.Meter
	for i, p := range all {
		p.At = start.Add(time.Duration(i) * time.Hour)
		m.Add(p, time.Hour)
	}
	return m.Usage
}

func TestWhoTheReplicasAreFor(t *testing.T) {
	for name, tc := range map[string]struct {
		points  []report.Point
		by      map[report.Winner]float64
		unknown float64
		plain   float64
		fewer   time.Duration
	}{
		"what is above the plain HPA belongs to the floor": {
			[]report.Point{{Replicas: 40, Without: 12, By: evening}}, map[report.Winner]float64{own: 12, evening: 28}, 0, 12, time.Hour,
		},
		"where the HPA wants more than the floor, nothing does": {
			[]report.Point{{Replicas: 50, Without: 50, By: evening}}, map[report.Winner]float64{own: 50}, 0, 50, 0,
		},
		"without a floor everything is base, also above the aim": {
			[]report.Point{{Replicas: 20, Without: 12, By: own}}, map[report.Winner]float64{own: 20}, 0, 12, 0,
		},
		"fewer than the HPA wants: it is still growing": {
			[]report.Point{{Replicas: 5, Without: 12, By: evening}}, map[report.Winner]float64{own: 5}, 0, 12, 0,
		},
		"the winner changes": {
			[]report.Point{{Replicas: 10, Without: 4, By: evening}, {Replicas: 10, Without: 4, By: forecast}},
			map[report.Winner]float64{own: 8, evening: 6, forecast: 6}, 0, 8, 2 * time.Hour,
		},
		"held by a floor, and the aim is unknown": {
			[]report.Point{{Replicas: 10, Without: unknown, By: evening}}, map[report.Winner]float64{}, 10, 0, 0,
		},
		"held by nobody, and the aim is unknown": {
			[]report.Point{{Replicas: 10, Without: unknown, By: own}}, map[report.Winner]float64{own: 10}, 0, 0, 0,
		},
		"nobody knows whose floor it is": {
			[]report.Point{{Replicas: 10, Without: 4}}, map[report.Winner]float64{own: 4}, 6, 4, 0,
		},
		"a gap is not zero": {
			[]report.Point{{Replicas: 10, Without: 4, By: evening}, {Replicas: unknown, Without: 4, By: evening}},
			map[report.Winner]float64{own: 4, evening: 6}, 0, 4, time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := points(tc.points...)
			if len(tc.by) == 0 {
				require.Empty(t, u.By)
			} else {
				require.Equal(t, tc.by, u.By)
			}
			require.Equal(t, tc.unknown, u.Unknown)
			require.Equal(t, tc.plain, u.Plain)
			require.Equal(t, tc.fewer, u.Fewer)
		})
	}
}

func TestGapsAreSaid(t *testing.T) {
	u := points(report.Point{Replicas: 1, Without: 1, By: own}, report.Point{Replicas: unknown, Without: unknown}, report.Point{Replicas: unknown, Without: unknown}, report.Point{Replicas: 3, Without: unknown, By: own})
	require.InDelta(t, 0.5, u.Share(), 1e-12)
	require.Equal(t, 4.0, u.Total)
	require.Equal(t, time.Hour, u.PlainTime)
	require.Equal(t, 1.0, u.PlainOf)
	require.Zero(t, report.Usage{}.Share())
}

// The plain HPA does not go down at once: for five minutes it has what it aimed at before.
func TestPlainHPAIsHeld(t *testing.T) {
	var m report.Meter
	aims := []float64{10, 2, 2, 2, 2, 2, 2}
	for i, aim := range aims {
		m.Add(report.Point{At: start.Add(time.Duration(i) * time.Minute), Replicas: 10, Without: aim, By: evening}, time.Minute)
	}
	require.InDelta(t, (5*10+2*2)/60.0, m.Plain, 1e-9)
	require.Equal(t, 2*time.Minute, m.Fewer)
}

// Whatever comes: the parts sum to the total, and nothing is negative.
func TestPartsSumToTotal(t *testing.T) {
	value := rapid.OneOf(rapid.Float64Range(0, 5000), rapid.Just(unknown), rapid.Just(math.Inf(1)), rapid.Just(-1.0))
	point := rapid.Custom(func(t *rapid.T) report.Point {
		return report.Point{
			Replicas: value.Draw(t, "replicas"), Without: value.Draw(t, "without"),
			By: rapid.SampledFrom([]report.Winner{own, evening, forecast, {Kind: bounds.KindOverride, Name: "ann"}, {}}).Draw(t, "by"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		step := time.Duration(rapid.IntRange(1, 3600).Draw(t, "step")) * time.Second
		var m report.Meter
		for i, p := range rapid.SliceOfN(point, 0, 50).Draw(t, "points") {
			p.At = start.Add(time.Duration(i) * step)
			m.Add(p, step)
		}
		u := m.Usage
		sum := u.Unknown + u.Of(bounds.KindBase) + u.Of(bounds.KindSchedule) + u.Of(bounds.KindForecast) + u.Of(bounds.KindOverride)
		require.InDelta(t, u.Total, sum, 1e-6*max(1, u.Total))
		for _, hours := range u.By {
			require.GreaterOrEqual(t, hours, 0.0)
		}
		require.GreaterOrEqual(t, u.Unknown, 0.0)
		require.LessOrEqual(t, u.PlainOf, u.Total+1e-6)
		require.LessOrEqual(t, u.Known, u.Asked)
		require.LessOrEqual(t, u.PlainTime, u.Known)
		require.LessOrEqual(t, u.Fewer, u.PlainTime)

		row := report.Make([]report.Usage{u}, func(string, string) (float64, bool) { return 0.25, true }).HPAs[0]
		require.InDelta(t, u.Total*0.25, *row.Total.Cost, 1e-5*max(1, u.Total))
		parts := 0.0
		for _, a := range []report.Amount{row.Base, row.Schedule, row.Forecast, row.Override, row.Unknown} {
			parts += *a.Cost
		}
		require.InDelta(t, *row.Total.Cost, parts, 1e-5*max(1, u.Total))
	})
}
