// SPDX-License-Identifier: Apache-2.0

package model

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A floor rises at once, falls at once by much, and by a little with the second point that asks for less.
func TestSteady(t *testing.T) {
	in := working()
	in.Target.Max, in.Target.Replicas = 500, 500
	in.Held.Floor = 100
	at := in.View.Newest.Time
	for i, step := range []struct {
		demand float64
		point  bool // a new one
		floor  int32
	}{
		{9700, true, 100}, {9700, false, 100}, {9700, true, 97},
		{9600, true, 97}, {9700, true, 97}, {9600, true, 97}, {9500, true, 95},
		{9000, true, 90}, {12000, true, 120}, {8000, true, 80}, {8000, true, 80},
	} {
		if step.point {
			at = at.Add(5 * time.Minute)
		}
		in.Now, in.View.Newest.Time, in.View.Demand = at, at, step.demand
		v := Decide(in)
		require.Equal(t, step.floor, v.Floor, "step %d", i)
		in.Held = v.Held
	}
}

// What the user allows now counts at once.
func TestSteadyKeepsTheMaximum(t *testing.T) {
	in := working()
	in.Held.Floor, in.Target.Max, in.Target.Replicas, in.View.Demand = 100, 98, 100, 12000
	require.Equal(t, int32(98), Decide(in).Floor)
}
