// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

func quantity(text string) *resource.Quantity {
	q := resource.MustParse(text)
	return &q
}

// load sets the HPA's status.
func (w *world) load(replicas, desired int32) {
	w.hpa.Status = autoscalingv2.HorizontalPodAutoscalerStatus{
		CurrentReplicas: replicas, DesiredReplicas: desired,
		Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{{Type: autoscalingv2.ScalingActive, Status: corev1.ConditionTrue}},
	}
}

func drawWindow(t *rapid.T, v *v1alpha1.ScheduleWindow) {
	v.Start = noon.Add(time.Duration(rapid.IntRange(0, 240).Draw(t, "start")) * time.Minute).Format("2006-01-02T15:04")
	v.Duration = minutes(rapid.IntRange(1, 180).Draw(t, "duration"))
	v.RampUp, v.RampDown = minutes(rapid.IntRange(0, 60).Draw(t, "rampUp")), minutes(rapid.IntRange(0, 60).Draw(t, "rampDown"))
	lowest := rapid.Int32Range(0, 200).Draw(t, "min")
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		v.Replicas = number(lowest + 1)
	case 1:
		v.MaxReplicas = number(lowest + 1)
	case 2:
		v.MinReplicas, v.MaxReplicas = &lowest, number(lowest+rapid.Int32Range(1, 100).Draw(t, "room"))
	default:
		v.MinReplicas = &lowest
	}
}

func drawOverride(t *rapid.T, now time.Time) string {
	o := record.Override{Since: now, Until: now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "for")) * time.Minute)}
	if rapid.Bool().Draw(t, "freeze") {
		o.NoScaleDown = true
	} else {
		o.Min = number(rapid.Int32Range(0, 150).Draw(t, "override"))
	}
	return o.Format()
}

func drawWorld(t *rapid.T) *world {
	minimum := rapid.Int32Range(1, 50).Draw(t, "base min")
	w := newWorld(minimum, minimum+rapid.Int32Range(0, 100).Draw(t, "base room"))
	w.load(minimum, minimum)
	for range rapid.IntRange(0, 3).Draw(t, "schedules") {
		w.window(func(v *v1alpha1.ScheduleWindow) { drawWindow(t, v) })
		w.schedules[len(w.schedules)-1].Spec.Priority = rapid.Int32Range(0, 1).Draw(t, "priority")
	}
	if rapid.Bool().Draw(t, "forecast") { // its newest value is too old now and then
		newest := metav1.NewTime(noon.Add(time.Duration(rapid.IntRange(-300, 1200).Draw(t, "newest value")) * time.Minute))
		f := v1alpha1.ScaleForecast{Spec: v1alpha1.ScaleForecastSpec{Mode: v1alpha1.ForecastEnforce}}
		f.Name, f.Status.Effective, f.Status.Floor = "daily", v1alpha1.ForecastEnforcing, number(rapid.Int32Range(0, 120).Draw(t, "floor"))
		f.Status.LastValueTime = &newest
		w.forecasts = append(w.forecasts, f)
	}
	return w
}

// disturb lets somebody do something.
func (w *world) disturb(t *rapid.T, now time.Time, base *bounds.Bounds) {
	switch rapid.IntRange(0, 9).Draw(t, "deed") {
	case 0:
		live := LiveBounds(w.hpa)
		live.Min = rapid.Int32Range(0, live.Max).Draw(t, "edited min")
		applied := w.observe().Record.State.Applied
		if applied == nil || live.Min != applied.Min {
			base.Min = live.Min
		}
		w.edit(live)
	case 1:
		w.hpa.Annotations[record.OverrideAnnotation] = drawOverride(t, now)
	case 2:
		if len(w.schedules) > 0 {
			w.schedules = w.schedules[1:]
		}
	case 3, 4:
		top := LiveBounds(w.hpa).Max
		w.load(rapid.Int32Range(0, top).Draw(t, "replicas"), rapid.Int32Range(0, top).Draw(t, "desired"))
	case 5:
		if len(w.forecasts) > 0 {
			w.forecasts[0].Status.Floor = number(rapid.Int32Range(0, 120).Draw(t, "new floor"))
		}
	case 6:
		w.edit(*base) // a GitOps tool
	}
}

// TestDecideProperties plays random days: whatever happens, deciding twice writes once; what is in the annotations is
// all that a decision needs; nothing changes before Next; a maximum cuts nothing; and in the end the base is back.
func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		base := LiveBounds(w.hpa)
		now := noon.Add(-90 * time.Minute)
		for range rapid.IntRange(1, 25).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "pass")) * time.Second)
			w.disturb(t, now, &base)
			before := LiveBounds(w.hpa)
			out, _ := w.look(now)
			if out.Leave == "" {
				requireSteady(t, w, out, now)
			}
			requireNoCut(t, w, out, before)
		}
		requireEnd(t, w, now)
	})
}

// requireSteady requires that another look writes nothing, now and at a time before Next, and that the memory of the
// outcome and that of the annotations are the same.
func requireSteady(t *rapid.T, w *world, out Outcome, now time.Time) {
	kept, err := record.Parse(w.hpa.Annotations)
	require.NoError(t, err)
	base, applied := out.Record.Format()
	keptBase, keptApplied := kept.Format()
	require.Equal(t, base+applied, keptBase+keptApplied, "what is kept is not what was decided")

	first := fmt.Sprint(LiveBounds(w.hpa), w.hpa.Annotations)
	_, wrote := w.look(now)
	require.False(t, wrote, "a second look wrote again: %v after %s", w.hpa.Annotations, first)
	require.True(t, out.Next.After(now), "Next is not after now")
	if gap := int64(out.Next.Sub(now) / time.Second); gap > 1 {
		later := now.Add(time.Duration(rapid.Int64Range(1, gap-1).Draw(t, "earlier than Next")) * time.Second)
		second := w.observe().Decide(later)
		require.Equal(t, out.Result.Bounds, second.Result.Bounds, "the bounds of %s are others at %s, before Next %s", now, later, out.Next)
	}
}

// requireNoCut requires that a maximum that Plimsoll lowers stays at what the HPA has or wants.
func requireNoCut(t *rapid.T, w *world, out Outcome, before bounds.Bounds) {
	after := LiveBounds(w.hpa)
	applied := out.Adoption.State.Applied
	if after.Max >= before.Max || applied == nil || before.Max != applied.Max {
		return
	}
	s := w.observe()
	require.GreaterOrEqual(t, after.Max, min(before.Max, s.Needed()), "%v became %v although the HPA needs %d", before, after, s.Needed())
}

// requireEnd lets all be over and the load be small, and requires the user's own bounds, and nothing kept.
func requireEnd(t *rapid.T, w *world, now time.Time) {
	w.forecasts = nil
	w.load(0, 0)
	want := w.observe().Base()
	want.Min = min(want.Min, want.Max) // a minimum that somebody set under a raised maximum, above the own one
	now = later(now, noon.Add(12*time.Hour))
	for range 240 {
		now = now.Add(time.Minute)
		w.look(now)
	}
	require.Equal(t, want, LiveBounds(w.hpa), "the base is not back: %v", w.hpa.Annotations)
	delete(w.hpa.Annotations, record.OverrideAnnotation)
	require.Empty(t, fmt.Sprint(w.hpa.Annotations[record.BaseAnnotation], w.hpa.Annotations[record.AppliedAnnotation]))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
