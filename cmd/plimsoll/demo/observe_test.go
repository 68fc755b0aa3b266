// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func condition(t autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, message string) autoscalingv2.HorizontalPodAutoscalerCondition {
	return autoscalingv2.HorizontalPodAutoscalerCondition{Type: t, Status: status, Message: message, LastTransitionTime: metav1.Time{Time: noon.Add(-time.Minute)}}
}

func event(kind, message string, ago time.Duration) corev1.Event {
	return corev1.Event{Type: kind, Message: message, LastTimestamp: metav1.Time{Time: noon.Add(-ago)}}
}

func TestHear(t *testing.T) {
	able := condition(autoscalingv2.AbleToScale, corev1.ConditionTrue, "recommended size matches current size")
	active := condition(autoscalingv2.ScalingActive, corev1.ConditionTrue, "the HPA was able to calculate")
	limited := condition(autoscalingv2.ScalingLimited, corev1.ConditionFalse, "the desired count is within the acceptable range")
	blind := condition(autoscalingv2.ScalingActive, corev1.ConditionFalse, "unable to get metric online_users")
	series := event(corev1.EventTypeNormal, "(combined from similar events): New size: 5", time.Hour)
	series.Series = &corev1.EventSeries{LastObservedTime: metav1.MicroTime{Time: noon.Add(-2 * time.Second)}}
	type conditions []autoscalingv2.HorizontalPodAutoscalerCondition
	for name, tc := range map[string]struct {
		conditions conditions
		events     []corev1.Event
		want       observation
	}{
		"new":        {nil, nil, observation{}},
		"calm":       {conditions{able, active, limited}, nil, observation{said: able.Message, active: true}},
		"unable":     {conditions{able, blind}, []corev1.Event{series}, observation{said: blind.Message, saidAge: time.Minute, problem: true}},
		"last event": {conditions{able, active}, []corev1.Event{event("Normal", "old", time.Minute), series, event("Normal", "older", time.Hour)}, observation{said: "New size: 5", saidAge: 2 * time.Second, active: true}},
		"no warnings": {conditions{able, active}, []corev1.Event{event("Normal", "New size: 3", time.Minute), event("Warning", "FailedGetPodsMetric", time.Second)},
			observation{said: "New size: 3", saidAge: time.Minute, active: true}},
	} {
		t.Run(name, func(t *testing.T) {
			var got observation
			hpa := &autoscalingv2.HorizontalPodAutoscaler{}
			hpa.Status.Conditions = tc.conditions
			got.hear(hpa, tc.events, noon)
			require.Equal(t, tc.want, got)
		})
	}
}

// The judgement counts with the numbers that the HPAs are given, and both shops have the same.
func TestWorkload(t *testing.T) {
	target := targetOf(5 * time.Minute)
	for _, namespace := range []string{aloneNamespace, plannedNamespace} {
		var kinds []string
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		for document := range strings.SplitSeq(manifestOf(namespace), "\n---\n") {
			var object metav1.PartialObjectMetadata
			require.NoError(t, yaml.Unmarshal([]byte(document), &object))
			kinds = append(kinds, object.Kind)
			if object.Kind == "Namespace" {
				require.Equal(t, namespace, object.Name)
				continue
			}
			require.Equal(t, namespace, object.Namespace)
		}
		require.Equal(t, []string{"Namespace", "Deployment", "MetricRule", "MetricRule", "HorizontalPodAutoscaler"}, kinds)
		require.NoError(t, yaml.UnmarshalStrict([]byte(documentOf(manifestOf(namespace), "HorizontalPodAutoscaler")), hpa))
		require.Equal(t, "autoscaling/v2", hpa.APIVersion)
		pods := hpa.Spec.Metrics[0].Pods
		require.Equal(t, metric, pods.Metric.Name)
		require.InDelta(t, target.PerPod, pods.Target.AverageValue.AsApproximateFloat64(), 0)
		require.Equal(t, target.Min, int(*hpa.Spec.MinReplicas))
		require.Equal(t, target.Max, int(hpa.Spec.MaxReplicas))
	}
	require.Less(t, dayOf(Options{}).Peak*1.2, target.PerPod*float64(target.Max), "the day and what is planned for it must fit below the maximum")
}

func TestValidate(t *testing.T) {
	require.NoError(t, Options{}.Validate())
	require.NoError(t, Options{Duration: 3 * time.Minute}.Validate())
	require.ErrorContains(t, Options{Duration: time.Minute}.Validate(), "at least 3m")
	require.ErrorContains(t, Options{Duration: -time.Minute}.Validate(), "at least 3m")
	require.ErrorContains(t, Options{Duration: 3*time.Minute + time.Millisecond}.Validate(), "whole number of seconds")
}

func TestClockStandsUntilItBegins(t *testing.T) {
	var c clock
	require.Equal(t, night, c.since())
	c.begin(time.Now().Add(-time.Minute))
	require.GreaterOrEqual(t, c.since(), time.Minute)
	c.wait(t.Context()) // it has begun
}
