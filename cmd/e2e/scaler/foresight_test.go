// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// past is how much of its demand's history a forecast finds.
const past = 15 * time.Minute

// forecastText asks for a forecast whose limits are seconds: a lead time of 5 s is the unit in which a lost source is
// counted (held for 5 s, widened until 25 s, given up at 40 s).
const forecastText = `
apiVersion: plimsoll.dev/v1alpha1
kind: ScaleForecast
metadata: {name: soon, namespace: $NS}
spec:
  targetRef: {name: shop}
  query: sum(demand)
  mode: %s
  leadTime: 5s
  interval: 1s
  season: {day: 1m}
`

// newForesight sets up a scene whose demand is a wave with a past, and a forecast of it that is trusted.
func newForesight(t *testing.T, w *world, base bounds.Bounds, low, high int) *scene {
	t.Helper()
	s := newScene(t, w, base, low)
	s.setWave(low, high)
	s.push(t, wave(float64(low), float64(high)), past)
	s.foresee(t, v1alpha1.ForecastEnforce)
	s.forecastIs(t, "enforcing", func(f *v1alpha1.ScaleForecast) bool { return f.Status.Effective == v1alpha1.ForecastEnforcing })
	return s
}

// setWave lets the demand go up and down. What a plain HPA holds at the lowest point is what is watched.
func (s *scene) setWave(low, high int) {
	s.setDemand(low)
	s.expose(wave(float64(low), float64(high)))
}

func (s *scene) foresee(t *testing.T, mode v1alpha1.ForecastMode) {
	t.Helper()
	s.apply(t, fmt.Sprintf(forecastText, mode))
}

// forecastIs waits for a state of the forecast.
func (s *scene) forecastIs(t *testing.T, what string, is func(*v1alpha1.ScaleForecast) bool) {
	t.Helper()
	stacktest.Eventually(t, "a forecast that is "+what, func() error {
		forecast := new(v1alpha1.ScaleForecast)
		if err := s.client.Get(context.Background(), types.NamespacedName{Namespace: s.ns, Name: "soon"}, forecast); err != nil {
			return err
		}
		if forecast.Status.ObservedGeneration != forecast.Generation || !is(forecast) {
			return fmt.Errorf("its status is %+v, trust %+v, accuracy %+v", forecast.Status, forecast.Status.Trust, forecast.Status.Accuracy)
		}
		return nil
	})
}
