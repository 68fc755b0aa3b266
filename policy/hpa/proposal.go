// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"errors"
	"fmt"
	"math"
)

// tolerances are the ratios around 1 within which a metric asks for nothing.
type tolerances struct{ down, up float64 }

func (t tolerances) within(ratio float64) bool {
	return 1-t.down <= ratio && ratio <= 1+t.up
}

func tolerancesOf(spec Spec, opts Options) tolerances {
	t := tolerances{down: opts.Tolerance, up: opts.Tolerance}
	if spec.Behavior == nil {
		return t
	}
	if v := spec.Behavior.ScaleDown.Tolerance; v != nil {
		t.down = *v
	}
	if v := spec.Behavior.ScaleUp.Tolerance; v != nil {
		t.up = *v
	}
	return t
}

// proposer computes what single metrics ask for.
type proposer struct {
	opts Options
	obs  Observation
	tol  tolerances
}

// propose returns the replicas that one metric asks for.
func (p proposer) propose(m Metric, r Reading) (int32, error) {
	if r.Err != nil {
		return 0, r.Err
	}
	switch m.Type {
	case ObjectMetric:
		if m.Target == AverageValue {
			return p.perPod(r.Value, m.Goal), nil
		}
		return p.whole(r.Value, m.Goal)
	case ExternalMetric:
		if m.Target == AverageValue {
			return p.perPod(sumPerPod(r.Values), m.Goal), nil
		}
		return p.whole(sumWhole(r.Values), m.Goal)
	case PodsMetric:
		return p.average(m, r.Pods, "")
	case ResourceMetric, ContainerResourceMetric:
		if m.Target == AverageValue {
			return p.average(m, r.Pods, m.Name)
		}
		return p.utilization(m, r.Pods)
	}
	return 0, fmt.Errorf("the metric %q is of the unknown type %q", m.Name, m.Type)
}

// whole is the rule for a target of type Value: the ratio times the pods that are ready. From zero replicas the ratio
// itself is the count, and the tolerance does not apply.
func (p proposer) whole(usage, goal int64) (int32, error) {
	ratio := float64(usage) / float64(goal)
	if p.obs.Replicas == 0 {
		return ceil(ratio), nil
	}
	if p.tol.within(ratio) {
		return p.obs.Replicas, nil
	}
	if len(p.obs.Pods) == 0 {
		return 0, errNoPods
	}
	return ceil(ratio * float64(readyPods(p.obs.Pods))), nil
}

// perPod is the rule for a target of type AverageValue of an Object or External metric: no pod is looked at.
func (p proposer) perPod(usage, goal int64) int32 {
	status := p.obs.StatusReplicas
	ratio := float64(usage) / (float64(goal) * float64(status))
	if p.tol.within(ratio) {
		return status
	}
	return ceil(float64(usage) / float64(goal))
}

// sumWhole adds up the series of an External metric with a target of type Value.
func sumWhole(values []int64) int64 {
	var sum int64
	for _, v := range values {
		if v > 0 && sum > math.MaxInt64-v {
			return math.MaxInt64
		}
		sum += v
	}
	return sum
}

// sumPerPod adds up the series of an External metric with a target of type AverageValue. Kubernetes takes every
// negative sum for an overflow, so a negative metric asks for as many replicas as there can be.
func sumPerPod(values []int64) int64 {
	var sum int64
	for _, v := range values {
		sum += v
		if sum < 0 {
			return math.MaxInt64
		}
	}
	return sum
}

// average is the rule for metrics that pods have and whose target is an average.
func (p proposer) average(m Metric, values []PodValue, resource string) (int32, error) {
	g, err := p.group(values, resource)
	if err != nil {
		return 0, err
	}
	measure := func() (float64, error) {
		var total int64
		for _, v := range g.values {
			total += v
		}
		return float64(total/int64(len(g.values))) / float64(m.Goal), nil
	}
	return p.settle(g, measure, func(string) int64 { return m.Goal })
}

// utilization is the rule for resources whose target is a share of the requests.
func (p proposer) utilization(m Metric, values []PodValue) (int32, error) {
	g, err := p.group(values, m.Name)
	if err != nil {
		return 0, err
	}
	requests, err := requestsOf(p.obs.Pods, m)
	if err != nil {
		return 0, err
	}
	measure := func() (float64, error) {
		var used, requested int64
		for pod, v := range g.values {
			request, known := requests[pod]
			if !known {
				continue
			}
			used += v
			requested += request
		}
		if requested == 0 {
			return 0, errors.New("the pods that have a value request nothing")
		}
		// The real controller keeps whole per cents, in 32 bits.
		return float64(int32(used*100/requested)) / float64(m.Goal), nil
	}
	share := max(100, m.Goal)
	return p.settle(g, measure, func(pod string) int64 { return requests[pod] * share / 100 })
}

// settle turns a measured ratio into replicas. Pods without a value count as idle where that damps a rise, and as if
// they needed assumed(pod) where it damps a fall; a change of direction by these guesses means no change.
func (p proposer) settle(g *groups, measure func() (float64, error), assumed func(pod string) int64) (int32, error) {
	ratio, err := measure()
	if err != nil {
		return 0, err
	}
	rising := ratio > 1
	if len(g.missing) == 0 && !(rising && len(g.unready) > 0) {
		if p.tol.within(ratio) {
			return p.obs.Replicas, nil
		}
		return ceil(ratio * float64(g.ready)), nil
	}
	for _, pod := range g.missing {
		switch {
		case ratio < 1:
			g.values[pod] = assumed(pod)
		case rising:
			g.values[pod] = 0
		}
	}
	if rising {
		for _, pod := range g.unready {
			g.values[pod] = 0
		}
	}
	damped, err := measure()
	if err != nil {
		return 0, err
	}
	if p.tol.within(damped) || (ratio < 1 && damped > 1) || (rising && damped < 1) {
		return p.obs.Replicas, nil
	}
	replicas := ceil(damped * float64(len(g.values)))
	if (damped < 1 && replicas > p.obs.Replicas) || (damped > 1 && replicas < p.obs.Replicas) {
		return p.obs.Replicas, nil
	}
	return replicas, nil
}

// ceil rounds up and keeps the result within an int32. NaN, which zero of zero gives, is 0.
func ceil(v float64) int32 {
	switch v = math.Ceil(v); {
	case math.IsNaN(v):
		return 0
	case v >= math.MaxInt32:
		return math.MaxInt32
	case v <= math.MinInt32:
		return math.MinInt32
	}
	return int32(v)
}
