// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// testManager lets the controller run with its watches and a cache, on the real clock.
func testManager(t *testing.T, config *rest.Config, s *stage) {
	registry := prometheus.NewPedanticRegistry()
	startManager(t, config, registry)
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	floor := func(what string, want int32) {
		t.Helper()
		clustertest.Eventually(t, what, func() error {
			if got := s.bounds().Min; got != want {
				return fmt.Errorf("minReplicas is %d, want %d", got, want)
			}
			return nil
		})
	}
	now := time.Now()
	schedule := &v1alpha1.ScaleSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "event"},
		Spec: v1alpha1.ScaleScheduleSpec{
			TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}}, TimeZone: "UTC",
			Windows: []v1alpha1.ScheduleWindow{{
				Name: "now", Start: now.Add(-time.Hour).UTC().Format(time.RFC3339), Duration: &metav1.Duration{Duration: 100 * time.Hour}, MinReplicas: of(400),
			}},
		},
	}
	require.NoError(t, s.c.Create(ctxOf(s), schedule))
	floor("a schedule that selects it", 400)
	clustertest.Eventually(t, "the event on the HPA", func() error {
		var list eventsv1.EventList
		require.NoError(t, s.c.List(ctxOf(s), &list, client.InNamespace(s.ns)))
		for _, e := range list.Items {
			if e.Reason == reasonHeld && e.Regarding.Name == "shop" {
				return nil
			}
		}
		return fmt.Errorf("%d events, none that the floor is held", len(list.Items))
	})

	schedule.Spec.Windows[0].MinReplicas = of(420)
	require.NoError(t, s.c.Update(ctxOf(s), schedule))
	floor("a schedule that changed", 420)
	s.override(record.Override{Min: of(10), Until: time.Now().Add(10 * time.Minute)}) // long enough to be seen on any machine
	floor("an override", 10)
	s.override(record.Override{Min: of(10), Until: time.Now().Add(3 * time.Second)})
	floor("the override is over without any change of an object", 420)

	pause := func(value string) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}}
		require.NoError(t, s.c.Patch(ctxOf(s), ns, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"plimsoll.dev/paused":`+value+`}}}`))))
	}
	pause(`"true"`)
	clustertest.Eventually(t, "the namespace is seen to be paused", func() error {
		var list eventsv1.EventList
		require.NoError(t, s.c.List(ctxOf(s), &list, client.InNamespace(s.ns)))
		for _, e := range list.Items {
			if e.Reason == reasonPaused {
				return nil
			}
		}
		return fmt.Errorf("no event that it is paused")
	})
	schedule.Spec.Windows[0].MinReplicas = of(440)
	require.NoError(t, s.c.Update(ctxOf(s), schedule))
	pause("null")
	floor("the namespace goes on", 440)
	require.NotZero(t, series(t, registry))

	require.NoError(t, s.c.Delete(ctxOf(s), s.get()))
	clustertest.Eventually(t, "the series vanish", func() error {
		if n := series(t, registry); n != 0 {
			return fmt.Errorf("%d series", n)
		}
		return nil
	})
}

// testMany has the schedules of many HPAs change at once: each HPA is written once for each.
func testMany(t *testing.T, config *rest.Config, s *stage) {
	const many = 150
	var others autoscalingv2.HorizontalPodAutoscalerList
	require.NoError(t, s.c.List(ctxOf(s), &others))
	for i := range others.Items { // of the tests before
		require.NoError(t, s.c.Delete(ctxOf(s), &others.Items[i]))
	}
	for i := range many {
		hpa := s.hpaManifest(10, 500)
		hpa.SetName(fmt.Sprint("shop-", i))
		require.NoError(t, s.c.Create(ctxOf(s), hpa))
	}
	registry := prometheus.NewPedanticRegistry()
	startManager(t, config, registry)
	start := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for i := range many {
		require.NoError(t, s.c.Create(ctxOf(s), &v1alpha1.ScaleSchedule{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: fmt.Sprint("event-", i)},
			Spec: v1alpha1.ScaleScheduleSpec{
				TargetRef: &v1alpha1.TargetReference{Name: fmt.Sprint("shop-", i)}, TimeZone: "UTC",
				Windows: []v1alpha1.ScheduleWindow{{
					Name: "now", Start: start, Duration: &metav1.Duration{Duration: 100 * time.Hour}, MinReplicas: of(40),
				}},
			},
		}))
	}
	var list autoscalingv2.HorizontalPodAutoscalerList
	clustertest.Eventually(t, "all floors are right", func() error {
		require.NoError(t, s.c.List(ctxOf(s), &list, client.InNamespace(s.ns)))
		for i := range list.Items {
			if got := *list.Items[i].Spec.MinReplicas; got != 40 {
				return fmt.Errorf("minReplicas of %s is %d", list.Items[i].Name, got)
			}
		}
		return nil
	})
	require.Len(t, list.Items, many)
	clustertest.Eventually(t, "the last write is counted", func() error { // which happens after the write
		if n := writes(t, registry); n < many {
			return fmt.Errorf("%v writes", n)
		}
		return nil
	})
	require.Equal(t, float64(many), writes(t, registry))
}

// writes is how often HPAs were written.
func writes(t *testing.T, registry *prometheus.Registry) float64 {
	families, err := registry.Gather()
	require.NoError(t, err)
	var n float64
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "plimsoll_scaler_writes_total" && m.GetLabel()[0].GetValue() == resultOK {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func startManager(t *testing.T, config *rest.Config, registry prometheus.Registerer) {
	mgr := clustertest.NewManager(t, config)
	require.NoError(t, situation.Indexes(t.Context(), mgr.GetFieldIndexer()))
	require.NoError(t, Add(mgr, Options{Registerer: registry}))
	clustertest.Run(t, mgr)
}

// series counts those of HPAs named shop in namespaces that exist only for the manager's test.
func series(t *testing.T, registry *prometheus.Registry) int {
	families, err := registry.Gather()
	require.NoError(t, err)
	count := 0
	for _, f := range families {
		if f.GetName() == "plimsoll_hpa_min_replicas" {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetName() == "by" && l.GetValue() == "event/now" {
						count++
					}
				}
			}
		}
	}
	return count
}
