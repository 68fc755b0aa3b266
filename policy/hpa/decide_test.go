// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Equality with Kubernetes is shown by the differential test in cmd/localcluster/hpadiff. The tests here say in plain
// words what matters most to Plimsoll, and hold the promises that are this package's own.

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

func queue(goal int64) Spec {
	return Spec{MinReplicas: 2, MaxReplicas: 100, Metrics: []Metric{{Type: ExternalMetric, Name: "queue", Target: AverageValue, Goal: goal * 1000}}}
}

func seen(now time.Time, replicas int32, value int64) Observation {
	return Observation{Now: now, Replicas: replicas, StatusReplicas: replicas, Readings: []Reading{{Values: []int64{value * 1000}}}}
}

func TestABoundIsJumpedToPastBehaviorAndWithoutMetrics(t *testing.T) {
	spec := queue(10)
	slow := time.Hour
	spec.Behavior = &Behavior{ScaleDown: Rules{Stabilization: &slow, Select: SelectDisabled}}
	blind := Observation{Now: noon, Replicas: 400, Readings: []Reading{{Err: errors.New("down")}}}

	d, state := Decide(spec, DefaultOptions(), blind, State{})
	require.Equal(t, AboveMax, d.Jump)
	require.Equal(t, int32(100), d.Replicas)
	require.Nil(t, d.Wanted)
	require.Len(t, state.ScaleDowns, 1, "the jump counts against the policies")

	spec.MinReplicas = 50
	blind.Replicas = 3
	d, _ = Decide(spec, DefaultOptions(), blind, State{})
	require.Equal(t, BelowMin, d.Jump)
	require.Equal(t, int32(50), d.Replicas)
}

func TestStabilizationForgetsFloors(t *testing.T) {
	spec, opts := queue(10), DefaultOptions()
	spec.MinReplicas = 50
	var state State
	for i := range 40 {
		_, state = Decide(spec, opts, seen(noon.Add(time.Duration(i)*15*time.Second), 50, 30), state)
	}
	spec.MinReplicas = 2
	d, _ := Decide(spec, opts, seen(noon.Add(10*time.Minute), 50, 30), state)
	require.Equal(t, int32(3), d.Replicas, "after a floor of 10 minutes nothing holds the replicas up")
}

func TestAFailingMetricStopsScalingDownOnly(t *testing.T) {
	spec := queue(10)
	spec.Metrics = append(spec.Metrics, Metric{Type: PodsMetric, Name: "users", Target: AverageValue, Goal: 1000})
	for value, want := range map[int64]int32{500: 50, 30: 20} {
		obs := seen(noon, 20, value)
		obs.Readings = append(obs.Readings, Reading{Err: errors.New("down")})
		d, _ := Decide(spec, Options{Tolerance: 0.1}, obs, State{})
		require.Equal(t, min(want, 40), d.Replicas, "without behavior a sync at most doubles")
		require.Equal(t, value == 500, d.ScalingActive.Status)
	}
}

func TestValidate(t *testing.T) {
	require.NoError(t, queue(10).Validate())
	for want, change := range map[string]func(*Spec){
		"minReplicas is -1":             func(s *Spec) { s.MinReplicas = -1 },
		"at least 1":                    func(s *Spec) { s.MinReplicas, s.MaxReplicas = 0, 0 },
		"below minReplicas":             func(s *Spec) { s.MaxReplicas = 1 },
		"no metrics":                    func(s *Spec) { s.Metrics = nil },
		"not one of Pods":               func(s *Spec) { s.Metrics[0].Type = "Cloud" },
		"is not positive":               func(s *Spec) { s.Metrics[0].Goal = 0 },
		"cannot have a target":          func(s *Spec) { s.Metrics[0].Target = Utilization },
		"selectPolicy":                  func(s *Spec) { s.Behavior = &Behavior{ScaleUp: Rules{Select: "Any"}} },
		"behavior.scaleDown: policies":  func(s *Spec) { s.Behavior = &Behavior{ScaleDown: Rules{Policies: []Policy{{Type: PodsPolicy}}}} },
		"behavior.scaleUp: a tolerance": func(s *Spec) { v := math.NaN(); s.Behavior = &Behavior{ScaleUp: Rules{Tolerance: &v}} },
		"behavior.scaleUp: a stabiliza": func(s *Spec) { v := 2 * time.Hour; s.Behavior = &Behavior{ScaleUp: Rules{Stabilization: &v}} },
	} {
		s := queue(10)
		change(&s)
		require.ErrorContains(t, s.Validate(), want)
	}
}

func drawSpec(t *rapid.T) Spec {
	s := Spec{MinReplicas: rapid.Int32Range(0, 5).Draw(t, "min")}
	s.MaxReplicas = max(s.MinReplicas, 1) + rapid.Int32Range(0, 50).Draw(t, "max")
	for i := range rapid.IntRange(1, 3).Draw(t, "metrics") {
		m := Metric{Name: "cpu", Container: "app", Goal: rapid.Int64Range(1, math.MaxInt64).Draw(t, "goal")}
		m.Type = rapid.SampledFrom([]MetricType{PodsMetric, ObjectMetric, ExternalMetric, ResourceMetric, ContainerResourceMetric}).Draw(t, fmt.Sprint("type", i))
		m.Target = AverageValue
		if m.Type == ResourceMetric {
			m.Target, m.Goal = Utilization, min(m.Goal, 1000)
		}
		s.Metrics = append(s.Metrics, m)
	}
	if rapid.Bool().Draw(t, "behavior") {
		s.Behavior = &Behavior{ScaleDown: Rules{Policies: []Policy{{Type: PercentPolicy, Value: rapid.Int32Range(1, math.MaxInt32).Draw(t, "percent"), Period: time.Minute}}}}
	}
	return s
}

// Whatever is observed, a decision is within the bounds, or leaves the replicas alone, and changes no argument.
func TestDecideKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, state, now := drawSpec(t), State{}, noon
		require.NoError(t, spec.Validate())
		replicas := rapid.Int32Range(0, 60).Draw(t, "replicas")
		for range rapid.IntRange(1, 8).Draw(t, "syncs") {
			now = now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second)
			value := rapid.Int64().Draw(t, "value")
			obs := Observation{Now: now, Replicas: replicas, StatusReplicas: replicas, Pods: []Pod{{Name: "a", Phase: PodRunning, Ready: ReadyTrue,
				Started: noon, ReadySince: noon, Containers: []Container{{Name: "app", Requests: Requests{"cpu": rapid.Int64Range(0, 1000).Draw(t, "request")}}}}}}
			for range rapid.IntRange(0, 3).Draw(t, "readings") {
				obs.Readings = append(obs.Readings, Reading{Value: value, Values: []int64{value, value}, Pods: []PodValue{{Pod: "a", Value: value, Time: now}}})
			}
			before, err := json.Marshal(state)
			require.NoError(t, err)
			d, next := Decide(spec, DefaultOptions(), obs, state)
			after, err := json.Marshal(state)
			require.NoError(t, err)
			require.JSONEq(t, string(before), string(after))
			if d.Rescaled {
				require.GreaterOrEqual(t, d.Replicas, spec.MinReplicas)
				require.LessOrEqual(t, d.Replicas, spec.MaxReplicas)
			} else {
				require.Equal(t, replicas, d.Replicas)
			}
			replicas, state = d.Replicas, next
		}
	})
}

func TestAutoscalerDoesWhatDecideDoes(t *testing.T) {
	a := Autoscaler{Spec: queue(10), Options: DefaultOptions()}
	var state State
	replicas := int32(10)
	for i := range 200 {
		obs := seen(noon.Add(time.Duration(i)*15*time.Second), replicas, int64(100+i*7%300))
		want, next := Decide(a.Spec, a.Options, obs, state)
		require.Equal(t, want, a.Step(obs))
		replicas, state = want.Replicas, next
	}
}

func BenchmarkStep(b *testing.B) {
	a := Autoscaler{Spec: queue(10), Options: DefaultOptions()}
	replicas := int32(10)
	for i := range b.N {
		replicas = a.Step(seen(noon.Add(time.Duration(i)*15*time.Second), replicas, int64(100+i%300))).Replicas
	}
}
