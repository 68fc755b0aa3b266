// SPDX-License-Identifier: Apache-2.0

//go:build faults

package scaler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// Ten times the demand that was foreseen: the HPA reacts as it would without a forecast, and its maximum holds.
func TestFaultForecastTenTimesTooLow(t *testing.T) {
	t.Parallel()
	s := newForesight(t, shared, bounds.Bounds{Min: 2, Max: 20}, 20, 60)
	s.floorBetween(t, 4, 20)
	s.setDemand(400)
	s.scaledTo(t, 20)
	s.atLeast(t, 20)
	s.setWave(20, 60)
	s.forecastIs(t, "one that the demand has come back to", func(f *v1alpha1.ScaleForecast) bool {
		return f.Status.Floor != nil && *f.Status.Floor < 20
	})
	require.Equal(t, int32(20), situation.LiveBounds(s.hpa(t)).Max, "a forecast never changes the maximum")
	s.floorBetween(t, 10, 19) // what it no longer asks for sinks in steps
	s.letsGoOf(t)
}

// A tenth of the demand that was foreseen: the floor is too high for a while and sinks in steps; nothing else happens.
func TestFaultForecastTenTimesTooHigh(t *testing.T) {
	t.Parallel()
	s := newForesight(t, shared, bounds.Bounds{Min: 2, Max: 20}, 60, 120)
	s.floorBetween(t, 9, 20)
	s.setWave(6, 12)
	s.forecastIs(t, "one that follows, or is not trusted", func(f *v1alpha1.ScaleForecast) bool {
		return f.Status.Effective == v1alpha1.ForecastDisarmed || f.Status.Floor != nil && *f.Status.Floor <= 3
	})
	s.floorBetween(t, 3, 13)
	s.letsGoOf(t)
}

// letsGoOf ends the forecast, sees its floor sink, and has it sink at once.
func (s *scene) letsGoOf(t *testing.T) {
	t.Helper()
	s.followed(t)
	s.deleteForecast(t)
	s.sinksAtOnce(t)
}

// sinksAtOnce sees a floor sink for which nobody asks any more, and lowers what is left by an override, as an impatient
// person does.
func (s *scene) sinksAtOnce(t *testing.T) {
	t.Helper()
	s.event(t, "BoundsSinking", "minReplicas sinks from")
	impatient := record.Override{Min: ptr.To(s.base.Min), Until: time.Now().Add(onFor)}
	s.override(t, impatient)
	s.bounds(t, s.base.Min, s.base.Max)
	impatient.Until = time.Now().Add(closing)
	s.override(t, impatient)
	stacktest.Eventually(t, "the end of the override", func() error {
		if hpa, err := s.readHPA(); err != nil || hpa.Annotations[record.BaseAnnotation] != "" {
			return fmt.Errorf("still kept: %v %w", kept(hpa), err)
		}
		return nil
	})
	s.annotate(t, record.OverrideAnnotation, "")
	s.restored(t)
}
