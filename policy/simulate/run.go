// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/hpa"
)

// Run simulates. The error says what about the Config cannot be simulated.
func Run(c Config) (Measures, error) {
	if err := c.validate(); err != nil {
		return Measures{}, err
	}
	r := run{Config: c, base: bounds.Bounds{Min: c.HPA.MinReplicas, Max: c.HPA.MaxReplicas}}
	r.live = r.base
	r.scaler = hpa.Autoscaler{Spec: c.HPA, Options: c.Options}
	r.readings = make([]hpa.Reading, len(c.HPA.Metrics))
	r.pods.startup, r.pods.pending, r.pods.remember = c.StartupAt, c.Pending, r.needsPods()
	r.start()
	if c.Looks == nil {
		for now := c.Start; now.Before(c.End); now = now.Add(c.Sync) {
			r.step(Look{now, now.Add(-c.SampleDelay).Truncate(c.SampleEvery)}, now.Add(c.Sync))
		}
	}
	for i, look := range c.Looks {
		next := c.End
		if i+1 < len(c.Looks) {
			next = c.Looks[i+1].At
		}
		r.step(look, next)
	}
	return r.meter.measures(), nil
}

type run struct {
	Config
	scaler   hpa.Autoscaler
	pods     pods
	meter    meter
	readings []hpa.Reading

	base   bounds.Bounds // the user's own
	live   bounds.Bounds // what the HPA says
	state  bounds.State
	last   hpa.Decision
	edited int
}

// start puts the initial replicas there, ready.
func (r *run) start() {
	n := r.Initial
	if n == 0 {
		n = clamp(math.Ceil(r.Demand.At(r.Start)/r.Capacity), r.HPA.MinReplicas, r.HPA.MaxReplicas)
		if r.Fixed != nil {
			n = r.Fixed(r.Start)
		}
	}
	begun := r.Start.Add(-longBefore)
	r.pods.scale(n, begun.Add(-r.StartupAt(begun)))
	r.pods.tick(r.Start)
}

// longBefore is how long the initial replicas are ready: no value that is read is older.
const longBefore = time.Hour

func clamp(v float64, low, high int32) int32 {
	return int32(min(max(v, float64(low)), float64(high)))
}

// step is one sync, and the time until the next.
func (r *run) step(look Look, next time.Time) {
	now := look.At
	r.pods.tick(now)
	t := Tick{Time: now, Demand: r.Demand.At(now)}
	before := r.pods.count()
	if r.Fixed != nil {
		r.pods.scale(max(r.Fixed(now), 0), now)
	} else {
		r.decide(look, &t)
	}
	r.meter.scaled(before, r.pods.count())
	t.Replicas, t.Ready, t.Bounds = r.pods.count(), int32(r.pods.ready), r.live
	t.Unserved = max(0, t.Demand-float64(t.Ready)*r.Capacity)
	r.meter.account(t, r.Capacity, min(next.Sub(now), r.End.Sub(now)))
	if r.Watch != nil {
		r.Watch(t)
	}
}

// decide sets the bounds and lets the HPA act.
func (r *run) decide(look Look, t *Tick) {
	now, sampled := look.At, look.Sampled
	value := r.Demand.At(sampled)
	r.edit(now)
	if r.Contribute != nil {
		t.Decided = r.bound(now, Seen{Demand: value, At: sampled, Replicas: r.pods.count(), Base: r.base})
		r.live, r.state = t.Decided.Bounds, t.Decided.State
	}
	r.scaler.Spec.MinReplicas, r.scaler.Spec.MaxReplicas = r.live.Min, r.live.Max
	t.HPA = r.scaler.Step(r.observe(now, sampled, value))
	r.last = t.HPA
	r.pods.scale(t.HPA.Replicas, now)
}

// edit applies what the user writes into the HPA by now.
func (r *run) edit(now time.Time) {
	for r.edited < len(r.Edits) && !r.Edits[r.edited].At.After(now) {
		a := bounds.Adopt(r.Edits[r.edited].Bounds, r.base, r.state, now)
		r.live, r.base, r.state = r.Edits[r.edited].Bounds, a.Base, a.State
		r.edited++
	}
}

func (r *run) bound(now time.Time, seen Seen) bounds.Result {
	return bounds.Evaluate(bounds.Input{
		Now: now, Base: r.base, State: r.state, Contributions: r.Contribute(now, seen),
		Observed: bounds.Observed{Replicas: seen.Replicas, Desired: r.last.Replicas, Wanted: r.last.Wanted, Live: r.live},
	})
}

var errOutage = errors.New("the metric has no value")

// observe is what the HPA sees.
func (r *run) observe(now, sampled time.Time, value float64) hpa.Observation {
	obs := hpa.Observation{Now: now, Replicas: r.pods.count(), StatusReplicas: r.pods.count(), Readings: r.readings}
	for _, o := range r.Outages {
		if o.contains(now) {
			for i := range r.readings {
				r.readings[i] = hpa.Reading{Err: errOutage}
			}
			return obs
		}
	}
	for i, m := range r.HPA.Metrics {
		if !m.NeedsPods() {
			n := r.milli(value)
			r.readings[i] = hpa.Reading{Value: n, Values: []int64{n}}
			continue
		}
		if obs.Pods == nil {
			obs.Pods = r.pods.objects(r.HPA.Metrics, r.RequestMilli)
		}
		r.readings[i] = hpa.Reading{Pods: r.podValues(m, sampled, value)}
	}
	if obs.Pods == nil && r.needsReadyPods() {
		obs.Pods = r.pods.objects(nil, 0)
	}
	return obs
}

// needsReadyPods says whether a metric without pods is multiplied by those that are ready.
func (r *run) needsReadyPods() bool {
	for _, m := range r.HPA.Metrics {
		if m.Target == hpa.Value {
			return true
		}
	}
	return false
}

// needsPods says whether a metric is one that pods have.
func (r *run) needsPods() bool { return slices.ContainsFunc(r.HPA.Metrics, hpa.Metric.NeedsPods) }

// podValues are those of the time sampled: the demand was shared out evenly over the pods that were ready then, and those
// that are gone since have no value any more, so that their part of the demand is missing until the next sample. A resource's use ends at the pod's capacity.
func (r *run) podValues(m hpa.Metric, sampled time.Time, value float64) []hpa.PodValue {
	were, are := r.pods.served(sampled)
	if are == 0 {
		return nil
	}
	each := value / float64(were)
	n := r.milli(each)
	if m.Type != hpa.PodsMetric {
		n = int64(math.Round(min(each/r.Capacity, 1) * float64(r.RequestMilli)))
	}
	out := make([]hpa.PodValue, are)
	for i := range out {
		out[i] = hpa.PodValue{Pod: r.pods.name(i), Value: n, Time: sampled, Window: r.SampleEvery}
	}
	return out
}

// milli is the metric in thousandths, rounded up as a Kubernetes quantity is.
func (r *run) milli(v float64) int64 {
	return int64(min(math.Ceil(v*r.MilliPerUnit), math.MaxInt64/2))
}
