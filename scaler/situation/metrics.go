// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"fmt"
	"math"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// tolerance is Kubernetes' own: an HPA does not move for less.
const tolerance = 0.1

// PerReplicaMilli is the HPA's target for one replica, in thousandths of the metric's unit: of its single metric with
// an AverageValue target. What pods use of CPU and memory is no demand that a user would state, so it does not count.
// The error says why there is none.
func PerReplicaMilli(hpa *autoscalingv2.HorizontalPodAutoscaler) (int64, error) {
	found := 0
	var milli int64
	for i := range hpa.Spec.Metrics {
		m := &hpa.Spec.Metrics[i]
		target := targetOf(m)
		if m.Resource != nil || m.ContainerResource != nil || target == nil || target.Type != autoscalingv2.AverageValueMetricType || target.AverageValue == nil {
			continue
		}
		found++
		milli = target.AverageValue.MilliValue()
	}
	switch {
	case found == 0:
		return 0, fmt.Errorf("HPA %s has no Pods, Object or External metric with an AverageValue target, so a demand cannot be divided by it", hpa.Name)
	case found > 1:
		return 0, fmt.Errorf("HPA %s has %d metrics with AverageValue targets, so it is not known which one a demand is of", hpa.Name, found)
	case milli <= 0:
		return 0, fmt.Errorf("the AverageValue target of HPA %s is not above 0", hpa.Name)
	}
	return milli, nil
}

// Wanted is what the metrics alone ask for, before stabilization and bounds, as far as the HPA's status tells it; nil:
// unknown. running is how many replicas the values are of. held says that a bound of Plimsoll holds the replicas where
// they are, so that the HPA's tolerance around them means nothing.
func Wanted(hpa *autoscalingv2.HorizontalPodAutoscaler, running int32, held bool) *int32 {
	specs, statuses := hpa.Spec.Metrics, hpa.Status.CurrentMetrics
	if running <= 0 || len(specs) == 0 || len(specs) != len(statuses) || !scalingActive(hpa) {
		return nil
	}
	var most int32
	known := 0
	for i := range specs {
		n, ok := wantedByOne(&specs[i], &statuses[i], running, held)
		if !ok {
			continue
		}
		known++
		most = max(most, n)
	}
	// As the HPA itself: with a metric missing it scales up on the others, but not down.
	if known == 0 || known < len(specs) && most <= running {
		return nil
	}
	return &most
}

func scalingActive(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	for _, c := range hpa.Status.Conditions {
		if c.Type == autoscalingv2.ScalingActive {
			return c.Status == "True"
		}
	}
	return false
}

func wantedByOne(spec *autoscalingv2.MetricSpec, status *autoscalingv2.MetricStatus, running int32, held bool) (int32, bool) {
	target, current := targetOf(spec), currentOf(status)
	if target == nil || current == nil || spec.Type != status.Type {
		return 0, false
	}
	ratio := ratioOf(target, current)
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) || ratio < 0 {
		return 0, false
	}
	if !held && math.Abs(ratio-1) <= tolerance {
		return running, true
	}
	// Status values are rounded up to thousandths, so that their product may be a hair above a whole number.
	return int32(min(math.Ceil(ratio*float64(running)-1e-3), math.MaxInt32)), true
}

// ratioOf is the current value over its target; NaN where one of them is missing.
func ratioOf(target *autoscalingv2.MetricTarget, current *autoscalingv2.MetricValueStatus) float64 {
	switch {
	case target.Type == autoscalingv2.UtilizationMetricType && target.AverageUtilization != nil && current.AverageUtilization != nil:
		return float64(*current.AverageUtilization) / float64(*target.AverageUtilization)
	case target.Type == autoscalingv2.AverageValueMetricType && target.AverageValue != nil && current.AverageValue != nil:
		return current.AverageValue.AsApproximateFloat64() / target.AverageValue.AsApproximateFloat64()
	case target.Type == autoscalingv2.ValueMetricType && target.Value != nil && current.Value != nil:
		return current.Value.AsApproximateFloat64() / target.Value.AsApproximateFloat64()
	}
	return math.NaN()
}

func targetOf(m *autoscalingv2.MetricSpec) *autoscalingv2.MetricTarget {
	switch {
	case m.Pods != nil:
		return &m.Pods.Target
	case m.Object != nil:
		return &m.Object.Target
	case m.External != nil:
		return &m.External.Target
	case m.Resource != nil:
		return &m.Resource.Target
	case m.ContainerResource != nil:
		return &m.ContainerResource.Target
	}
	return nil
}

func currentOf(m *autoscalingv2.MetricStatus) *autoscalingv2.MetricValueStatus {
	switch {
	case m.Pods != nil:
		return &m.Pods.Current
	case m.Object != nil:
		return &m.Object.Current
	case m.External != nil:
		return &m.External.Current
	case m.Resource != nil:
		return &m.Resource.Current
	case m.ContainerResource != nil:
		return &m.ContainerResource.Current
	}
	return nil
}
