// SPDX-License-Identifier: Apache-2.0

package model

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A floor of 10 with points every 5 minutes and a lead time of 15: the unit is 15 minutes.
func TestHold(t *testing.T) {
	for _, test := range []struct {
		name     string
		age      time.Duration
		forecast int32
		known    bool
		floor    int32
		phase    Phase
		next     time.Duration
	}{
		{"a new value", 0, 7, true, 7, Fresh, 10 * time.Minute},
		{"one was missed", 9 * time.Minute, 7, true, 7, Fresh, time.Minute},
		{"two were missed", 10 * time.Minute, 7, true, 10, Holding, 5 * time.Minute},
		{"a new value, but nothing learned yet", 0, 0, false, 10, Holding, 15 * time.Minute},
		{"within the lead time", 14 * time.Minute, 30, true, 10, Holding, time.Minute},
		{"after the lead time it widens", 15 * time.Minute, 12, true, 12, Widening, time.Hour},
		{"but never lowers", 30 * time.Minute, 3, true, 10, Widening, 45 * time.Minute},
		{"unknown, as after a restart", 30 * time.Minute, 0, false, 10, Widening, 45 * time.Minute},
		{"first step", 75 * time.Minute, 12, true, 8, GivingUp, 15 * time.Minute},
		{"within it", 80 * time.Minute, 50, true, 8, GivingUp, 10 * time.Minute},
		{"second step", 90 * time.Minute, 12, true, 5, GivingUp, 15 * time.Minute},
		{"third step", 105 * time.Minute, 12, true, 3, GivingUp, 15 * time.Minute},
		{"nothing", 2 * time.Hour, 12, true, 0, GivenUp, 0},
		{"for ever", 1000 * time.Hour, 12, true, 0, GivenUp, 0},
		{"the clock was put back", -time.Hour, 7, true, 7, Fresh, 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			floor, phase, next := Hold(HoldInput{
				Last: 10, Forecast: test.forecast, Known: test.known, Age: test.age,
				Interval: 5 * time.Minute, Patience: Patience(15*time.Minute, 5*time.Minute),
			})
			require.Equal(t, test.phase, phase)
			require.Equal(t, test.floor, floor)
			require.Equal(t, test.next, next)
		})
	}
}

// However a floor begins: without values it never falls before it is given up, and then only falls; and a restart at any
// moment, which knows the floor that the status told last, goes on with it.
func TestHoldProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.Int64Range(1, 3600).Draw(t, "interval")) * time.Second
		lead := time.Duration(rapid.Int64Range(1, 6*3600).Draw(t, "lead")) * time.Second
		last := rapid.Int32Range(0, 5000).Draw(t, "last")
		unit := Patience(lead, interval)
		before, held := last, last
		for age := time.Duration(0); age < 10*unit; age += time.Duration(rapid.Int64Range(1, int64(unit)).Draw(t, "pause")) {
			floor, phase, next := Hold(HoldInput{Last: held, Forecast: rapid.Int32Range(0, 5000).Draw(t, "forecast"), Age: age, Interval: interval, Patience: unit})
			switch phase {
			case Holding, Widening:
				require.GreaterOrEqual(t, floor, before)
				held = floor
			default:
				require.LessOrEqual(t, floor, before)
			}
			require.Equal(t, phase == GivenUp, next == 0)
			again, _, _ := Hold(HoldInput{Last: Before(floor, age, interval, unit), Age: age, Interval: interval, Patience: unit})
			require.Equal(t, floor, again, "a restart at %s", age)
			before = floor
		}
	})
}

func TestBeforeIsBounded(t *testing.T) {
	require.Equal(t, int32(2147483647), Before(2147483647, 80*time.Minute, 5*time.Minute, 15*time.Minute))
	require.Zero(t, Before(-1, 0, time.Second, time.Second))
	require.Zero(t, Before(10, 100*time.Hour, time.Second, time.Second))
}
