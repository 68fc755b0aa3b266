// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// The floor of one HPA is nothing to another one that the spec names from now on; whether the loop saw the change, or came
// after it.
func TestAnotherTarget(t *testing.T) {
	t.Parallel()
	for name, restarted := range map[string]bool{"seen": false, "while no scaler ran": true} {
		t.Run(name, func(t *testing.T) {
			small := newHPA()
			small.Name, small.Status.CurrentReplicas = "small", 2
			b := newBed(t, newHPA(), newForecast(), small)
			first := b.look(t)
			require.Equal(t, "shop", first.Target)
			require.Equal(t, v1alpha1.ForecastEnforcing, first.Effective)
			f := b.get(t)
			f.Spec.TargetRef.Name, f.Generation = "small", 2
			require.NoError(t, b.client.Update(t.Context(), f))
			if restarted {
				b.restart(t)
			}
			b.prom.down.Store(true) // so that nothing new is known
			s := b.look(t)
			require.Equal(t, "small", s.Target)
			require.Nil(t, s.Floor)
			require.Nil(t, s.Trust)
			require.Equal(t, v1alpha1.ForecastDisarmed, s.Effective)

			b.prom.down.Store(false)
			b.now = b.now.Add(lastRetry)
			s = b.look(t)
			require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
			require.Equal(t, int32(4), *s.Floor, "twice what runs")
		})
	}
}

// The forecasts of an HPA are found through the index where there is one, and without it.
func TestForecastsOf(t *testing.T) {
	other := newForecast()
	other.Name, other.Spec.TargetRef.Name = "other", "other"
	target := func(o client.Object) []string { return []string{o.(*v1alpha1.ScaleForecast).Spec.TargetRef.Name} }
	c := fake.NewClientBuilder().WithScheme(clustertest.Scheme(t)).WithObjects(newForecast(), other).
		WithIndex(&v1alpha1.ScaleForecast{}, situation.ForecastTargetIndex, target).Build()
	for _, indexed := range []bool{false, true} {
		l := &loop{observer: situation.Observer{Reader: c, Indexed: indexed}}
		require.Equal(t, []reconcile.Request{{NamespacedName: key}}, l.forecastsOf(t.Context(), newHPA()), "indexed: %t", indexed)
	}
}

// What happened while the spec is wrong, the HPA is away or has no target.
func TestTargetProblems(t *testing.T) {
	t.Parallel()
	t.Run("no HPA", func(t *testing.T) {
		b := newBed(t, newForecast())
		s := b.look(t)
		require.Equal(t, v1alpha1.ForecastNoTarget, reason(s))
		require.Nil(t, s.Floor)
	})
	t.Run("owned", func(t *testing.T) {
		hpa, yes := newHPA(), true
		hpa.OwnerReferences = []metav1.OwnerReference{{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "shop", UID: "x", Controller: &yes}}
		s := newBed(t, hpa, newForecast()).look(t)
		require.Equal(t, v1alpha1.ForecastTargetRefused, reason(s))
		require.Equal(t, v1alpha1.ForecastDisarmed, s.Effective)
	})
	t.Run("paused", func(t *testing.T) {
		hpa := newHPA()
		hpa.Annotations = map[string]string{"plimsoll.dev/paused": "true"}
		require.Equal(t, v1alpha1.ForecastPaused, reason(newBed(t, hpa, newForecast()).look(t)))
	})
	t.Run("capped", func(t *testing.T) {
		hpa := newHPA()
		hpa.Spec.MaxReplicas = 5
		s := newBed(t, hpa, newForecast()).look(t)
		require.Equal(t, v1alpha1.ForecastFloorCapped, reason(s))
		require.Equal(t, int32(5), *s.Floor)
	})
	t.Run("the target is removed", func(t *testing.T) {
		b := newBed(t)
		last := *b.look(t).Floor
		hpa := newHPA()
		require.NoError(t, b.client.Get(t.Context(), key, hpa))
		hpa.Spec.Metrics[0].External.Target.Type = "Value"
		require.NoError(t, b.client.Update(t.Context(), hpa))
		s := b.look(t)
		require.Equal(t, v1alpha1.ForecastDemandUnknown, reason(s))
		require.Equal(t, last, *s.Floor, "bad input lowers nothing")
	})
	t.Run("the spec is made wrong", func(t *testing.T) {
		b := newBed(t)
		last := *b.look(t).Floor
		f := b.get(t)
		f.Spec.Quantile, f.Generation = "7", 2
		require.NoError(t, b.client.Update(t.Context(), f))
		s := b.look(t)
		require.Equal(t, v1alpha1.ForecastInvalid, reason(s))
		require.Equal(t, last, *s.Floor, "bad input lowers nothing")
		require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
	})
}
