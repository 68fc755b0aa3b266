// SPDX-License-Identifier: Apache-2.0

//go:build !faults

package scaler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// replicas is how many scalers run side by side.
const replicas = 1

// A window raises a real HPA, says so, and gives everything back.
func TestAWindowRaisesTheFloorAndGivesItBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 9, Max: 20}, 50)
	w := s.opens(t, window{fields: "minReplicas: 10, maxReplicas: 30, rampDown: 0s"})
	s.bounds(t, 10, 30)
	s.scaledTo(t, 10)
	s.event(t, "BoundsHeld", "minReplicas held at 10 by ScaleSchedule sale/peak until", "9 is kept as base", "kubectl plimsoll override hpa/shop --min 9")
	status := s.says(t, "sale", v1alpha1.ScheduleActive).Status
	require.Equal(t, "peak", status.Active)
	require.EqualValues(t, 1, status.Targets)
	require.EqualValues(t, 10, *status.MinReplicas)
	require.EqualValues(t, 30, *status.MaxReplicas)
	require.NotEmpty(t, status.Next)
	require.Error(t, s.tryServerSideApply(s.base), "the owner's server-side apply conflicts while Plimsoll has the fields")

	s.closes(t, w)
	s.restored(t)
	s.event(t, "BoundsRestored", "minReplicas 9", "maxReplicas 20")
	s.says(t, "sale", v1alpha1.ScheduleIdle)
	s.base = bounds.Bounds{Min: 7, Max: 21}
	s.serverSideApply(t, s.base)
	s.bounds(t, 7, 21)
}
