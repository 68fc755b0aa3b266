// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

func TestReadsHistoryAndEnforces(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	s := b.look(t)
	require.Equal(t, v1alpha1.ForecastTrusted, reason(s), s.Conditions)
	require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
	require.Equal(t, "Armed", s.Trust.State)
	require.Equal(t, "10m", s.LeadTime)
	require.Equal(t, "Spec", s.LeadTimeFrom)
	require.Equal(t, "24h, 168h", s.Season)
	require.Equal(t, "sum(online_users)", s.Query)
	require.True(t, s.LastValueTime.Time.Equal(start), s.LastValueTime)
	require.Greater(t, s.Accuracy.Outcomes, int32(3000))
	require.GreaterOrEqual(t, *s.Floor, int32(10), "1,000 users at 100 each")
	require.LessOrEqual(t, *s.Floor, int32(13))
	require.NotEmpty(t, s.Outlook)
	require.LessOrEqual(t, len(s.Outlook), 16)
	require.Positive(t, *s.Outlook[0].Replicas)
	said := b.said()
	require.Len(t, said, 2)
	require.Contains(t, said[0], "Normal Armed")
	require.Contains(t, said[1], "Normal Enforcing")

	// the floor goes before the demand, which rises from 6 to 18 o'clock
	s = b.run(t, start.Add(9*time.Hour), true)
	require.Equal(t, v1alpha1.ForecastTrusted, reason(s), s.Conditions)
	require.GreaterOrEqual(t, float64(*s.Floor), users(start.Add(9*time.Hour+5*time.Minute))/100)
}

// A day of points: the status is written when something acts, and now and then for its figures.
func TestWritesSeldom(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	f := b.get(t)
	f.Spec.Mode = v1alpha1.ForecastObserve
	require.NoError(t, b.client.Update(t.Context(), f))
	b.look(t)
	b.writes = 0
	b.run(t, start.Add(24*time.Hour), true)
	require.Less(t, b.writes, 288*2/3)
	require.Less(t, b.prom.requests.Load(), int64(288+20), "one request for a point")
	quiet := b.writes
	b.look(t)
	b.look(t)
	require.Equal(t, quiet, b.writes, "nothing new, nothing written")
}

// A new scaler, which reads everything again, comes to the same as the one that went on.
func TestRestart(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.run(t, start.Add(20*time.Hour+2*time.Minute), true)
	b.look(t)
	going := b.get(t).Status
	figures := b.loop.entries.all[key].shown.Load()
	b.said()

	b.restart(t)
	b.loop.loading <- struct{}{} // others are reading: this one waits, and changes nothing
	before := b.get(t).ResourceVersion
	b.look(t)
	require.Equal(t, before, b.get(t).ResourceVersion)
	<-b.loop.loading
	b.now = b.next
	again := b.look(t)
	require.Equal(t, going.Floor, again.Floor)
	require.Equal(t, going.Effective, again.Effective)
	require.Equal(t, going.Trust.Since, again.Trust.Since)
	require.Equal(t, figures, b.loop.entries.all[key].shown.Load())
	require.Empty(t, b.said())
}

// Wherever a forecast stands, and however wrong it is, the HPA's minimum never is below the user's own.
func TestNeverLowers(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{"ten times too much": "10 * sum(online_users)", "a tenth": "sum(online_users) / 10", "negative": "-sum(online_users)"} {
		t.Run(name, func(t *testing.T) {
			f := newForecast()
			f.Spec.Query = query
			b := newBed(t, newHPA(), f)
			for range 30 {
				b.run(t, b.now.Add(time.Hour), true)
				s, err := situation.Observe(t.Context(), b.client, key)
				require.NoError(t, err)
				out := s.Decide(b.now)
				require.GreaterOrEqual(t, out.Result.Bounds.Min, int32(2))
				require.LessOrEqual(t, out.Result.Bounds.Min, int32(20), "not above twice what runs")
				require.Equal(t, int32(100), out.Result.Bounds.Max)
			}
		})
	}
}

// Many forecasts begin at once: as many read their history at the same time as may, the others take turns.
func TestTakesTurns(t *testing.T) {
	t.Parallel()
	var objects []client.Object
	var keys []reconcile.Request
	for i := range 12 {
		f, hpa := newForecast(), newHPA()
		f.Name = fmt.Sprintf("shop-%d", i)
		f.UID, hpa.Name, f.Spec.TargetRef.Name = types.UID(f.Name), f.Name, f.Name
		objects = append(objects, f, hpa)
		keys = append(keys, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(f)})
	}
	b := newBed(t, objects...)
	var group errgroup.Group
	for _, key := range keys {
		group.Go(func() error {
			for b.loop.entries.of(key.NamespacedName, types.UID(key.Name)).model == nil {
				if _, err := b.loop.Reconcile(t.Context(), key); err != nil {
					return err
				}
				e := b.loop.entries.of(key.NamespacedName, types.UID(key.Name))
				e.retry = time.Time{} // its turn has come
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, int64(1), b.prom.most.Load(), "one at a time: Loading is 1")
}

// A forecast without a lead time takes the one of the workload's own pods, and keeps it when they are gone.
func TestMeasuresTheLeadTime(t *testing.T) {
	f := newForecast()
	f.Spec.LeadTime = nil
	pod := readyPod(key.Namespace, "shop-7d9f8c6b5d-abcde")
	pod.CreationTimestamp, pod.ResourceVersion = metav1.NewTime(start.Add(-time.Hour)), ""
	b := newBed(t, newHPA(), f, &pod)
	s := b.look(t)
	require.Equal(t, "Measured", s.LeadTimeFrom)
	require.Equal(t, "1m45s", s.LeadTime, "90 s from creation to Ready, and 15 s until the HPA has looked")
	require.NoError(t, b.client.Delete(t.Context(), &pod))
	require.Equal(t, "1m45s", b.look(t).LeadTime)
	b.restart(t)
	require.Equal(t, "1m45s", b.look(t).LeadTime)
}

// One that is deleted and made again learns anew, and another query is another demand.
func TestLearnsAnew(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.look(t)
	first := b.loop.entries.all[key]
	f := b.get(t)
	f.Spec.Query, f.Generation = "2 * sum(online_users)", 2
	require.NoError(t, b.client.Update(t.Context(), f))
	b.look(t)
	require.InDelta(t, 2*users(start), b.loop.entries.all[key].shown.Load().demand, 30)
	require.Same(t, first, b.loop.entries.all[key])
	require.NoError(t, b.client.Delete(t.Context(), f))
	again := newForecast()
	again.UID = "forecast-2"
	require.NoError(t, b.client.Create(t.Context(), again))
	b.look(t)
	require.NotSame(t, first, b.loop.entries.all[key])
	require.InDelta(t, users(start), b.loop.entries.all[key].shown.Load().demand, 30)
}
