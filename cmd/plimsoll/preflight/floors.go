// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// maxSteps is how many changes of one target's floor are looked at in one stretch of time.
const maxSteps = 20_000

// target is an HPA with everything that decides its floor.
type target struct {
	hpa      *autoscalingv2.HorizontalPodAutoscaler
	base     bounds.Bounds // the user's own
	obs      schedule.Observations
	rules    []*schedule.Schedule
	override *record.Override
	event    bool // the event names it
	steps    []step
}

// step is what holds from a time on until the next step's.
type step struct {
	at     time.Time
	want   int32         // the floor that is asked for, if the HPA's own maximum allows everything
	bounds bounds.Bounds // what comes of it
	by     bounds.Source // who asks for it
	noGoal bool          // a window has a demand, and the target for one replica is not known
}

func (t *target) name() string { return t.hpa.Namespace + "/" + t.hpa.Name }

// stretch is a half-open stretch of time.
type stretch struct{ from, to time.Time }

// appliesTo says whether a schedule means a target: an HPA, or a workload that stands as one (see workloadTargets).
func appliesTo(s *v1alpha1.ScaleSchedule, hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	if !standsFor(hpa) {
		return situation.Means(s, hpa)
	}
	ref := s.Spec.TargetRef
	return ref.IsWorkload() && s.Namespace == hpa.Namespace && ref.Kind == hpa.Kind && ref.Name == hpa.Name
}

// standsFor says whether the HPA is none, but stands for a workload without one.
func standsFor(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	return hpa.Kind != "" && hpa.Kind != v1alpha1.DefaultTargetKind
}

// workloadTargets are the workloads that schedules name themselves, in the form of HPAs that allow everything: there,
// what is a floor elsewhere is the number of replicas.
func (w *World) workloadTargets() []autoscalingv2.HorizontalPodAutoscaler {
	var all []autoscalingv2.HorizontalPodAutoscaler
	for i := range w.Workloads {
		one := &w.Workloads[i]
		stand := autoscalingv2.HorizontalPodAutoscaler{
			TypeMeta:   metav1.TypeMeta{Kind: one.Kind},
			ObjectMeta: metav1.ObjectMeta{Namespace: one.Namespace, Name: one.Name, Annotations: one.Annotations},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				MinReplicas: &one.Replicas, MaxReplicas: math.MaxInt32,
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: one.Kind, Name: one.Name},
			},
		}
		means := func(s v1alpha1.ScaleSchedule) bool { return appliesTo(&s, &stand) }
		if slices.ContainsFunc(w.Event, means) || slices.ContainsFunc(w.Schedules, means) {
			all = append(all, stand)
		}
	}
	return all
}

// owner is the HPA that scales a workload; "" without one.
func (w *World) owner(namespace, kind, name string) string {
	for i := range w.HPAs {
		if ref := w.HPAs[i].Spec.ScaleTargetRef; w.HPAs[i].Namespace == namespace && ref.Kind == kind && ref.Name == name {
			return w.HPAs[i].Name
		}
	}
	return ""
}

// targetOf prepares an HPA; nil if no schedule names it. Notes are what the user should know about it.
func (w *World) targetOf(hpa *autoscalingv2.HorizontalPodAutoscaler, o Options, zones *schedule.Zones) (*target, []string) {
	t := &target{hpa: hpa}
	var notes []string
	add := func(list []v1alpha1.ScaleSchedule) (any bool) {
		for i := range list {
			if !appliesTo(&list[i], hpa) {
				continue
			}
			rule, err := list[i].Compile(zones)
			if err != nil {
				notes = append(notes, fmt.Sprintf("the ScaleSchedule %s/%s is left out, because it is not valid: %v", list[i].Namespace, list[i].Name, err))
				continue
			}
			t.rules, any = append(t.rules, rule), true
		}
		return any
	}
	t.event = add(w.Event)
	if others := add(w.Schedules); !t.event && !others {
		return nil, notes
	}
	kept, err := record.Parse(hpa.Annotations)
	if err != nil {
		notes = append(notes, fmt.Sprintf("of the HPA %s: %v", t.name(), err))
	}
	t.base = bounds.Adopt(situation.LiveBounds(hpa), kept.Base, kept.State, o.Now).Base
	if standsFor(hpa) {
		t.base.Max = math.MaxInt32
		if kept.State.Applied != nil {
			t.base.Min = kept.Base.Min
		}
	}
	if t.override, err = record.ParseOverride(hpa.Annotations); err != nil {
		notes = append(notes, fmt.Sprintf("of the HPA %s: %v", t.name(), err))
	}
	t.obs = schedule.Observations{
		BaseMin: t.base.Min, BaseMax: t.base.Max, Lead: cmp.Or(o.Lead, w.Leads[t.name()]), AssumeReady: true,
		Self: schedule.Target{Kind: cmp.Or(hpa.Kind, v1alpha1.DefaultTargetKind), Name: hpa.Name},
	}
	// Without a single target a window's demand sets no floor, and that becomes a check of its own.
	t.obs.PerReplicaMilli, _ = situation.PerReplicaMilli(hpa)
	return t, notes
}

// look works out the steps of the target in the stretches, which are in order and do not overlap.
func (t *target) look(stretches []stretch) {
	for _, s := range stretches {
		times := []time.Time{s.from}
		for _, d := range schedule.Preview(t.rules, t.obs, s.from, s.to, maxSteps) {
			times = append(times, d.At)
		}
		if o := t.override; o != nil {
			for _, at := range []time.Time{o.Since, o.Until} {
				if at.After(s.from) && at.Before(s.to) {
					times = append(times, at)
				}
			}
		}
		slices.SortFunc(times, time.Time.Compare)
		for _, at := range slices.CompactFunc(times, time.Time.Equal) {
			t.steps = append(t.steps, t.decide(at))
		}
	}
}

// decide is what the bounds will be at a time, as far as schedules and the override decide them.
func (t *target) decide(at time.Time) step {
	d := schedule.Evaluate(t.rules, t.obs, at)
	in := bounds.Input{Now: at, Base: t.base, Contributions: bounds.FromWindows(d)}
	if t.override != nil && t.override.Active(at) {
		in.Contributions = append(in.Contributions, t.override.Contribution())
	}
	result := bounds.Evaluate(in)
	in.Base.Max = math.MaxInt32
	open := bounds.Evaluate(in)
	return step{
		at: at, want: open.Bounds.Min, bounds: result.Bounds, by: open.FloorBy,
		noGoal: slices.ContainsFunc(d.Active, func(a schedule.Active) bool { return a.NoTarget }),
	}
}

// at returns what holds at a time in a stretch that was looked at.
func (t *target) at(when time.Time) step {
	i := sort.Search(len(t.steps), func(i int) bool { return t.steps[i].at.After(when) })
	if i == 0 {
		return step{at: when, want: t.base.Min, bounds: t.base}
	}
	return t.steps[i-1]
}

// join sorts stretches and makes one of those that overlap.
func join(all []stretch) []stretch {
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to)) })
	var out []stretch
	for _, s := range all {
		if n := len(out); n > 0 && !s.from.After(out[n-1].to) {
			if s.to.After(out[n-1].to) {
				out[n-1].to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	return out
}
