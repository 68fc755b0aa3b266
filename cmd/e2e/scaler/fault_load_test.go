// SPDX-License-Identifier: Apache-2.0

//go:build faults

package scaler

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// A window with a raised maximum ends under full load: the maximum stays as high as the HPA needs, does not rise any
// more, and goes back as the load goes.
func TestFaultWindowWithARaisedMaxEndsUnderFullLoad(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 6}, 30)
	w := s.opens(t, window{fields: "minReplicas: 10, maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 10, 30)
	s.setDemand(250)
	s.scaledTo(t, 25)
	s.atLeast(t, 25)
	s.closes(t, w)
	s.bounds(t, 2, 27) // a tenth of room
	s.event(t, "MaxRestoring", "maxReplicas stays at 27 for now, because the HPA needs more than 6")
	s.says(t, w.name, v1alpha1.ScheduleRestoring)

	s.setDemand(500)
	s.limited(t)
	s.withoutScalers(t, func() {})
	s.says(t, w.name, v1alpha1.ScheduleRestoring)
	require.Equal(t, bounds.Bounds{Min: 2, Max: 27}, situation.LiveBounds(s.hpa(t)), "it follows the demand down, not up")

	s.atLeast(t, 12)
	s.setDemand(120)
	s.bounds(t, 2, 13)
	s.setDemand(30)
	s.restored(t)
	s.scaledTo(t, 3)
}

// limited waits until the HPA wants more than it may have.
func (s *scene) limited(t *testing.T) {
	t.Helper()
	stacktest.Eventually(t, "an HPA at its maximum", func() error {
		hpa, err := s.readHPA()
		if err != nil {
			return err
		}
		for _, c := range hpa.Status.Conditions {
			if c.Type == autoscalingv2.ScalingLimited && c.Reason == "TooManyReplicas" {
				return nil
			}
		}
		return errors.New(stacktest.Says(hpa))
	})
}
