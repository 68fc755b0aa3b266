// SPDX-License-Identifier: Apache-2.0

//go:build !faults

package scaler

import (
	"testing"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// A forecast that is trusted raises the floor of a real HPA before the demand comes, and one that only observes does not.
func TestAForecastRaisesTheFloor(t *testing.T) {
	t.Parallel()
	s := newForesight(t, shared, bounds.Bounds{Min: 2, Max: 20}, 20, 100)
	s.floorBetween(t, 6, 20)
	s.event(t, "BoundsHeld", "by ScaleForecast soon", "2 is kept as base")
	s.followed(t)
	s.foresee(t, v1alpha1.ForecastObserve)
	s.forecastIs(t, "observing", func(f *v1alpha1.ScaleForecast) bool {
		return f.Status.Effective == v1alpha1.ForecastObserving && f.Status.Floor != nil
	})
	s.event(t, "BoundsSinking", "ScaleForecast soon", "minReplicas sinks from")
}
