// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

func applyConfiguration(u *unstructured.Unstructured) runtime.ApplyConfiguration {
	return client.ApplyConfigurationFromUnstructured(u)
}

func fieldOwner(name string) client.FieldOwner { return client.FieldOwner(name) }

func force() client.ApplyOption { return client.ForceOwnership }

// gauge is the value of a metric's one series; 0 without one.
func (s *stage) gauge(name string) float64 {
	s.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(s.t, registry.Register(s.r.metrics))
	families, err := registry.Gather()
	require.NoError(s.t, err)
	for _, f := range families {
		if f.GetName() == name {
			require.Len(s.t, f.GetMetric(), 1)
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return 0
}

func (s *stage) override(o record.Override) {
	s.t.Helper()
	text, err := json.Marshal(o.Format())
	require.NoError(s.t, err)
	s.patch("kubectl-plimsoll", fmt.Sprintf(`{"metadata":{"annotations":{%q:%s}}}`, record.OverrideAnnotation, text))
}

func of(n int32) *int32 { return &n }

func testOverride(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 400")
	s.at(start)
	s.override(record.Override{Min: of(60), Since: start.Add(time.Hour), Until: start.Add(2 * time.Hour), Author: "kim", Reason: "too much"})
	require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(30*time.Minute))).Min, "it has not begun")
	require.Equal(t, int32(60), situation.LiveBounds(s.at(start.Add(time.Hour))).Min, "an override lowers at once")
	require.Contains(t, s.told(), "minReplicas held at 60 by Override kim until 2026-11-10 18:00 UTC")
	require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(2*time.Hour))).Min, "it ends by itself")
	hpa := s.at(end.Add(10 * time.Minute))
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "argocd", "argocd")
}

func testFreeze(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.running(300, 30000)
	s.override(record.Override{NoScaleDown: true, Since: start, Until: start.Add(time.Hour), Author: "kim"})
	require.Equal(t, int32(300), situation.LiveBounds(s.at(start)).Min)
	s.running(350, 35000)
	require.Equal(t, int32(350), situation.LiveBounds(s.at(start.Add(10*time.Minute))).Min)
	s.running(350, 10000)
	s.restart(s.c)
	require.Equal(t, int32(350), situation.LiveBounds(s.at(start.Add(20*time.Minute))).Min)
	require.Equal(t, float64(100), s.gauge("plimsoll_hpa_replicas_without"))
	require.Equal(t, int32(350), situation.LiveBounds(s.at(start.Add(time.Hour))).Min, "nothing drops when the freeze is over")
	require.Equal(t, int32(315), situation.LiveBounds(s.at(start.Add(61*time.Minute))).Min, "it sinks")
	s.running(100, 10000)
	s.requireHandedBack(s.at(start.Add(2*time.Hour)), "argocd", "argocd")
}

func testPaused(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 400")
	s.patch("kubectl-plimsoll", `{"metadata":{"annotations":{"plimsoll.dev/paused":"true"}}}`)
	before := s.get().ResourceVersion
	require.Equal(t, before, s.at(start).ResourceVersion, "paused")
	require.Contains(t, s.told(), "paused by the annotation plimsoll.dev/paused of HorizontalPodAutoscaler shop")
	s.patch("kubectl-plimsoll", `{"metadata":{"annotations":{"plimsoll.dev/paused":null}}}`)
	require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(time.Minute))).Min)

	pause := func(value string) {
		t.Helper()
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}}
		require.NoError(t, s.c.Patch(ctxOf(s), ns, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"plimsoll.dev/paused":`+value+`}}}`))))
	}
	pause(`"true"`)
	require.Equal(t, int32(400), situation.LiveBounds(s.at(end.Add(time.Hour))).Min, "the end of the window does not count while paused")
	require.Contains(t, s.told(), "to go on: kubectl plimsoll resume namespace/"+s.ns)
	pause("null")
	hpa := s.at(end.Add(2 * time.Hour))
	require.Less(t, situation.LiveBounds(hpa).Min, int32(401))
	hpa = s.at(end.Add(3 * time.Hour))
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa))
	s.requireHandedBack(hpa, "argocd", "argocd")
}

func testOwned(t *testing.T, s *stage) {
	hpa := s.hpaManifest(100, 500)
	yes := true
	hpa.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "shop", UID: "1", Controller: &yes}})
	require.NoError(t, s.c.Create(ctxOf(s), hpa, client.FieldOwner("keda-operator")))
	s.schedule("minReplicas: 400")
	before := s.get().ResourceVersion
	require.Equal(t, before, s.at(start).ResourceVersion)
	require.Contains(t, s.told(), "ScaledObject shop owns this HPA")
	require.Equal(t, float64(100), s.gauge("plimsoll_hpa_min_replicas"))
}

// The scaler dies just before or just after one of its patches reaches the API server: that of the window's begin, that
// of the bounds at its end, and that which hands the fields back.
func testCrash(t *testing.T, s *stage) {
	s.schedule("minReplicas: 400, maxReplicas: 800")
	for kill := 1; kill <= 3; kill++ {
		for _, arrives := range []bool{false, true} {
			require.NoError(t, s.serverSideApply("argocd", 100, 500))
			s.restart(killed(s, kill, arrives))
			died := 0
			for _, now := range []time.Time{start, end.Add(10 * time.Minute)} {
				s.now = now
				if _, err := s.r.Reconcile(ctxOf(s), reconcile.Request{NamespacedName: s.key()}); err != nil {
					require.ErrorContains(t, err, "killed")
					died++
					s.restart(s.c)
				}
				if now.Equal(start) {
					require.Equal(t, bounds.Bounds{Min: 400, Max: 800}, situation.LiveBounds(s.at(now)), "killed at patch %d", kill)
				}
			}
			require.Equal(t, 1, died, "killed at patch %d", kill)
			hpa := s.at(end.Add(time.Hour))
			require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa), "killed at patch %d", kill)
			s.requireHandedBack(hpa, "argocd", "argocd")
			require.NoError(t, s.c.Delete(ctxOf(s), hpa))
		}
	}
}

// killed is a client whose patch with a number fails, although it may have reached the API server.
func killed(s *stage, number int, arrives bool) client.Client {
	patches := 0
	return interceptor.NewClient(s.c, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			patches++
			if patches != number {
				return c.Patch(ctx, object, patch, options...)
			}
			if arrives {
				if err := c.Patch(ctx, object, patch, options...); err != nil {
					return err
				}
			}
			return errors.New("killed")
		},
	})
}

func testBadAnnotations(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	schedule := s.schedule("minReplicas: 400")
	hpa := s.at(start)
	base := hpa.Annotations[record.BaseAnnotation]
	for _, broken := range []string{
		`{"plimsoll.dev/base":"{"}`, `{"plimsoll.dev/base":null}`, `{"plimsoll.dev/applied":"nonsense"}`, `{"plimsoll.dev/applied":"{\"min\":\"x\"}"}`,
	} {
		kept := s.get().Annotations[record.AppliedAnnotation]
		s.patch("kubectl-edit", `{"metadata":{"annotations":`+broken+`}}`)
		before := s.get()
		after := s.at(end.Add(time.Hour))
		require.Equal(t, before.ResourceVersion, after.ResourceVersion, broken)
		require.Contains(t, s.told(), "annotation plimsoll.dev/", broken)
		repaired, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
			record.BaseAnnotation: base, record.AppliedAnnotation: kept,
		}}})
		require.NoError(t, err)
		s.patch("kubectl-edit", string(repaired))
	}
	s.patch("kubectl-edit", `{"metadata":{"annotations":{"plimsoll.dev/override":"{\"min\":-5}"}}}`)
	require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(time.Hour))).Min)
	require.Contains(t, s.told(), "annotation plimsoll.dev/override is ignored")

	s.patch("kubectl-edit", `{"metadata":{"annotations":{"plimsoll.dev/base":null,"plimsoll.dev/applied":null}}}`)
	require.NoError(t, s.c.Delete(ctxOf(s), schedule))
	require.Equal(t, int32(400), situation.LiveBounds(s.at(end.Add(time.Hour))).Min, "nothing tells what the base was, so nothing is lowered")
	require.Contains(t, s.told(), "so 400..500 count as the HPA's own")
}

func testForecast(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	f := &v1alpha1.ScaleForecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "daily"},
		Spec:       v1alpha1.ScaleForecastSpec{TargetRef: v1alpha1.TargetReference{Name: "shop"}, Mode: v1alpha1.ForecastEnforce},
	}
	require.NoError(t, s.c.Create(ctxOf(s), f))
	set := func(effective v1alpha1.ForecastEffect, floor int32) {
		t.Helper()
		f.Status.Effective, f.Status.Floor = effective, of(floor)
		f.Status.Target, f.Status.LastValueTime = "shop", &metav1.Time{Time: start}
		require.NoError(t, s.c.Status().Update(ctxOf(s), f))
	}
	set(v1alpha1.ForecastDisarmed, 300)
	require.Equal(t, int32(100), situation.LiveBounds(s.at(start)).Min)
	set(v1alpha1.ForecastEnforcing, 300)
	require.Equal(t, int32(300), situation.LiveBounds(s.at(start)).Min)
	require.Contains(t, s.told(), "minReplicas held at 300 by ScaleForecast daily; the HPA's own 100 is kept")
	require.Equal(t, mostSleep, s.reconcile().RequeueAfter, "the clock on the wall may be moved while it sleeps")
	set(v1alpha1.ForecastEnforcing, 320)
	require.Equal(t, int32(320), situation.LiveBounds(s.at(start.Add(time.Minute))).Min)
	require.Empty(t, s.told(), "the steps of a forecast are no news")
	set(v1alpha1.ForecastEnforcing, 40)
	got := situation.LiveBounds(s.at(start.Add(2 * time.Minute))).Min
	require.Equal(t, int32(320), got, "a floor sinks in steps")
	require.Equal(t, int32(288), situation.LiveBounds(s.at(start.Add(3*time.Minute))).Min)
	require.Empty(t, s.told(), "a forecast that still asks for a floor holds it, however much")
	set(v1alpha1.ForecastDisarmed, 40)
	s.at(start.Add(4 * time.Minute))
	require.Contains(t, s.told(), "ScaleForecast daily no longer asks for a floor")
	s.requireHandedBack(s.at(start.Add(time.Hour)), "argocd", "argocd")
}

// Somebody writes the HPA between the look and the write.
func testConflict(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 400")
	first := true
	s.restart(interceptor.NewClient(s.c, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if first {
				first = false
				s.patch("kubectl-edit", `{"spec":{"minReplicas":130}}`)
			}
			return c.Patch(ctx, object, patch, options...)
		},
	}))
	s.now = start
	require.Equal(t, again, s.reconcile().RequeueAfter)
	require.Equal(t, int32(130), s.bounds().Min, "the edit is not overwritten")
	s.at(start)
	require.Equal(t, int32(400), s.bounds().Min)
	require.Equal(t, bounds.Bounds{Min: 130, Max: 500}, situation.LiveBounds(s.at(end.Add(time.Hour))))
}

func testRelease(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 600, maxReplicas: 800")
	s.override(record.Override{Min: of(650), Since: start, Until: start.Add(time.Hour)})
	before := s.at(start)
	dry, err := Release(ctxOf(s), s.c, s.key(), s.now, true)
	require.NoError(t, err)
	require.Equal(t, before.ResourceVersion, s.get().ResourceVersion, "a dry run writes nothing")
	require.Equal(t, bounds.Bounds{Min: 650, Max: 800}, dry.Before)
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, dry.After)
	require.True(t, dry.Changed)

	released, err := Release(ctxOf(s), s.c, s.key(), s.now, false)
	require.NoError(t, err)
	require.Equal(t, dry, released)
	hpa := s.get()
	require.Equal(t, bounds.Bounds{Min: 100, Max: 500}, situation.LiveBounds(hpa))
	require.NotContains(t, hpa.Annotations, record.OverrideAnnotation)
	s.requireHandedBack(hpa, "argocd", "argocd")
	require.NoError(t, s.serverSideApply("argocd", 110, 510))

	released, err = Release(ctxOf(s), s.c, s.key(), s.now, false)
	require.NoError(t, err)
	require.False(t, released.Changed, "there is nothing left")
	_, err = Release(ctxOf(s), s.c, types.NamespacedName{Namespace: s.ns, Name: "nobody"}, s.now, false)
	require.NoError(t, err)
}

func testReleaseUnderLoad(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 600, maxReplicas: 800")
	s.at(start)
	s.running(640, 112*640)
	released, err := Release(ctxOf(s), s.c, s.key(), s.now, false)
	require.NoError(t, err)
	require.True(t, released.MaxKept)
	require.Contains(t, released.Message, "maxReplicas stays at 788")
	hpa := s.get()
	require.Equal(t, bounds.Bounds{Min: 100, Max: 788}, situation.LiveBounds(hpa), "what it wants counts as well as what it has, with room to scale up")
	s.requireHandedBack(hpa, "argocd", "argocd")
}
