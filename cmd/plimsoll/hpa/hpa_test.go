// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func number(n int32) *int32 { return &n }

// shop has the bounds 10..50 of its own, is held at 25 by a schedule, runs 25 and wants 18.
func shop() *autoscalingv2.HorizontalPodAutoscaler {
	target, seen := resource.MustParse("50"), resource.MustParse("35500m")
	metric := autoscalingv2.MetricIdentifier{Name: "users"}
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "live", Name: "shop",
			Annotations: map[string]string{
				record.BaseAnnotation:    `{"min":10,"max":50,"owners":[{"field":"minReplicas","manager":"argocd","operation":"Apply"}]}`,
				record.AppliedAnnotation: `{"min":25,"max":50,"by":{"kind":"ScaleSchedule","name":"evening","part":"peak"},"since":"2026-11-23T10:00:00Z"}`,
			},
			ManagedFields: []metav1.ManagedFieldsEntry{
				{Manager: record.Manager, Operation: "Update", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:minReplicas":{}}}`)},
				{Manager: "argocd", Operation: "Apply", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:maxReplicas":{}}}`)},
			},
		},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			MinReplicas: number(25), MaxReplicas: 50, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "shop"},
			Metrics: []autoscalingv2.MetricSpec{{Type: "Pods", Pods: &autoscalingv2.PodsMetricSource{
				Metric: metric, Target: autoscalingv2.MetricTarget{Type: "AverageValue", AverageValue: &target},
			}}},
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{
			CurrentReplicas: 25, DesiredReplicas: 25,
			Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue}},
			CurrentMetrics: []autoscalingv2.MetricStatus{{Type: "Pods", Pods: &autoscalingv2.PodsMetricStatus{
				Metric: metric, Current: autoscalingv2.MetricValueStatus{AverageValue: &seen},
			}}},
		},
	}
}

func window(name, schedule string, priority, minReplicas int32) *v1alpha1.ScaleSchedule {
	return &v1alpha1.ScaleSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: schedule},
		Spec: v1alpha1.ScaleScheduleSpec{
			TargetRef: &v1alpha1.TargetReference{Name: "shop"}, TimeZone: "UTC", Priority: priority,
			Windows: []v1alpha1.ScheduleWindow{{Name: name, Reason: "11.11", Start: "2026-11-23T10:00", End: "2026-11-23T18:00", MinReplicas: number(minReplicas)}},
		},
	}
}

func forecast(mode v1alpha1.ForecastMode, effect v1alpha1.ForecastEffect, floor int32) *v1alpha1.ScaleForecast {
	return &v1alpha1.ScaleForecast{
		ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "users"},
		Spec:       v1alpha1.ScaleForecastSpec{TargetRef: v1alpha1.TargetReference{Name: "shop"}, Mode: mode},
		Status: v1alpha1.ScaleForecastStatus{
			Effective: effect, Floor: number(floor), Target: "shop", LastValueTime: &metav1.Time{Time: noon.Add(-time.Minute)},
			Trust: &v1alpha1.ForecastTrust{State: "Disarmed", Reason: "CoverageLow", Message: "it covers 0.71 of 0.95"},
		},
	}
}

// describe explains live/shop as the objects are.
func describe(t *testing.T, objects ...client.Object) Document {
	t.Helper()
	s, err := snapshot.Of(t.Context(), objects...)
	require.NoError(t, err)
	seen, err := s.Observe(t.Context(), types.NamespacedName{Namespace: "live", Name: "shop"}, noon)
	require.NoError(t, err)
	d := Describe(seen, seen.Decide(noon), noon)
	d.Scaler = Scaler{State: Running, Settled: true}
	d.Metrics = asker{namespace: "live", raw: unreachable(t)}.metrics(t.Context(), seen.HPA)
	d.Problems = append(d.Problems, problems(seen, d)...)
	return d
}

// unreachable is a cluster that does not serve the adapter's API.
func unreachable(t *testing.T) rest.Interface {
	t.Helper()
	return serve(t, http.NotFound)
}

func serve(t *testing.T, handler http.HandlerFunc) rest.Interface {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL})
	require.NoError(t, err)
	return c.RESTClient()
}

func text(d Document) string { return Text(d, upcoming.View{Zone: time.UTC, Width: 110}) }

const held = `hpa/shop in live: 25 replicas of Deployment shop, bounds 25..50, the floor held by ScaleSchedule evening/peak
until 2026-11-23 18:00 UTC.

Metrics
  users of its pods: the HPA saw 35.5 a replica, target 50
    where it comes from cannot be said: this cluster does not serve query.plimsoll.dev: Plimsoll's adapter is
    not installed, or not in this context; look with: kubectl describe apiservice v1alpha1.query.plimsoll.dev

Replicas
  25 run; the metrics ask for 18; the HPA set 25

Bounds
  minReplicas 25, decided by ScaleSchedule evening/peak
  maxReplicas 50, decided by the HPA itself
  the HPA's own are 10..50: minReplicas of argocd (Apply), maxReplicas of argocd (Apply)

Who asks
  WINS  ScaleSchedule evening/peak, min 25, until 2026-11-23 18:00 UTC (11.11): sets minReplicas 25

Without Plimsoll
  bounds 10..50; the HPA would aim at 18 replicas

Next
  Mon 23 Nov 18:00  min 25 -> 10, max 50, in steps until 18:15
    ScaleSchedule evening/peak ended at 18:00 UTC and ramps down (11.11)
    minReplicas 10 is of the HPA itself

Try:
  plimsoll override hpa/shop -n live --min 10 --for 1h --dry-run
  plimsoll upcoming hpa/shop -n live
`

func TestTextOfAHeldFloor(t *testing.T) {
	d := describe(t, shop(), window("peak", "evening", 0, 25))
	require.Empty(t, d.Problems)
	require.Equal(t, held, text(d))
}

func TestText(t *testing.T) {
	override := record.Override{Min: number(40), Since: noon.Add(-time.Hour), Until: noon.Add(time.Hour), Author: "anna", Reason: "sale"}
	suspended := window("peak", "holiday", 0, 30)
	suspended.Spec.Suspend = true
	later := window("peak", "holiday", 0, 30)
	later.Spec.Windows[0].Start, later.Spec.Windows[0].End = "2026-12-24T18:00", "2026-12-24T20:00"
	broken := window("peak", "holiday", 0, 30)
	broken.Spec.TimeZone = "Mars/Base"
	capped := window("peak", "evening", 0, 80)
	wide := forecast(v1alpha1.ForecastEnforce, v1alpha1.ForecastDisarmed, 31)
	wide.Name = "evening" // as the schedule's
	wide.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ForecastTooWide}}
	reverted := window("peak", "evening", 0, 25)
	reverted.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ScheduleReverted}}
	demand := window("peak", "evening", 0, 0)
	demand.Spec.Windows[0].MinReplicas = nil
	users := resource.MustParse("1100")
	demand.Spec.Windows[0].Demand = &users

	for name, tc := range map[string]struct {
		change  func(*autoscalingv2.HorizontalPodAutoscaler)
		objects []client.Object
		settled bool
		want    []string
	}{
		"a schedule of a lower rank loses": {objects: []client.Object{window("peak", "evening", 5, 25), window("peak", "sale", 0, 40)}, settled: true, want: []string{
			"  WINS  ScaleSchedule evening/peak, min 25", "  loses ScaleSchedule sale/peak, min 40, until 2026-11-23 18:00 UTC (11.11): its priority 0 is below 5 of",
		}},
		"an override beats it": {change: func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Annotations[record.OverrideAnnotation] = override.Format()
		},
			objects: []client.Object{window("peak", "evening", 5, 25)}, want: []string{
				"bounds 25..50, which should be 40..50.", "the scaler has not written them", "  WINS  Override anna, min 40, until 2026-11-23 13:00 UTC (sale)",
				"  loses ScaleSchedule evening/peak, min 25", "plimsoll override hpa/shop -n live --end",
			}},
		"an override that cannot be read": {change: func(h *autoscalingv2.HorizontalPodAutoscaler) { h.Annotations[record.OverrideAnnotation] = "{" },
			objects: []client.Object{window("peak", "evening", 0, 25)}, settled: true, want: []string{"Wrong: annotation plimsoll.dev/override is ignored"}},
		"a forecast that only observes": {objects: []client.Object{window("peak", "evening", 0, 25), forecast(v1alpha1.ForecastObserve, v1alpha1.ForecastObserving, 31)}, settled: true,
			want: []string{"  -     ScaleForecast users, min 31: its mode is Observe, so its floor is only shown"}},
		"a forecast that is not trusted": {objects: []client.Object{window("peak", "evening", 0, 25), forecast(v1alpha1.ForecastEnforce, v1alpha1.ForecastDisarmed, 31)}, settled: true,
			want: []string{"  -     ScaleForecast users, min 31: it is not trusted: it covers 0.71 of 0.95"}},
		"a forecast that is not Ready": {objects: []client.Object{window("peak", "evening", 0, 25), wide}, settled: true, want: []string{
			"it covers 0.71 of 0.95\n        TooWide: The bound is several times the demand",
		}},
		"a schedule that is not Ready": {objects: []client.Object{reverted}, settled: true, want: []string{
			"sets minReplicas 25\n        Reverted: Somebody else writes the target's numbers back",
		}},
		"a forecast that loses": {objects: []client.Object{window("peak", "evening", 0, 25), forecast(v1alpha1.ForecastEnforce, v1alpha1.ForecastEnforcing, 21)}, settled: true,
			want: []string{"  loses ScaleForecast users, min 21: its minimum 21 is not above 25 of ScaleSchedule evening/peak"}},
		"schedules that ask for nothing": {objects: []client.Object{window("peak", "evening", 0, 25), suspended}, settled: true,
			want: []string{"  -     ScaleSchedule holiday: it is suspended"}},
		"a schedule that comes": {objects: []client.Object{window("peak", "evening", 0, 25), later}, settled: true,
			want: []string{"ScaleSchedule holiday: no window is on; the next is peak on Thu 24 Dec 2026 18:00 UTC"}},
		"a schedule with a mistake": {objects: []client.Object{window("peak", "evening", 0, 25), broken}, settled: true,
			want: []string{"Wrong: ScaleSchedule holiday is ignored: ", "ScaleSchedule holiday: it is ignored, because it has a mistake"}},
		"a capped floor":  {objects: []client.Object{capped}, settled: true, want: []string{"  FloorCapped: the floor of 80"}},
		"a demand":        {objects: []client.Object{demand}, settled: true, want: []string{"min 22, until 2026-11-23 18:00 UTC (11.11): its minimum 22 counts once the\n        floor that decays"}},
		"a floor of none": {settled: true, want: []string{"  Decaying: ScaleSchedule evening/peak no longer asks for its floor"}},
		"paused": {change: func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Annotations[record.PausedAnnotation], h.Annotations["plimsoll.dev/paused-note"] = "true", "anna: incident"
		}, objects: []client.Object{window("peak", "evening", 0, 30)}, settled: true, want: []string{
			"paused by HorizontalPodAutoscaler shop (anna:\nincident).", "plimsoll resume hpa/shop -n live",
		}},
		"a share of the hub's": {change: func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Annotations[record.FederatedAnnotation] = `{"hub":"h","scale":"shop","base":1,"applied":2}`
		}, settled: true, want: []string{"is the share of the hub's FederatedScale shop; without it, it was 1"}},
		"a share that cannot be read": {change: func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Annotations[record.FederatedAnnotation] = "{}"
		}, settled: true, want: []string{"Wrong: annotation plimsoll.dev/federated cannot be read"}},
		"another controller's": {change: func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.OwnerReferences = []metav1.OwnerReference{{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "shop", Controller: new(true)}}
		}, objects: []client.Object{window("peak", "evening", 0, 30)}, settled: true, want: []string{
			"left alone because ScaledObject shop owns the\nHPA.", "minReplicas 30, if they were not left alone, by", "ScaledObject shop owns the HPA, so Plimsoll leaves its bounds alone",
		}},
		"metrics that fail": {change: func(h *autoscalingv2.HorizontalPodAutoscaler) {
			h.Status.Conditions[0].Status, h.Status.Conditions[0].Reason, h.Status.Conditions[0].Message = "False", "FailedGetPodsMetric", "no values"
		}, objects: []client.Object{window("peak", "evening", 0, 25)}, settled: true, want: []string{
			"Wrong: the HPA says: no values (FailedGetPodsMetric)", "what the HPA would aim at is unknown", "what the metrics ask for is unknown",
		}},
		"pods without a node": {objects: []client.Object{window("peak", "evening", 0, 25), pendingPod()}, settled: true, want: []string{
			"Wrong: the floor of 25 is not reached: 0 Ready, 1 pending, for 1 of which no node has room",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := shop()
			if tc.change != nil {
				tc.change(h)
			}
			s, err := snapshot.Of(t.Context(), append(tc.objects, h)...)
			require.NoError(t, err)
			seen, err := s.Observe(t.Context(), types.NamespacedName{Namespace: "live", Name: "shop"}, noon)
			require.NoError(t, err)
			d := Describe(seen, seen.Decide(noon), noon)
			d.Scaler.Settled = tc.settled
			d.Problems = append(d.Problems, problems(seen, d)...)
			got := text(d)
			for _, want := range tc.want {
				require.Contains(t, got, want)
			}
			for _, line := range strings.Split(got, "\n") {
				require.LessOrEqual(t, len(line), 110, line)
			}
		})
	}
}

// A condition that is True, of a former spec or of another version says nothing of its own.
func TestOnlyWhatIsNotReadyIsExplained(t *testing.T) {
	ready := func(status metav1.ConditionStatus, reason string, generation int64) string {
		f := forecast(v1alpha1.ForecastEnforce, v1alpha1.ForecastEnforcing, 31)
		f.Generation = 2
		f.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: "the rest", ObservedGeneration: generation,
		}}
		d := describe(t, shop(), f)
		require.Len(t, d.Contributions, 1)
		return d.Contributions[0].NotReady
	}
	require.Empty(t, ready(metav1.ConditionTrue, v1alpha1.ForecastTrusted, 2))
	require.Empty(t, ready(metav1.ConditionFalse, v1alpha1.ForecastStale, 1))
	require.Equal(t, "Learning: "+v1alpha1.ForecastMeaning(v1alpha1.ForecastLearning), ready(metav1.ConditionUnknown, v1alpha1.ForecastLearning, 2))
	require.Equal(t, "Later: the rest", ready(metav1.ConditionFalse, "Later", 2))
}

func pendingPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "live", Name: "shop-abc-1", Labels: map[string]string{"pod-template-hash": "abc"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "shop-abc", Controller: new(true)}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
		}}},
	}
}

func TestMetricsOfTheAdapter(t *testing.T) {
	raw := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/query.plimsoll.dev/v1alpha1/namespaces/live/metrics/users/explain" || r.FormValue("resource") != "pods" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(explain.Metric{
			Metric: "users", Namespace: "live", Rule: explain.Rule{Kind: "MetricRule", Namespace: "live", Name: "users"}, Query: "sum by (pod)\n (users)",
			LastEvaluation: &explain.Evaluation{Time: noon},
			Values: []explain.Value{
				{Object: "shop-1", Value: 30, AgeSeconds: 4, Usable: true}, {Object: "shop-2", Value: 40, AgeSeconds: 9, Usable: true},
				{Object: "shop-3", Value: 50, AgeSeconds: 90, Reason: "older than 60s."}, {Object: "other-1", Value: 1000, AgeSeconds: 1, Usable: true},
			},
		})
	})
	a := asker{raw: raw, namespace: "live", pods: map[string]bool{"shop-1": true, "shop-2": true, "shop-3": true}}
	metrics := a.metrics(t.Context(), shop())
	require.Len(t, metrics, 1)
	require.Equal(t, []string{
		"users of its pods: the HPA saw 35.5 a replica, target 50",
		"now 70 in 2 values (35 each), measured 4s to 9s ago; 1 value cannot be used (older than 60s)",
		"MetricRule/live/users: sum by (pod) (users)",
	}, metrics[0].lines())
}

func TestMetricsOfOtherServers(t *testing.T) {
	h := shop()
	h.Spec.Metrics = []autoscalingv2.MetricSpec{{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{
		Name: "cpu", Target: autoscalingv2.MetricTarget{Type: "Utilization", AverageUtilization: number(80)},
	}}}
	h.Status.CurrentMetrics = []autoscalingv2.MetricStatus{{Type: "Resource", Resource: &autoscalingv2.ResourceMetricStatus{
		Name: "cpu", Current: autoscalingv2.MetricValueStatus{AverageUtilization: number(55)},
	}}}
	metrics := asker{namespace: "live", raw: unreachable(t)}.metrics(t.Context(), h)
	require.Equal(t, "cpu: the HPA saw 55% a replica, target 80%", metrics[0].lines()[0])
	require.Nil(t, metrics[0].Adapter)
}

func TestScaler(t *testing.T) {
	lease := func(holder string, age time.Duration) *coordinationv1.Lease {
		renewed := metav1.NewMicroTime(noon.Add(-age))
		return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &renewed, LeaseDurationSeconds: number(15)}}
	}
	for name, tc := range map[string]struct {
		lease *coordinationv1.Lease
		want  ScalerState
		text  string
	}{
		"renewed":          {lease("scaler-a", 3*time.Second), Running, "It runs (scaler-a, seen 3s ago)"},
		"a clock behind":   {lease("scaler-a", -3*time.Second), Running, "It runs (scaler-a, seen 0ms ago)"},
		"not renewed":      {lease("scaler-a", time.Minute), Silent, "It last renewed its Lease 60s ago"},
		"given back":       {lease("", time.Second), Silent, "Nobody holds the scaler's Lease"},
		"never held":       {&coordinationv1.Lease{}, Silent, "Nobody holds the scaler's Lease"},
		"just not renewed": {lease("scaler-a", 29*time.Second), Running, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := stateOf(tc.lease, noon)
			require.Equal(t, tc.want, got.State)
			require.Contains(t, got.Message, tc.text)
		})
	}
}
