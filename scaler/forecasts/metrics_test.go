// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestMetrics(t *testing.T) {
	b := newBed(t)
	registry := prometheus.NewRegistry()
	require.NoError(t, b.loop.metrics.register(registry))
	b.look(t)
	names := func() map[string]float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		out := map[string]float64{}
		for _, family := range families {
			for _, m := range family.Metric {
				if len(m.Label) == 2 {
					require.Equal(t, "shop", m.Label[0].GetValue())
					out[family.GetName()] = m.GetGauge().GetValue()
				}
			}
		}
		return out
	}
	got := names()
	for _, name := range []string{"demand", "expected", "upper", "floor_replicas", "coverage_ratio", "error_ratio", "trusted", "lead_seconds", "last_value_age_seconds", "enforcing", "censored"} {
		require.Contains(t, got, "plimsoll_forecast_"+name)
	}
	require.InDelta(t, users(start), got["plimsoll_forecast_demand"], 0.1)
	require.InDelta(t, 60, got["plimsoll_forecast_last_value_age_seconds"], 0.1)
	require.Equal(t, 1.0, got["plimsoll_forecast_trusted"])

	require.NoError(t, b.client.Delete(t.Context(), newForecast()))
	_, err := b.loop.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
	require.NoError(t, err)
	require.Empty(t, names(), "the series of a deleted forecast are gone")
}
