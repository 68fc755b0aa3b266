// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"cmp"
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// hubIndex is the index of the hub's HPAs by the FederatedScale that they scale.
const hubIndex = "plimsoll.dev/federation.scale"

func scaled(object client.Object) []string {
	if hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler); ok && scales(hpa) != "" {
		return []string{scales(hpa)}
	}
	return nil
}

// hubHPAs are the HPAs of the hub that scale a FederatedScale.
func (r *reconciler) hubHPAs(ctx context.Context, f *v1alpha1.FederatedScale) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	err := r.client.List(ctx, &list, client.InNamespace(f.Namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{hubIndex: f.Name})
	if err != nil {
		return nil, fmt.Errorf("cannot list the HPAs of namespace %s: %w", f.Namespace, err)
	}
	return list.Items, nil
}

// wrongMetric says what is wrong with the metrics of the hub's HPAs: of a type that needs pods in the hub, where there are
// none. "": nothing, or there is no HPA. With Value the HPA multiplies by its Ready pods, and would ask for the minimum.
func wrongMetric(hpas []autoscalingv2.HorizontalPodAutoscaler) string {
	for i := range hpas {
		for j := range hpas[i].Spec.Metrics {
			if wrong := needsPods(&hpas[i].Spec.Metrics[j]); wrong != "" {
				return fmt.Sprintf("HPA %s of the hub has the metric %s, and the hub has no pods to measure or count: use External or Object with AverageValue; until then fewer replicas are not acted on", hpas[i].Name, wrong)
			}
		}
	}
	return ""
}

// unmeasured says which HPA of the hub asks for replicas without having read its metrics, "" if none does. Such a one keeps
// what it finds, but lifts it to its minReplicas.
func unmeasured(hpas []autoscalingv2.HorizontalPodAutoscaler) string {
	for i := range hpas {
		if why := unread(&hpas[i]); why != "" {
			return fmt.Sprintf("HPA %s of the hub has not read its metrics (%s)", hpas[i].Name, why)
		}
	}
	return ""
}

// unread is the reason why an HPA cannot read its metrics, "" if it can, or has been switched off by 0 replicas.
func unread(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	for _, c := range hpa.Status.Conditions {
		switch {
		case c.Type != autoscalingv2.ScalingActive:
		case c.Status == corev1.ConditionTrue, c.Reason == "ScalingDisabled":
			return ""
		default:
			return cmp.Or(c.Reason, "Unknown")
		}
	}
	return "NotLookedYet"
}

// scales is the name of the FederatedScale that an HPA of the hub scales, "" if it scales something else.
func scales(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	ref := hpa.Spec.ScaleTargetRef
	if ref.Kind != "FederatedScale" || schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).Group != v1alpha1.SchemeGroupVersion.Group {
		return ""
	}
	return ref.Name
}

// needsPods names a metric that needs pods in the hub; "" for others.
func needsPods(m *autoscalingv2.MetricSpec) string {
	switch {
	case m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
		return fmt.Sprintf("%s of type Resource", m.Resource.Name)
	case m.Type == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
		return fmt.Sprintf("%s of type ContainerResource", m.ContainerResource.Name)
	case m.Type == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
		return fmt.Sprintf("%s of type Pods", m.Pods.Metric.Name)
	case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil && m.External.Target.Type != autoscalingv2.AverageValueMetricType:
		return fmt.Sprintf("%s (External) with a target of type %s", m.External.Metric.Name, m.External.Target.Type)
	case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil && m.Object.Target.Type != autoscalingv2.AverageValueMetricType:
		return fmt.Sprintf("%s (Object) with a target of type %s", m.Object.Metric.Name, m.Object.Target.Type)
	}
	return ""
}
