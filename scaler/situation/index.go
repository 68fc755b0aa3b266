// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The indexes of a cache for which Observer.Indexed may be set.
const (
	ScheduleTargetIndex = "plimsoll.dev/target"   // ScaleSchedule: the HPA's name, bySelector, or WorkloadValue
	ForecastTargetIndex = "plimsoll.dev/target"   // ScaleForecast: the HPA's name
	PodWorkloadIndex    = "plimsoll.dev/workload" // Pod: "Deployment/shop"
	bySelector          = "(selector)"            // no object has this name
)

// Indexes adds the indexes to a cache. It must be called before the cache starts.
func Indexes(ctx context.Context, indexer client.FieldIndexer) error {
	indexes := []struct {
		object client.Object
		field  string
		values client.IndexerFunc
	}{
		{&v1alpha1.ScaleSchedule{}, ScheduleTargetIndex, scheduleTargets},
		{&v1alpha1.ScaleForecast{}, ForecastTargetIndex, forecastTargets},
		{&corev1.Pod{}, PodWorkloadIndex, podWorkloads},
	}
	for _, i := range indexes {
		if err := indexer.IndexField(ctx, i.object, i.field, i.values); err != nil {
			return fmt.Errorf("cannot index %T by %s: %w", i.object, i.field, err)
		}
	}
	return nil
}

func scheduleTargets(object client.Object) []string {
	s, ok := object.(*v1alpha1.ScaleSchedule)
	switch {
	case !ok:
		return nil
	case s.Spec.TargetRef.IsWorkload():
		return []string{WorkloadValue(s.Spec.TargetRef.Kind, s.Spec.TargetRef.Name)}
	case s.Spec.TargetRef != nil:
		return []string{s.Spec.TargetRef.Name}
	}
	return []string{bySelector}
}

// WorkloadValue is what ScheduleTargetIndex has for a ScaleSchedule of a workload without an HPA.
func WorkloadValue(kind, name string) string { return kind + "/" + name }

func forecastTargets(object client.Object) []string {
	f, ok := object.(*v1alpha1.ScaleForecast)
	if !ok {
		return nil
	}
	return []string{f.Spec.TargetRef.Name}
}

func podWorkloads(object client.Object) []string {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	var values []string
	for _, w := range workloadsOf(pod) {
		values = append(values, w.Kind+"/"+w.Name)
	}
	return values
}

// Means says whether a ScaleSchedule means an HPA of its namespace.
func Means(s *v1alpha1.ScaleSchedule, hpa metav1.Object) bool {
	switch {
	case s.Namespace != hpa.GetNamespace():
		return false
	case s.Spec.TargetRef != nil:
		return s.Spec.TargetRef.IsHPA() && s.Spec.TargetRef.Name == hpa.GetName()
	case s.Spec.TargetSelector == nil:
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(s.Spec.TargetSelector)
	return err == nil && selector.Matches(labels.Set(hpa.GetLabels()))
}

// Targets are the HPAs that a ScaleSchedule means, by name. A reference to an HPA that is not there yields none.
func Targets(ctx context.Context, c client.Reader, s *v1alpha1.ScaleSchedule) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
	if s.Spec.TargetRef.IsWorkload() {
		return nil, nil
	}
	if s.Spec.TargetRef != nil {
		var hpa autoscalingv2.HorizontalPodAutoscaler
		err := c.Get(ctx, types.NamespacedName{Namespace: s.Namespace, Name: s.Spec.TargetRef.Name}, &hpa)
		if err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		return []autoscalingv2.HorizontalPodAutoscaler{hpa}, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s.Spec.TargetSelector)
	if err != nil {
		return nil, fmt.Errorf("targetSelector of ScaleSchedule %s cannot be read: %w", s.Name, err)
	}
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := c.List(ctx, &list, client.InNamespace(s.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, fmt.Errorf("cannot list the HPAs of namespace %s: %w", s.Namespace, err)
	}
	return list.Items, nil
}
