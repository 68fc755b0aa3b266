// SPDX-License-Identifier: Apache-2.0

// Package hpadiff holds policy/hpa against the real podautoscaler controller of Kubernetes: the same random specs,
// pods, metrics and interventions go to both, step by step, and replicas and conditions have to be equal.
package hpadiff

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	"k8s.io/klog/v2"
	apisv2 "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/features"

	"github.com/plimsoll/plimsoll/policy/hpa"
)

var (
	seed  = flag.Uint64("seed", 1, "of the random steps")
	steps = flag.Int("steps", 220, "syncs of each HPA, in each of the test's parts")
)

const (
	hpas   = 300
	resync = 15 * time.Second
)

// rig is one HPA with its surroundings, on both sides.
type rig struct {
	namespace string
	rand      *rand.Rand
	toZero    bool

	// What the real controller sees.
	object         *autoscalingv2.HorizontalPodAutoscaler
	pods           []*v1.Pod
	replicas       int32
	statusReplicas int32
	scaleFails     bool
	syncedAt       time.Time

	// What our side sees, and what it remembers and expects.
	spec       hpa.Spec
	ourPods    []hpa.Pod
	readings   []hpa.Reading
	byKey      map[string]hpa.Reading
	state      hpa.State
	conditions map[autoscalingv2.HorizontalPodAutoscalerConditionType]hpa.Condition
}

func resourceKey(resource, container string) string { return "resource/" + resource + "/" + container }

func keyOf(m hpa.Metric) string {
	if m.Type == hpa.ResourceMetric || m.Type == hpa.ContainerResourceMetric {
		return resourceKey(m.Name, m.Container)
	}
	return m.Name
}

func (r *rig) reading(key string) (hpa.Reading, error) {
	reading, ok := r.byKey[key]
	if !ok {
		panic("the controller asked for an unknown metric " + key)
	}
	return reading, reading.Err
}

func newRig(i int, toZero bool) *rig {
	r := &rig{
		namespace: fmt.Sprintf("shop-%d", i), rand: rand.New(rand.NewPCG(*seed, uint64(i))), toZero: toZero,
		conditions: map[autoscalingv2.HorizontalPodAutoscalerConditionType]hpa.Condition{},
	}
	r.setObject(randomObject(r.rand, r.namespace, toZero))
	r.replicas = int32(r.rand.IntN(12))
	return r
}

// setObject gives both sides a new spec; the real one with the API server's defaults. The status stays.
func (r *rig) setObject(object *autoscalingv2.HorizontalPodAutoscaler) {
	r.spec = specOf(object)
	if r.object != nil {
		object.Status = r.object.Status
	}
	apisv2.SetDefaults_HorizontalPodAutoscaler(object)
	r.object = object
}

// disturb prepares the next sync: now and then somebody edits the HPA or scales the workload.
func (r *rig) disturb(now time.Time) {
	if chance(r.rand, 0.05) {
		object := randomObject(r.rand, r.namespace, r.toZero)
		if chance(r.rand, 0.7) {
			object.Spec.Metrics = r.object.Spec.Metrics
		}
		r.setObject(object)
	}
	if chance(r.rand, 0.03) {
		r.replicas = pick(r.rand, 0, 1, int32(r.rand.IntN(20)))
	}
	if r.replicas == 0 && chance(r.rand, 0.3) {
		r.replicas = int32(r.rand.IntN(8))
	}
	r.scaleFails = chance(r.rand, 0.05)
	r.statusReplicas = r.replicas
	if chance(r.rand, 0.2) {
		r.statusReplicas = int32(r.rand.IntN(12))
	}
	n := int(min(r.replicas, 12))
	if chance(r.rand, 0.1) {
		n = r.rand.IntN(6)
	}
	r.ourPods = randomPods(r.rand, now, n)
	r.pods = r.pods[:0:0]
	for _, p := range r.ourPods {
		r.pods = append(r.pods, podObject(r.namespace, p))
	}
	idle := r.toZero && chance(r.rand, 0.3)
	r.readings, r.byKey = nil, map[string]hpa.Reading{}
	for _, m := range r.spec.Metrics {
		reading := randomReading(r.rand, m, r.ourPods, r.statusReplicas, now)
		if (idle || r.replicas == 0 && len(reading.Values) > 2) && reading.Err == nil {
			reading.Value, reading.Values = 0, []int64{0} // from zero replicas, a sum that overflows is the documented difference
		}
		r.readings, r.byKey[keyOf(m)] = append(r.readings, reading), reading
	}
}

// options are the flags that both sides get.
func options(toZero bool) hpa.Options {
	o := hpa.DefaultOptions()
	o.DownscaleStabilization = 90 * time.Second
	o.ScaleToZero = toZero
	return o
}

// expect runs our side for the sync that the real controller does next.
func (r *rig) expect(now time.Time) hpa.Decision {
	d, state := hpa.Decide(r.spec, options(r.toZero), hpa.Observation{
		Now: now, Replicas: r.replicas, StatusReplicas: r.statusReplicas, Pods: r.ourPods, Readings: r.readings,
	}, r.state)
	r.state = state
	set := func(t autoscalingv2.HorizontalPodAutoscalerConditionType, c hpa.Condition) {
		if c.Reason != "" {
			r.conditions[t] = c
		}
	}
	set(autoscalingv2.AbleToScale, d.AbleToScale)
	set(autoscalingv2.ScalingActive, d.ScalingActive)
	set(autoscalingv2.ScalingLimited, d.ScalingLimited)
	return d
}

// compare demands that both sides did the same.
func (r *rig) compare(t *testing.T, step int, d hpa.Decision) {
	t.Helper()
	real := map[autoscalingv2.HorizontalPodAutoscalerConditionType]hpa.Condition{}
	scaledToZero := false
	for _, c := range r.object.Status.Conditions {
		if c.Type == autoscalingv2.ScaledToZero {
			scaledToZero = c.Status == v1.ConditionTrue
			continue
		}
		real[c.Type] = hpa.Condition{Status: c.Status == v1.ConditionTrue, Reason: c.Reason}
	}
	if d.Replicas == r.replicas && scaledToZero == r.state.ScaledToZero && equalConditions(real, r.conditions) {
		return
	}
	require.Failf(t, "the sides differ", "seed %d, HPA %s, step %d:\nours %d %+v zero %v\nreal %d %+v zero %v\nspec %+v\ndecision %+v\npods %+v\nreadings %+v",
		*seed, r.namespace, step, d.Replicas, r.conditions, r.state.ScaledToZero, r.replicas, real, scaledToZero, r.spec, d, r.ourPods, r.readings)
}

func equalConditions(a, b map[autoscalingv2.HorizontalPodAutoscalerConditionType]hpa.Condition) bool {
	if len(a) != len(b) {
		return false
	}
	for t, c := range a {
		if b[t] != c {
			return false
		}
	}
	return true
}

// start runs the real controller until the context ends.
func (w *world) start(ctx context.Context, o hpa.Options) {
	c := podautoscaler.NewHorizontalController(ctx, eventsGetter{}, w, w, mapper{}, w, hpaInformer{w}, podInformer{w},
		resync, o.DownscaleStabilization, o.Tolerance, o.CPUInitialization, o.InitialReadinessDelay)
	go c.Run(ctx, 2)
	for _, r := range w.byNamespace {
		w.handler.OnAdd(r.object, true)
	}
}

// tally counts what the random steps reached.
type tally map[string]int

func (c tally) add(r *rig, d hpa.Decision) {
	c["steps"]++
	if d.Jump != hpa.NoJump {
		c[string(d.Jump)]++
	}
	if d.Rescaled {
		c["rescaled"]++
	}
	for _, condition := range []hpa.Condition{d.AbleToScale, d.ScalingActive, d.ScalingLimited} {
		if condition.Reason != "" {
			c[fmt.Sprintf("%s=%v", condition.Reason, condition.Status)]++
		}
	}
	if r.state.ScaledToZero {
		c["scaledToZero"]++
	}
}

func run(t *testing.T, toZero bool) {
	featuregatetesting.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, features.HPAScaleToZero, toZero)
	quiet(t)
	counts := tally{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logr.Discard()))
		defer cancel()
		w := &world{byNamespace: map[string]*rig{}}
		rigs := make([]*rig, hpas)
		for i := range rigs {
			rigs[i] = newRig(i, toZero)
			w.byNamespace[rigs[i].namespace] = rigs[i]
		}
		start := time.Now()
		w.start(ctx, options(toZero))
		time.Sleep(resync / 2)
		decisions := make([]hpa.Decision, len(rigs))
		for step := range *steps {
			next := start.Add(time.Duration(step+1) * resync)
			for i, r := range rigs {
				r.disturb(next)
				if !r.scaleFails {
					decisions[i] = r.expect(next)
				}
			}
			time.Sleep(resync)
			for i, r := range rigs {
				if r.scaleFails {
					r.conditions[autoscalingv2.AbleToScale] = hpa.Condition{Reason: "FailedGetScale"}
					continue
				}
				require.Equal(t, next, r.syncedAt, "the real controller did not sync %s in step %d", r.namespace, step)
				r.compare(t, step, decisions[i])
				counts.add(r, decisions[i])
			}
		}
	})
	t.Logf("equal: %v", counts)
	counts.require(t, toZero)
}

// require fails when the random steps do not reach what the test is about.
func (c tally) require(t *testing.T, toZero bool) {
	t.Helper()
	wanted := []string{
		"AboveMax", "BelowMin", "ScaleDownStabilized=true", "ScaleUpStabilized=true", "TooFewReplicas=true", "TooManyReplicas=true",
		"ScaleUpLimit=true", "ScaleDownLimit=true", "DesiredWithinRange=false", "ScalingDisabled=false", "FailedGetPodsMetric=false",
		"FailedGetObjectMetric=false", "FailedGetExternalMetric=false", "FailedGetResourceMetric=false", "FailedGetContainerResourceMetric=false",
	}
	if toZero {
		wanted = append(wanted, "scaledToZero")
	}
	for _, name := range wanted {
		require.Positive(t, c[name], "no step reached %s", name)
	}
}

// quiet keeps the real controller's errors, of which this test injects thousands, from the log; the handlers would
// also sleep to slow down.
func quiet(t *testing.T) {
	before := utilruntime.ErrorHandlers
	utilruntime.ErrorHandlers = nil
	t.Cleanup(func() { utilruntime.ErrorHandlers = before })
}

func TestEqualToKubernetes(t *testing.T) {
	t.Run("default feature gates", func(t *testing.T) { run(t, false) })
	t.Run("HPAScaleToZero", func(t *testing.T) { run(t, true) })
}
