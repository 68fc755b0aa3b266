// SPDX-License-Identifier: Apache-2.0

// Package hpa is the arithmetic of the HorizontalPodAutoscaler of Kubernetes 1.36 as a pure function: from a spec,
// what was observed, and the memory of earlier decisions, to the replicas and the conditions that the real controller
// would set. A differential test in the module cmd/localcluster holds it against the real controller's code.
//
// Three things about the real controller that surprise, and that this package keeps:
//   - Above maxReplicas or below minReplicas it sets the bound at once: no metric is read, and neither behavior nor
//     stabilization slows it. Such a jump counts as a scale event, but leaves no recommendation.
//   - Stabilization remembers what the metrics asked for, not what minReplicas made of it. A floor that ends leaves
//     nothing behind that would hold the replicas up.
//   - An HPA with spec.behavior follows other code than one without: the latter may only double (or reach 4) per step.
//
// One difference: where the real controller converts a number too large for an int32, which depends on the processor,
// this package takes the largest int32.
package hpa

import (
	"errors"
	"fmt"
	"time"
)

// MetricType is where a metric comes from. The values are those of autoscaling/v2.
type MetricType string

const (
	PodsMetric              MetricType = "Pods"
	ObjectMetric            MetricType = "Object"
	ExternalMetric          MetricType = "External"
	ResourceMetric          MetricType = "Resource"
	ContainerResourceMetric MetricType = "ContainerResource"
)

// TargetType is what a metric is compared with. The values are those of autoscaling/v2.
type TargetType string

const (
	Value        TargetType = "Value"
	AverageValue TargetType = "AverageValue"
	Utilization  TargetType = "Utilization"
)

// CPU is the one resource for which readiness and age of a pod matter.
const CPU = "cpu"

// Metric is one entry of spec.metrics.
type Metric struct {
	Type      MetricType
	Name      string // of the metric, or of the resource
	Container string // ContainerResource only
	Target    TargetType
	// Goal is the target's number: thousandths of the metric's unit for Value and AverageValue, per cent for Utilization.
	Goal int64
}

// Select says which of several policies limits a change. The values are those of autoscaling/v2.
type Select string

const (
	SelectMax      Select = "Max"
	SelectMin      Select = "Min"
	SelectDisabled Select = "Disabled"
)

// PolicyType is the unit of a policy. The values are those of autoscaling/v2.
type PolicyType string

const (
	PodsPolicy    PolicyType = "Pods"
	PercentPolicy PolicyType = "Percent"
)

// Policy limits the change within Period.
type Policy struct {
	Type   PolicyType
	Value  int32 // pods, or per cent of the replicas at the start of the period
	Period time.Duration
}

// Rules are spec.behavior.scaleUp or scaleDown. A zero field takes Kubernetes' default.
type Rules struct {
	Stabilization *time.Duration
	Select        Select
	Policies      []Policy
	Tolerance     *float64 // nil: Options.Tolerance
}

// Behavior is spec.behavior.
type Behavior struct {
	ScaleUp   Rules
	ScaleDown Rules
}

// Spec is what an HPA asks for.
type Spec struct {
	MinReplicas int32
	MaxReplicas int32
	Metrics     []Metric
	Behavior    *Behavior // nil: the spec has none, which is not the same as one of defaults
}

// Options are the flags of the kube-controller-manager.
type Options struct {
	Tolerance              float64       // --horizontal-pod-autoscaler-tolerance
	DownscaleStabilization time.Duration // --horizontal-pod-autoscaler-downscale-stabilization
	CPUInitialization      time.Duration // --horizontal-pod-autoscaler-cpu-initialization-period
	InitialReadinessDelay  time.Duration // --horizontal-pod-autoscaler-initial-readiness-delay
	ScaleToZero            bool          // the feature gate HPAScaleToZero
}

// DefaultOptions are Kubernetes' own.
func DefaultOptions() Options {
	return Options{
		Tolerance:              0.1,
		DownscaleStabilization: 5 * time.Minute,
		CPUInitialization:      5 * time.Minute,
		InitialReadinessDelay:  30 * time.Second,
	}
}

// Validate says what in the spec the API server would have refused, as far as the arithmetic depends on it.
func (s Spec) Validate() error {
	switch {
	case s.MinReplicas < 0:
		return fmt.Errorf("minReplicas is %d: it must not be negative", s.MinReplicas)
	case s.MaxReplicas < 1:
		return fmt.Errorf("maxReplicas is %d: it must be at least 1", s.MaxReplicas)
	case s.MaxReplicas < s.MinReplicas:
		return fmt.Errorf("maxReplicas is %d, below minReplicas %d", s.MaxReplicas, s.MinReplicas)
	case len(s.Metrics) == 0:
		return errors.New("there are no metrics: name at least one")
	}
	for i, m := range s.Metrics {
		if err := m.validate(); err != nil {
			return fmt.Errorf("metrics[%d]: %w", i, err)
		}
	}
	if s.Behavior == nil {
		return nil
	}
	if err := s.Behavior.ScaleUp.validate(); err != nil {
		return fmt.Errorf("behavior.scaleUp: %w", err)
	}
	if err := s.Behavior.ScaleDown.validate(); err != nil {
		return fmt.Errorf("behavior.scaleDown: %w", err)
	}
	return nil
}

func (m Metric) validate() error {
	allowed := map[MetricType][]TargetType{
		PodsMetric:              {AverageValue},
		ObjectMetric:            {Value, AverageValue},
		ExternalMetric:          {Value, AverageValue},
		ResourceMetric:          {Utilization, AverageValue},
		ContainerResourceMetric: {Utilization, AverageValue},
	}
	targets, known := allowed[m.Type]
	if !known {
		return fmt.Errorf("type %q is not one of Pods, Object, External, Resource and ContainerResource", m.Type)
	}
	if m.Goal <= 0 {
		return fmt.Errorf("the target of metric %q is not positive", m.Name)
	}
	for _, t := range targets {
		if t == m.Target {
			return nil
		}
	}
	return fmt.Errorf("a %s metric cannot have a target of type %q", m.Type, m.Target)
}

func (r Rules) validate() error {
	if r.Stabilization != nil && (*r.Stabilization < 0 || *r.Stabilization > time.Hour) {
		return fmt.Errorf("a stabilization window of %s is not between 0 and 1h", *r.Stabilization)
	}
	if r.Tolerance != nil && !(*r.Tolerance >= 0) {
		return fmt.Errorf("a tolerance of %v is not 0 or more", *r.Tolerance)
	}
	switch r.Select {
	case "", SelectMax, SelectMin, SelectDisabled:
	default:
		return fmt.Errorf("selectPolicy %q is not one of Max, Min and Disabled", r.Select)
	}
	for i, p := range r.Policies {
		if p.Type != PodsPolicy && p.Type != PercentPolicy {
			return fmt.Errorf("policies[%d]: type %q is not one of Pods and Percent", i, p.Type)
		}
		if p.Value <= 0 || p.Period <= 0 || p.Period > 30*time.Minute {
			return fmt.Errorf("policies[%d]: value and period must be positive, the period at most 30m", i)
		}
	}
	return nil
}

// NeedsPods says whether the metric's values are those of pods.
func (m Metric) NeedsPods() bool {
	return m.Type == PodsMetric || m.Type == ResourceMetric || m.Type == ContainerResourceMetric
}
