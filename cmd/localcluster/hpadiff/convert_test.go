// SPDX-License-Identifier: Apache-2.0

package hpadiff

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/hpa"
)

// specOf reads an HPA as the user wrote it: without the defaults of the API server, which our side has to know itself.
func specOf(object *autoscalingv2.HorizontalPodAutoscaler) hpa.Spec {
	spec := hpa.Spec{MinReplicas: 1, MaxReplicas: object.Spec.MaxReplicas}
	if m := object.Spec.MinReplicas; m != nil {
		spec.MinReplicas = *m
	}
	for _, m := range object.Spec.Metrics {
		spec.Metrics = append(spec.Metrics, metricOf(m))
	}
	if b := object.Spec.Behavior; b != nil {
		spec.Behavior = &hpa.Behavior{ScaleUp: rulesOf(b.ScaleUp), ScaleDown: rulesOf(b.ScaleDown)}
	}
	return spec
}

func metricOf(m autoscalingv2.MetricSpec) hpa.Metric {
	out := hpa.Metric{Type: hpa.MetricType(m.Type)}
	var target autoscalingv2.MetricTarget
	switch m.Type {
	case autoscalingv2.PodsMetricSourceType:
		out.Name, target = m.Pods.Metric.Name, m.Pods.Target
	case autoscalingv2.ObjectMetricSourceType:
		out.Name, target = m.Object.Metric.Name, m.Object.Target
	case autoscalingv2.ExternalMetricSourceType:
		out.Name, target = m.External.Metric.Name, m.External.Target
	case autoscalingv2.ResourceMetricSourceType:
		out.Name, target = string(m.Resource.Name), m.Resource.Target
	case autoscalingv2.ContainerResourceMetricSourceType:
		out.Name, target = string(m.ContainerResource.Name), m.ContainerResource.Target
		out.Container = m.ContainerResource.Container
	}
	out.Target = hpa.TargetType(target.Type)
	switch target.Type {
	case autoscalingv2.ValueMetricType:
		out.Goal = target.Value.MilliValue()
	case autoscalingv2.AverageValueMetricType:
		out.Goal = target.AverageValue.MilliValue()
	case autoscalingv2.UtilizationMetricType:
		out.Goal = int64(*target.AverageUtilization)
	}
	return out
}

func rulesOf(r *autoscalingv2.HPAScalingRules) hpa.Rules {
	var out hpa.Rules
	if r == nil {
		return out
	}
	if w := r.StabilizationWindowSeconds; w != nil {
		d := time.Duration(*w) * time.Second
		out.Stabilization = &d
	}
	if s := r.SelectPolicy; s != nil {
		out.Select = hpa.Select(*s)
	}
	if t := r.Tolerance; t != nil {
		v := t.AsApproximateFloat64()
		out.Tolerance = &v
	}
	for _, p := range r.Policies {
		out.Policies = append(out.Policies, hpa.Policy{
			Type: hpa.PolicyType(p.Type), Value: p.Value, Period: time.Duration(p.PeriodSeconds) * time.Second,
		})
	}
	return out
}

// podObject is the Kubernetes object for one of our pods.
func podObject(namespace string, p hpa.Pod) *v1.Pod {
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: namespace, Labels: map[string]string{"app": "shop"}},
		Status:     v1.PodStatus{Phase: v1.PodPhase(p.Phase)},
	}
	if p.Deleting {
		pod.DeletionTimestamp = &metav1.Time{Time: p.ReadySince}
	}
	if p.Ready != "" {
		pod.Status.Conditions = []v1.PodCondition{{
			Type: v1.PodReady, Status: v1.ConditionStatus(p.Ready), LastTransitionTime: metav1.NewTime(p.ReadySince),
		}}
	}
	if !p.Started.IsZero() {
		pod.Status.StartTime = &metav1.Time{Time: p.Started}
	}
	for _, c := range p.Containers {
		pod.Spec.Containers = append(pod.Spec.Containers, v1.Container{
			Name: c.Name, Resources: v1.ResourceRequirements{Requests: listOf(c.Requests)},
		})
	}
	if n := len(p.Containers); n > 1 && p.Containers[n-1].Name == sidecar {
		always := v1.ContainerRestartPolicyAlways
		side := pod.Spec.Containers[n-1]
		side.RestartPolicy = &always
		pod.Spec.Containers = pod.Spec.Containers[:n-1]
		plain := v1.Container{Name: "migrate", Resources: v1.ResourceRequirements{Requests: listOf(hpa.Requests{"cpu": 7000})}}
		pod.Spec.InitContainers = []v1.Container{plain, side}
	}
	if p.Requests != nil {
		pod.Spec.Resources = &v1.ResourceRequirements{Requests: listOf(p.Requests)}
	}
	return pod
}

func listOf(r hpa.Requests) v1.ResourceList {
	list := v1.ResourceList{}
	for name, milli := range r {
		list[v1.ResourceName(name)] = *resource.NewMilliQuantity(milli, resource.DecimalSI)
	}
	return list
}
