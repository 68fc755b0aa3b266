// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// The source is lost for longer than every limit, with a restart in the middle, and comes back.
func TestSourceLostAndBack(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.run(t, start.Add(9*time.Hour+2*time.Minute), true)
	b.said()
	last := *b.get(t).Status.Floor
	lost := b.loop.entries.all[key].shown.Load().newest
	b.prom.down.Store(true)

	s := b.run(t, lost.Add(14*time.Minute), false)
	require.Equal(t, v1alpha1.ForecastQueryFailed, reason(s), s.Conditions)
	require.Equal(t, last, *s.Floor)
	require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
	s = b.run(t, lost.Add(70*time.Minute), false)
	require.Equal(t, v1alpha1.ForecastStale, reason(s), s.Conditions)
	require.Greater(t, *s.Floor, last, "the uncertainty has grown, and the demand rises at this time")
	widest := *s.Floor

	b.restart(t)
	b.look(t)
	require.Equal(t, widest, *b.get(t).Status.Floor, "a restart changes nothing")
	require.Equal(t, v1alpha1.ForecastEnforcing, b.get(t).Status.Effective)
	before := widest
	for _, at := range []time.Duration{76 * time.Minute, 91 * time.Minute, 106 * time.Minute} {
		s = b.run(t, lost.Add(at), false)
		require.Less(t, *s.Floor, before)
		require.Positive(t, *s.Floor)
		before = *s.Floor
	}
	s = b.run(t, lost.Add(121*time.Minute), false)
	require.Nil(t, s.Floor)
	require.Equal(t, v1alpha1.ForecastDisarmed, s.Effective)
	s = b.run(t, lost.Add(10*time.Hour), false)
	require.Nil(t, s.Floor)
	all := strings.Join(b.said(), "\n")
	require.Contains(t, all, "Warning SourceLost")
	require.Contains(t, all, "Warning FloorGivenUp")

	b.prom.down.Store(false) // it has the values of the meantime
	s = b.run(t, lost.Add(10*time.Hour+10*time.Minute), true)
	require.Equal(t, v1alpha1.ForecastTrusted, reason(s), s.Conditions)
	require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
	require.InDelta(t, users(b.now)/100, float64(*s.Floor), 4)
	all = strings.Join(b.said(), "\n")
	require.Contains(t, all, "Normal SourceBack")
	require.Contains(t, all, "Normal Enforcing")
}

// Values stop, but the source answers.
func TestNoNewValues(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.look(t)
	last := *b.get(t).Status.Floor
	s := b.run(t, start.Add(40*time.Minute), false)
	require.Equal(t, v1alpha1.ForecastStale, reason(s), s.Conditions)
	require.GreaterOrEqual(t, *s.Floor, last)
	s = b.run(t, start.Add(3*time.Hour), false)
	require.Nil(t, s.Floor)
	s = b.run(t, start.Add(3*time.Hour+20*time.Minute), true)
	require.Equal(t, v1alpha1.ForecastTrusted, reason(s), s.Conditions)
}

func TestSourceProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query        string
		reason, text string
	}{
		"no series":      {"sum(no_such_metric)", v1alpha1.ForecastNoData, "no value now"},
		"several series": {"online_users or label_replace(online_users, \"pod\", \"b\", \"\", \"\")", v1alpha1.ForecastNoData, "several series"},
		"no PromQL":      {"sum(", v1alpha1.ForecastInvalid, "parse error"},
		"no evaluation":  {"online_users * on () group_left () (online_users or label_replace(online_users, \"a\", \"b\", \"\", \"\"))", v1alpha1.ForecastQueryFailed, "refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForecast()
			f.Spec.Query = test.query
			b := newBed(t, newHPA(), f)
			s := b.look(t)
			require.Equal(t, test.reason, reason(s), s.Conditions)
			require.Contains(t, s.Conditions[0].Message, test.text)
			require.Equal(t, v1alpha1.ForecastDisarmed, s.Effective)
			require.Nil(t, s.Floor)
		})
	}
}

// A series whose labels change with a release is one demand.
func TestSeriesThatFollowEachOther(t *testing.T) {
	f := newForecast()
	f.Spec.Query = "sum by (release) (sold)"
	b := emptyBed(t, newHPA(), f)
	half := start.Add(-3 * 24 * time.Hour)
	b.prom.push(t, `sold{namespace="shop",release="1"}`, start.Add(-10*24*time.Hour), half, time.Minute, users)
	b.prom.push(t, `sold{namespace="shop",release="2"}`, half.Add(10*time.Minute), start, time.Minute, users)
	require.Equal(t, v1alpha1.ForecastTrusted, reason(b.look(t)))
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

// A status that cannot be written is an error, and is written the next time.
func TestWriteFails(t *testing.T) {
	b := newBed(t)
	refusing := &refusingClient{Client: b.client, refuse: true}
	b.loop.client = refusing
	_, err := b.loop.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	refusing.refuse = false
	require.Equal(t, v1alpha1.ForecastTrusted, reason(b.look(t)))
}

type refusingClient struct {
	client.Client
	refuse bool
}

func (c *refusingClient) Status() client.SubResourceWriter {
	if c.refuse {
		return refusingWriter{c.Client.Status()}
	}
	return c.Client.Status()
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
