// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func at(minutes int) metav1.Time {
	return metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
}

func TestPeaksOfForecasts(t *testing.T) {
	f := &v1alpha1.ScaleForecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "users"}}
	f.Spec.TargetRef.Name = "web"
	f.Status = v1alpha1.ScaleForecastStatus{Effective: v1alpha1.ForecastEnforcing, Target: "web", Outlook: []v1alpha1.ForecastPoint{
		{Time: at(10), Replicas: new(int32(20))}, {Time: at(60)}, {Time: at(120), Replicas: new(int32(90))},
	}}
	const by = "ScaleForecast shop/users"
	require.Equal(t, []reserve.Peak{
		{Replicas: 20, From: noon.Add(5 * time.Minute), Until: at(60).Time, By: by},
		{Replicas: 50, From: at(60).Time, Until: noon.Add(125 * time.Minute), By: by},
	}, fromForecast(f, 50))
	f.Status.Target = "another"
	require.Empty(t, fromForecast(f, 50))
	f.Status.Target, f.Status.Effective = "web", v1alpha1.ForecastObserving
	require.Empty(t, fromForecast(f, 50), "one that is only shown announces nothing")
}

func TestPeaksOfSchedules(t *testing.T) {
	window := v1alpha1.ScheduleWindow{Name: "sale", Start: "2026-11-22T12:05", End: "2026-11-22T13:00", MinReplicas: new(int32(80)), RampDown: &metav1.Duration{}}
	s := &v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "day"}, Spec: v1alpha1.ScaleScheduleSpec{TimeZone: "UTC", Windows: []v1alpha1.ScheduleWindow{window}}}
	rule, err := s.Compile(nil)
	require.NoError(t, err)
	obs := schedule.Observations{BaseMin: 1, BaseMax: 60}
	peaksOf := func(ahead time.Duration) []reserve.Peak {
		return fromSchedules(schedule.Preview([]*schedule.Schedule{rule}, obs, noon, noon.Add(ahead), mostDecisions), "shop", 60)
	}
	peaks := peaksOf(10 * time.Minute)
	require.NotEmpty(t, peaks)
	for _, p := range peaks {
		require.Equal(t, int64(60), p.Replicas, "no more than the HPA's maximum")
		require.Equal(t, "ScaleSchedule shop/day window sale", p.By)
		require.False(t, p.From.Before(noon.Add(5*time.Minute)), p.From)
	}
	require.Empty(t, peaksOf(4*time.Minute))
}

func TestWhomSchedulesMean(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "web"}
	f, hpa := &v1alpha1.FederatedScale{ObjectMeta: meta}, &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta}
	of := func(namespace string, ref *v1alpha1.TargetReference, selector *metav1.LabelSelector) *v1alpha1.ScaleSchedule {
		s := &v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
		s.Spec.TargetRef, s.Spec.TargetSelector = ref, selector
		return s
	}
	scale := &v1alpha1.TargetReference{APIVersion: "plimsoll.dev/v1alpha1", Kind: "FederatedScale", Name: "web"}
	require.True(t, means(of("shop", scale, nil), f, nil))
	require.False(t, means(of("live", scale, nil), f, nil))
	require.False(t, means(of("shop", &v1alpha1.TargetReference{Kind: "Deployment", Name: "web"}, nil), f, hpa))
	require.True(t, means(of("shop", &v1alpha1.TargetReference{Name: "web"}, nil), f, hpa))
	require.False(t, means(of("shop", &v1alpha1.TargetReference{Name: "web"}, nil), f, nil))
	require.True(t, means(of("shop", nil, &metav1.LabelSelector{}), f, hpa))
}
