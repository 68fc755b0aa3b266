// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// While the replicas are at their maximum with more to do than they should have, the demand is not what is measured; and
// what was marked in the past is not learned after a restart either.
func TestCensored(t *testing.T) {
	t.Parallel()
	hpa := newHPA()
	hpa.Spec.MaxReplicas = 10
	b := newBed(t, hpa, newForecast())
	b.run(t, start.Add(18*time.Hour), true)
	require.Equal(t, 1.0, b.loop.entries.all[key].shown.Load().censored, "1,800 users at 10 replicas for 100 each")
	b.run(t, start.Add(28*time.Hour), true)
	require.Zero(t, b.loop.entries.all[key].shown.Load().censored)
}

func TestCensoredBefore(t *testing.T) {
	b := emptyBed(t)
	marked := start.Add(-24 * time.Hour)
	b.fill(t, marked)
	b.prom.push(t, `plimsoll_forecast_censored{namespace="shop",forecast="shop"}`, marked, marked.Add(30*time.Minute), time.Minute, func(time.Time) float64 { return 1 })
	b.prom.push(t, `plimsoll_forecast_censored{namespace="shop",forecast="other"}`, marked, marked.Add(55*time.Minute), time.Minute, func(time.Time) float64 { return 1 })
	b.fill(t, start)
	a := asking{key: key, rule: rule(t, b), now: b.now, newest: b.now, censored: func(float64) bool { return false }}
	span := spanOf(marked.Add(-time.Hour), marked.Add(4*time.Hour))
	answer, err := b.loop.source.Range(t.Context(), "shop", "sum(online_users)", span)
	require.NoError(t, err)
	b.loop.mark(t.Context(), a, span, answer.Points)
	count := 0
	for _, p := range answer.Points {
		if p.Censored {
			count++
			require.False(t, p.Time.Before(marked), p.Time)
		}
	}
	require.Equal(t, 7, count, "half an hour: another's marks do not count")
}
