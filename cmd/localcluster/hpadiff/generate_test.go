// SPDX-License-Identifier: Apache-2.0

package hpadiff

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/hpa"
)

const (
	hpaName = "shop"
	sidecar = "proxy"
)

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

func ptr[T any](v T) *T { return &v }

// randomObject is an HPA as a user might write it.
func randomObject(r *rand.Rand, namespace string, scaleToZero bool) *autoscalingv2.HorizontalPodAutoscaler {
	object := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: hpaName, Namespace: namespace},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: hpaName},
		},
	}
	randomBounds(r, object, scaleToZero)
	randomMetrics(r, object)
	randomBehavior(r, object)
	return object
}

func randomBounds(r *rand.Rand, object *autoscalingv2.HorizontalPodAutoscaler, scaleToZero bool) {
	low := int32(1 + r.IntN(6))
	if scaleToZero && chance(r, 0.6) {
		low = 0
	}
	object.Spec.MinReplicas = &low
	if chance(r, 0.1) {
		object.Spec.MinReplicas, low = nil, 1
	}
	object.Spec.MaxReplicas = max(low, 1) + int32(r.IntN(14))
	if chance(r, 0.2) {
		object.Spec.MaxReplicas += 300
	}
}

func randomMetrics(r *rand.Rand, object *autoscalingv2.HorizontalPodAutoscaler) {
	object.Spec.Metrics = nil
	seen := map[string]bool{}
	for i := range 1 + r.IntN(3) {
		m := randomMetric(r, fmt.Sprintf("m%d", i))
		if key := keyOf(metricOf(m)); !seen[key] {
			seen[key] = true
			object.Spec.Metrics = append(object.Spec.Metrics, m)
		}
	}
}

func randomMetric(r *rand.Rand, name string) autoscalingv2.MetricSpec {
	id := autoscalingv2.MetricIdentifier{Name: name}
	goal := resource.NewMilliQuantity(pick(r, int64(1), 10, 100, 900, 1000, 50_000), resource.DecimalSI)
	value := autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: goal}
	average := autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: goal}
	share := autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr(pick(r, int32(10), 50, 80, 100, 150))}
	res := pick(r, v1.ResourceCPU, v1.ResourceCPU, v1.ResourceMemory)
	switch r.IntN(5) {
	case 0:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: id, Target: average}}
	case 1:
		object := autoscalingv2.CrossVersionObjectReference{APIVersion: "v1", Kind: "Service", Name: "shop"}
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{
			Metric: id, Target: pick(r, value, average), DescribedObject: object}}
	case 2:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{
			Metric: id, Target: pick(r, value, average)}}
	case 3:
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
			Name: res, Target: pick(r, share, share, average)}}
	}
	return autoscalingv2.MetricSpec{Type: autoscalingv2.ContainerResourceMetricSourceType, ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
		Name: res, Container: pick(r, "app", sidecar), Target: pick(r, share, share, average)}}
}

func randomBehavior(r *rand.Rand, object *autoscalingv2.HorizontalPodAutoscaler) {
	object.Spec.Behavior = nil
	if chance(r, 0.3) {
		return
	}
	object.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{}
	if chance(r, 0.7) {
		object.Spec.Behavior.ScaleUp = randomRules(r)
	}
	if chance(r, 0.7) {
		object.Spec.Behavior.ScaleDown = randomRules(r)
	}
}

func randomRules(r *rand.Rand) *autoscalingv2.HPAScalingRules {
	rules := &autoscalingv2.HPAScalingRules{}
	if chance(r, 0.6) {
		rules.StabilizationWindowSeconds = ptr(pick(r, int32(0), 14, 15, 30, 60, 120))
	}
	if chance(r, 0.6) {
		rules.SelectPolicy = ptr(pick(r, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect,
			autoscalingv2.MinChangePolicySelect, autoscalingv2.DisabledPolicySelect))
	}
	if chance(r, 0.3) {
		rules.Tolerance = ptr(resource.MustParse(pick(r, "0", "0.05", "0.1", "0.25", "0.5")))
	}
	if chance(r, 0.3) {
		return rules
	}
	for range 1 + r.IntN(2) {
		rules.Policies = append(rules.Policies, autoscalingv2.HPAScalingPolicy{
			Type:          pick(r, autoscalingv2.PodsScalingPolicy, autoscalingv2.PercentScalingPolicy),
			Value:         pick(r, int32(1), 2, 3, 10, 50, 100, 150),
			PeriodSeconds: pick(r, int32(15), 30, 45, 60, 120, 300),
		})
	}
	return rules
}

// randomPods are about as many pods as there should be, in every condition that pods get into. now is the time of the
// next sync: times are whole multiples of 5 s before it, so that the edges of periods are met exactly.
func randomPods(r *rand.Rand, now time.Time, n int) []hpa.Pod {
	healthy, levels := chance(r, 0.5), chance(r, 0.1)
	pods := make([]hpa.Pod, n)
	for i := range pods {
		pods[i] = hpa.Pod{
			Name: fmt.Sprintf("shop-%d", i), Phase: hpa.PodRunning, Ready: hpa.ReadyTrue,
			ReadySince: ago(r, now, 100), Started: ago(r, now, 100),
			Containers: []hpa.Container{{Name: "app", Requests: randomRequests(r)}, {Name: sidecar, Requests: randomRequests(r)}},
		}
		if levels {
			pods[i].Requests = hpa.Requests{"cpu": 500, "memory": 2000}
		}
		if !healthy {
			spoil(r, &pods[i])
		}
	}
	return pods
}

func ago(r *rand.Rand, now time.Time, steps int) time.Time {
	return now.Add(-time.Duration(r.IntN(steps)) * 5 * time.Second)
}

func randomRequests(r *rand.Rand) hpa.Requests {
	if chance(r, 0.004) {
		return hpa.Requests{"memory": 1000}
	}
	return hpa.Requests{"cpu": pick(r, int64(0), 100, 250, 1000), "memory": 1000}
}

func spoil(r *rand.Rand, p *hpa.Pod) {
	if chance(r, 0.3) {
		p.Phase = pick(r, hpa.PodPending, hpa.PodPending, hpa.PodFailed, hpa.PodSucceeded, hpa.PodUnknown)
	}
	if chance(r, 0.3) {
		p.Ready = pick(r, hpa.ReadyFalse, hpa.ReadyFalse, hpa.ReadyUnknown, "")
	}
	p.Deleting = chance(r, 0.05)
	if chance(r, 0.1) {
		p.Started = time.Time{}
	}
}

// randomReading is a metric's answer. Its ratio to the goal is often at an edge of a tolerance, or exactly 1.
func randomReading(r *rand.Rand, m hpa.Metric, pods []hpa.Pod, replicas int32, now time.Time) hpa.Reading {
	if chance(r, 0.08) {
		return hpa.Reading{Err: errInjected}
	}
	ratio := pick(r, 0, 0.5, 0.75, 0.9, 0.95, 0.99, 1, 1, 1.01, 1.05, 1.1, 1.11, 1.25, 1.5, 2, 3, r.Float64()*2, r.Float64()*4)
	if chance(r, 0.01) {
		ratio = -ratio
	}
	goal := float64(m.Goal)
	switch m.Type {
	case hpa.ObjectMetric:
		return hpa.Reading{Value: int64(ratio * goal * scaleOf(m, replicas))}
	case hpa.ExternalMetric:
		return hpa.Reading{Values: randomSeries(r, int64(ratio*goal*scaleOf(m, replicas)))}
	}
	if m.Target == hpa.Utilization {
		goal = goal * 250 / 100
	}
	return hpa.Reading{Pods: randomPodValues(r, pods, ratio*goal, now)}
}

func scaleOf(m hpa.Metric, replicas int32) float64 {
	if m.Target == hpa.AverageValue {
		return float64(max(replicas, 1))
	}
	return 1
}

func randomSeries(r *rand.Rand, total int64) []int64 {
	switch {
	case chance(r, 0.01):
		return []int64{math.MaxInt64 - 5, 4, 3}
	case chance(r, 0.05):
		return []int64{total * 2, -total}
	case chance(r, 0.3):
		return []int64{total / 2, total - total/2}
	}
	return []int64{total}
}

func randomPodValues(r *rand.Rand, pods []hpa.Pod, mean float64, now time.Time) []hpa.PodValue {
	complete, equal := chance(r, 0.5), chance(r, 0.5)
	var values []hpa.PodValue
	for _, p := range pods {
		if !complete && chance(r, 0.2) {
			continue
		}
		v := mean
		if !equal {
			v = mean * 2 * r.Float64()
		}
		values = append(values, hpa.PodValue{Pod: p.Name, Value: int64(v), Time: ago(r, now, 20), Window: pick(r, 15*time.Second, 30*time.Second, time.Minute)})
	}
	if chance(r, 0.05) {
		values = append(values, hpa.PodValue{Pod: "gone", Value: int64(mean * 3), Time: now, Window: time.Minute})
	}
	return values
}
