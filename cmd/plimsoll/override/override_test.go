// SPDX-License-Identifier: Apache-2.0

package override

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var shop = types.NamespacedName{Namespace: "live", Name: "shop"}

// shopHPA has the bounds 10..50, runs 30 replicas and wants average/50 of that.
func shopHPA(average string) *hpa {
	target, seen := resource.MustParse("50"), resource.MustParse(average)
	metric := autoscalingv2.MetricIdentifier{Name: "users"}
	return &hpa{
		ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "shop", ResourceVersion: "7"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			MinReplicas: number(10), MaxReplicas: 50, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "shop"},
			Metrics: []autoscalingv2.MetricSpec{{Type: "Pods", Pods: &autoscalingv2.PodsMetricSource{
				Metric: metric, Target: autoscalingv2.MetricTarget{Type: "AverageValue", AverageValue: &target},
			}}},
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{
			CurrentReplicas: 30, DesiredReplicas: 30,
			Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue}},
			CurrentMetrics: []autoscalingv2.MetricStatus{{Type: "Pods", Pods: &autoscalingv2.PodsMetricStatus{
				Metric: metric, Current: autoscalingv2.MetricValueStatus{AverageValue: &seen},
			}}},
		},
	}
}

func number(n int32) *int32 { return &n }

// evening is on at noon and wants at least 25.
func evening() *v1alpha1.ScaleSchedule {
	return &v1alpha1.ScaleSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "evening"},
		Spec: v1alpha1.ScaleScheduleSpec{
			TargetRef: &v1alpha1.TargetReference{Name: "shop"}, TimeZone: "UTC",
			Windows: []v1alpha1.ScheduleWindow{{Name: "peak", Start: "2026-11-23T10:00", End: "2026-11-23T18:00", MinReplicas: number(25)}},
		},
	}
}

func wish(change func(*record.Override)) *record.Override {
	o := &record.Override{Since: noon, Until: noon.Add(2 * time.Hour), Author: "anna", Reason: "sale"}
	change(o)
	return o
}

func TestPropose(t *testing.T) {
	owned := func(h *hpa) {
		h.OwnerReferences = []metav1.OwnerReference{{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "shop", Controller: new(true)}}
	}
	annotated := func(key, value string) func(*hpa) {
		return func(h *hpa) { h.Annotations = map[string]string{key: value} }
	}
	bob := record.Override{Min: number(12), Since: noon.Add(-time.Hour), Until: noon.Add(time.Hour), Author: "bob"}
	for name, tc := range map[string]struct {
		wish    *record.Override
		average string // what the HPA saw; "60" makes it want 36, "40" 24
		change  func(*hpa)
		want    string // lines of the text
		consent string
		err     string
	}{
		"raises the floor, above a schedule": {wish: wish(func(o *record.Override) { o.Min = number(40) }), want: `
hpa/shop: min 40, until 2026-11-23 14:00 UTC (2h), by anna, "sale"
  minReplicas 25 -> 40 (Override anna; was ScaleSchedule evening/peak)
  maxReplicas 50 (the HPA itself)
  Overruled: ScaleSchedule evening/peak: `},
		"a floor above the maximum": {wish: wish(func(o *record.Override) { o.Min = number(80) }), want: `
  Warning: the floor 80 is above the maximum 50, which caps it; to raise that too, add --max 80
`},
		"a floor with a maximum": {wish: wish(func(o *record.Override) { o.Min, o.Max = number(80), number(90) }), want: `
  minReplicas 25 -> 80 (Override anna; was ScaleSchedule evening/peak)
  maxReplicas 50 -> 90 (Override anna; was the HPA itself)
`},
		"lowers the floor at once": {wish: wish(func(o *record.Override) { o.Min = number(2) }), want: `
  minReplicas 25 -> 2 (Override anna; was ScaleSchedule evening/peak)
`},
		"a maximum below what is wanted": {wish: wish(func(o *record.Override) { o.Max = number(28) }), average: "60",
			consent: "the maximum 28 is below the 36 replicas that the HPA's metrics ask for now"},
		"a maximum above what is wanted": {wish: wish(func(o *record.Override) { o.Max = number(38) }), average: "60"},
		"a hard maximum cuts": {wish: wish(func(o *record.Override) { o.Max, o.HardMax = number(28), true }),
			consent: "the maximum 28 is below the 30 replicas that run now, and --hard-max removes 2 of them at once"},
		"an exact count below what is wanted": {wish: wish(func(o *record.Override) { o.Replicas = number(20) }), average: "60",
			consent: "the maximum 20 is below the 36"},
		"a maximum while the metrics are unknown": {wish: wish(func(o *record.Override) { o.Max = number(28) }), change: func(h *hpa) { h.Status.Conditions = nil },
			consent: "what the metrics ask for is unknown", want: "\n  Warning: what the HPA's metrics ask for is unknown"},
		"a floor while the metrics are unknown": {wish: wish(func(o *record.Override) { o.Min = number(28) }), change: func(h *hpa) { h.Status.Conditions = nil }},
		"a freeze": {wish: wish(func(o *record.Override) { o.NoScaleDown = true }), want: `
  minReplicas 25 -> 30 (Override anna; was ScaleSchedule evening/peak)
`},
		"replaces another one": {wish: wish(func(o *record.Override) { o.Min = number(40) }), change: annotated(record.OverrideAnnotation, bob.Format()), want: `
  Warning: it replaces the override of bob (min 12, until 2026-11-23 13:00 UTC)
`},
		"while it is paused": {wish: wish(func(o *record.Override) { o.Min = number(40) }), change: annotated(record.PausedAnnotation, "true"), want: `
  Warning: HorizontalPodAutoscaler shop is paused, so nothing changes before it is resumed`},
		"another controller's": {wish: wish(func(o *record.Override) { o.Min = number(40) }), change: owned, err: "ScaledObject shop owns this HPA"},
		"an unreadable record": {wish: wish(func(o *record.Override) { o.Min = number(40) }), change: annotated(record.BaseAnnotation, "?"), err: "its bounds are left alone: annotation plimsoll.dev/base"},
		"over already":         {wish: wish(func(o *record.Override) { o.Min, o.Until = number(40), noon }), err: "would have ended already"},
		"too long":             {wish: wish(func(o *record.Override) { o.Min, o.Until = number(40), noon.AddDate(0, 2, 0) }), err: "longer than 31 days"},
		"nothing to end":       {err: "it has no override that could be ended"},
		"the end": {change: annotated(record.OverrideAnnotation, bob.Format()), want: `
hpa/shop: ends the override of bob (min 12, until 2026-11-23 13:00 UTC)
  minReplicas 12 -> 25 (ScaleSchedule evening/peak; was Override bob)
`},
		"the end of a mess": {change: annotated(record.OverrideAnnotation, "{"), want: "\nhpa/shop: ends an override that could not be read\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.average == "" {
				tc.average = "40"
			}
			h := shopHPA(tc.average)
			if tc.change != nil {
				tc.change(h)
			}
			s, err := snapshot.Of(t.Context(), h, evening())
			require.NoError(t, err)
			p, err := Propose(t.Context(), s, shop, tc.wish, noon)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "7", p.version)
			text := Text(p.Override, View{Now: noon, Zone: time.UTC, Width: 120})
			require.Contains(t, text, strings.TrimPrefix(tc.want, "\n"), text)
			require.Contains(t, strings.Join(p.Consent, "\n"), tc.consent)
			require.Equal(t, tc.consent == "", len(p.Consent) == 0, p.Consent)
			// The proposal leaves no trace: the HPA is what it was.
			present, err := s.Observe(t.Context(), shop, noon)
			require.NoError(t, err)
			require.Equal(t, h.Annotations, present.HPA.Annotations)
		})
	}
}

func TestPresent(t *testing.T) {
	h := shopHPA("40")
	s, err := snapshot.Of(t.Context(), h, evening())
	require.NoError(t, err)
	none, err := Present(t.Context(), s, shop, noon)
	require.NoError(t, err)
	require.Equal(t, "hpa/shop: no override; the bounds are 25..50, minReplicas of ScaleSchedule evening/peak\n", Text(none, View{Now: noon, Zone: time.UTC, Width: 100}))

	o := record.Override{Min: number(40), Since: noon.Add(-3 * time.Hour), Until: noon.Add(-time.Hour), Author: "anna"}
	h.Annotations = map[string]string{record.OverrideAnnotation: o.Format()}
	over, err := Present(t.Context(), s, shop, noon)
	require.NoError(t, err)
	require.Contains(t, Text(over, View{Now: noon, Zone: time.UTC, Width: 100}), "min 40, until 2026-11-23 11:00 UTC (over), by anna\n")
}

func TestStage(t *testing.T) {
	moved := Override{}
	moved.After.Min = 3
	still := Override{}
	frozen := Override{Override: &record.Override{NoScaleDown: true}}
	for _, tc := range []struct {
		o       Override
		settled bool
		want    Applied
		text    string
	}{
		{moved, true, Done, "written, and applied by the scaler after 1.5s"},
		{moved, false, Unanswered, "written, but no scaler has applied it within 20s"},
		{still, true, Nothing, "written; the bounds are right already"},
		{frozen, true, Done, "applied by the scaler"},
	} {
		tc.o.Stage(tc.settled, 1500*time.Millisecond)
		require.Equal(t, tc.want, tc.o.Applied)
		require.Contains(t, Answer(tc.o, 20*time.Second), tc.text)
	}
}

func TestParseUntil(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	now := time.Date(2026, 11, 23, 20, 0, 0, 0, shanghai)
	for text, want := range map[string]string{
		"23:00":                     "2026-11-23T15:00:00Z",
		"08:30":                     "2026-11-24T00:30:00Z", // the next one
		"20:00":                     "2026-11-24T12:00:00Z",
		"2026-12-01T02:00":          "2026-11-30T18:00:00Z",
		"2026-12-01 02:00:30":       "2026-11-30T18:00:30Z",
		"2026-12-01T02:00:00+01:00": "2026-12-01T01:00:00Z",
	} {
		got, err := ParseUntil(text, now)
		require.NoError(t, err, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339), text)
	}
	for _, text := range []string{"", "tomorrow", "25:00", "2026-02-30T10:00"} {
		_, err := ParseUntil(text, now)
		require.ErrorContains(t, err, "is not a time", text)
	}
}
