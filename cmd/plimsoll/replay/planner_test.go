// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/forecast"
)

var midnight = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return midnight.Add(d) }

// A query answers with the newest scrape, and with nothing where the series had ended.
func TestDemandAt(t *testing.T) {
	p := &problem{Recording: Recording{Demand: []forecast.Point{
		{Time: after(500 * time.Millisecond), Value: 1}, {Time: after(1500 * time.Millisecond), Value: 2}, {Time: after(9 * time.Second), Value: 3},
	}}}
	for at, want := range map[time.Duration]float64{
		0: -1, 500 * time.Millisecond: 1, time.Second: 1, 2 * time.Second: 2, 2500 * time.Millisecond: -1, 8 * time.Second: -1, 9 * time.Second: 3, time.Minute: 3,
	} {
		point, ok := p.at(after(at))
		require.Equal(t, want >= 0, ok, at)
		if ok {
			require.Equal(t, forecast.Point{Time: after(at), Value: want}, point)
		}
	}
}

func TestAsked(t *testing.T) {
	var shop Shop
	require.Zero(t, shop.asked(time.Second))
	for _, at := range []time.Duration{900 * time.Millisecond, 3100 * time.Millisecond, 6300 * time.Millisecond, 9200 * time.Millisecond} {
		shop.Bounds = append(shop.Bounds, Bounds{Time: after(at)})
	}
	require.Equal(t, 200*time.Millisecond, shop.asked(3*time.Second), "the first is the HPA's own")
}

// Bounds that come while the HPA is looking count after the look, and a look that took long began when it was due.
func TestBoundsDuringALook(t *testing.T) {
	p := &problem{Recording: Recording{Settings: Settings{Sync: Seconds(5 * time.Second)}}}
	shop := Shop{Looks: []Look{{Time: after(0)}, {Time: after(5150 * time.Millisecond)}, {Time: after(12 * time.Second)}}}
	require.Equal(t, after(5*time.Second), p.began(shop, 1))
	require.Equal(t, after(12*time.Second), p.began(shop, 2), "one was left out, so it is not known")
	for _, at := range []time.Duration{-time.Second, 5 * time.Second, 5100 * time.Millisecond, 7 * time.Second, time.Minute} {
		shop.Bounds = append(shop.Bounds, Bounds{Time: after(at), Bounds: bounds.Bounds{Min: 1, Max: 2}})
	}
	var times []time.Time
	for _, edit := range p.edits(shop) {
		times = append(times, edit.At)
	}
	require.Equal(t, []time.Time{after(-time.Second), after(5 * time.Second), after(5150*time.Millisecond + 1), after(7 * time.Second), after(time.Minute)}, times)
}

// The planner decides from the scaler's first write on, or from the HPA's first look.
func TestPlanned(t *testing.T) {
	shop := Shop{Bounds: []Bounds{{Time: after(0)}, {Time: after(3 * time.Second)}}}
	require.Equal(t, after(3*time.Second), shop.planned(after(5*time.Second)))
	require.Equal(t, after(2*time.Second), shop.planned(after(2*time.Second)))
	require.Equal(t, after(time.Minute), Shop{Bounds: shop.Bounds[:1]}.planned(after(time.Minute)))
}
