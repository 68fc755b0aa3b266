// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// noon is when the windows of the tests begin.
var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

// world is one HPA and what names it, without an API server.
type world struct {
	hpa       *autoscalingv2.HorizontalPodAutoscaler
	schedules []v1alpha1.ScaleSchedule
	forecasts []v1alpha1.ScaleForecast
	kept      Compiled
}

func newWorld(minimum, maximum int32) *world {
	w := &world{hpa: &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", Annotations: map[string]string{}}}}
	w.edit(bounds.Bounds{Min: minimum, Max: maximum})
	return w
}

func (w *world) edit(b bounds.Bounds) {
	w.hpa.Spec.MinReplicas, w.hpa.Spec.MaxReplicas = &b.Min, b.Max
}

// observe is what Observe finds. It knows of earlier looks only what is in the annotations.
func (w *world) observe() *Situation {
	s := &Situation{HPA: w.hpa.DeepCopy(), Schedules: w.schedules, Forecasts: w.forecasts, Replicas: w.hpa.Status.CurrentReplicas}
	s.readAnnotations()
	s.compile(w.kept.compile)
	return s
}

// look decides and writes, as the controller does, and says whether it had to write.
func (w *world) look(now time.Time) (Outcome, bool) {
	out := w.observe().Decide(now)
	if out.Leave != "" {
		return out, false
	}
	before := fmt.Sprint(LiveBounds(w.hpa), w.hpa.Annotations)
	w.edit(out.Result.Bounds)
	base, applied := out.Record.Format()
	for name, text := range map[string]string{record.BaseAnnotation: base, record.AppliedAnnotation: applied} {
		if text == "" {
			delete(w.hpa.Annotations, name)
			continue
		}
		w.hpa.Annotations[name] = text
	}
	return out, before != fmt.Sprint(LiveBounds(w.hpa), w.hpa.Annotations)
}

// window adds a schedule with one window from noon for an hour.
func (w *world) window(change func(*v1alpha1.ScheduleWindow)) {
	s := v1alpha1.ScaleSchedule{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("s%d", len(w.schedules))},
		Spec: v1alpha1.ScaleScheduleSpec{
			TargetRef: &v1alpha1.TargetReference{Name: "shop"}, TimeZone: "UTC",
			Windows: []v1alpha1.ScheduleWindow{{Name: "lunch", Start: "2026-11-11T12:00", Duration: &metav1.Duration{Duration: time.Hour}}},
		},
	}
	change(&s.Spec.Windows[0])
	w.schedules = append(w.schedules, s)
}

func number(n int32) *int32 { return &n }

func minutes(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Minute}
}

func TestDecideWindow(t *testing.T) {
	w := newWorld(10, 100)
	w.window(func(v *v1alpha1.ScheduleWindow) {
		v.MinReplicas, v.RampUp, v.RampDown = number(40), minutes(30), minutes(30)
	})
	for _, test := range []struct {
		after time.Duration // noon
		want  int32
		next  time.Duration // 0: not looked at
	}{
		{-2 * time.Hour, 10, -30*time.Minute + time.Minute},
		{-15 * time.Minute, 25, -14 * time.Minute},
		{0, 40, time.Hour},
		{59 * time.Minute, 40, time.Hour},
		{75 * time.Minute, 25, 76 * time.Minute},
		{2 * time.Hour, 10, 0},
	} {
		out, _ := w.look(noon.Add(test.after))
		require.Equal(t, bounds.Bounds{Min: test.want, Max: 100}, out.Result.Bounds, test.after)
		if test.next != 0 {
			require.False(t, out.Next.After(noon.Add(test.next)), "at %s it would be looked at again at %s", test.after, out.Next)
		}
	}
	require.Empty(t, w.hpa.Annotations)
}

func TestDecideLeadTime(t *testing.T) {
	w := newWorld(10, 100)
	w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(40) })
	s := w.observe()
	s.Pods.Lead = 91 * time.Second
	require.Equal(t, int32(10), s.Decide(noon.Add(-101*time.Second)).Result.Bounds.Min)
	require.Equal(t, int32(40), s.Decide(noon.Add(-100*time.Second)).Result.Bounds.Min, "the floor comes so early that its pods are Ready at noon")
}

func TestDecideAfter(t *testing.T) {
	w := newWorld(10, 100)
	w.window(func(v *v1alpha1.ScheduleWindow) {
		v.MinReplicas, v.After = number(40), []v1alpha1.ScheduleAfter{{Name: "payment", Timeout: minutes(10)}}
	})
	payment := schedule.Target{Kind: Kind, Name: "payment"}
	waiting := w.observe()
	waiting.Ready = map[schedule.Target]bool{payment: false}
	out := waiting.Decide(noon)
	require.Equal(t, int32(10), out.Result.Bounds.Min)
	require.Equal(t, noon.Add(waitStep), out.Next)
	require.Equal(t, int32(40), waiting.Decide(noon.Add(11*time.Minute)).Result.Bounds.Min, "it waits no longer than its timeout")

	ready := w.observe()
	ready.Ready = map[schedule.Target]bool{payment: true}
	require.Equal(t, int32(40), ready.Decide(noon).Result.Bounds.Min)
	w.look(noon.Add(11 * time.Minute))
	again := w.observe()
	again.Ready = map[schedule.Target]bool{payment: false}
	require.Equal(t, int32(40), again.Decide(noon.Add(12*time.Minute)).Result.Bounds.Min, "what has begun does not wait again")
}

// The targets of windows that are weeks away are not looked at.
func TestAwaited(t *testing.T) {
	w := newWorld(10, 100)
	w.window(func(v *v1alpha1.ScheduleWindow) {
		v.MinReplicas, v.RampUp = number(40), minutes(60)
		v.After = []v1alpha1.ScheduleAfter{{Name: "payment"}, {Name: "auth"}, {Name: "shop"}}
	})
	w.window(func(v *v1alpha1.ScheduleWindow) {
		v.MinReplicas, v.After = number(50), []v1alpha1.ScheduleAfter{{Name: "auth"}}
	})
	w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(60) })
	for _, test := range []struct {
		before time.Duration // noon
		want   []string
	}{
		{30 * 24 * time.Hour, nil},
		{25 * time.Hour, nil},
		{25*time.Hour - time.Second, []string{"auth", "payment"}},
		{0, []string{"auth", "payment"}},
		{-time.Hour + time.Second, []string{"auth", "payment"}},
		{-time.Hour, nil},
	} {
		require.ElementsMatch(t, test.want, w.observe().awaited(noon.Add(-test.before)), test.before)
	}
}

func TestDecideLeavesAlone(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Situation)
		want   string
	}{
		{"owned", func(s *Situation) { s.Owner = "ScaledObject shop" }, "ScaledObject shop owns the HPA"},
		{"paused", func(s *Situation) { s.PausedBy = "Namespace shop" }, "paused by Namespace shop"},
		{"unreadable", func(s *Situation) { s.Unreadable = true }, "the record in its annotations cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(10, 100)
			w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(40) })
			w.look(noon)
			s := w.observe()
			test.change(s)
			out := s.Decide(noon.Add(5 * time.Hour))
			require.Equal(t, test.want, out.Leave)
			require.Equal(t, s.Record, out.Record, "nothing is to be kept anew")
			require.Equal(t, s.PausedBy != "", out.Result.Has(bounds.Paused))
			if s.Owner == "" {
				require.Equal(t, LiveBounds(w.hpa), out.Result.Bounds, "what is shown as decided is what there is")
			}
		})
	}
}

// A base that says nothing sensible is not one: the bounds stay, where they would have been cut.
func TestDecideBadBase(t *testing.T) {
	for _, base := range []string{`{}`, `null`, `{"min":5}`, `{"min":-7,"max":-3}`, `{"min":0,"max":0}`} {
		w := newWorld(10, 100)
		w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(40) })
		w.look(noon)
		w.hpa.Annotations[record.BaseAnnotation] = base
		out, wrote := w.look(noon.Add(5 * time.Hour))
		require.Equal(t, "the record in its annotations cannot be read", out.Leave, base)
		require.False(t, wrote)
		require.Equal(t, bounds.Bounds{Min: 40, Max: 100}, LiveBounds(w.hpa))
	}
}

// At a floor that Plimsoll holds, what the metrics ask for is not hidden by the HPA's tolerance.
func TestWantedAtAHeldFloor(t *testing.T) {
	w := newWorld(10, 100)
	w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(40) })
	w.look(noon)
	asks := hpaOf(t, podsTarget, podsAt105)
	w.hpa.Spec.Metrics = asks.Spec.Metrics
	for replicas, want := range map[int32]int32{39: 41, 40: 42, 41: 41} {
		w.hpa.Status = asks.Status
		w.hpa.Status.CurrentReplicas = replicas
		require.Equal(t, want, *w.observe().Wanted(), "%d replicas", replicas)
	}
}

// An override that says no beginning cannot be checked but by the time that it has left.
func TestDecideOverrideThatIsTooLong(t *testing.T) {
	w := newWorld(10, 100)
	w.hpa.Annotations[record.OverrideAnnotation] = `{"min":50,"until":"2027-12-11T12:00:00Z"}`
	out := w.observe().Decide(noon)
	require.Equal(t, int32(10), out.Result.Bounds.Min)
	require.Len(t, out.Problems, 1)
	require.Contains(t, out.Problems[0], "more than 31 days ahead")
	w.hpa.Annotations[record.OverrideAnnotation] = `{"min":50,"until":"2026-12-12T14:00:00Z"}`
	require.Equal(t, noon.Add(2*time.Hour), w.observe().Decide(noon).Next, "from then on it holds")
	w.hpa.Annotations[record.OverrideAnnotation] = `{"min":50,"until":"2026-12-11T12:00:00Z"}`
	out = w.observe().Decide(noon)
	require.Equal(t, int32(50), out.Result.Bounds.Min)
	require.Empty(t, out.Problems)
}

func TestDecideBadSchedule(t *testing.T) {
	w := newWorld(10, 100)
	w.window(func(v *v1alpha1.ScheduleWindow) { v.Start, v.Schedule = "", "61 * * * *"; v.MinReplicas = number(90) })
	w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(40) })
	s := w.observe()
	require.Len(t, s.Problems, 1)
	require.Contains(t, s.Problems[0], "ScaleSchedule s0 is ignored: ")
	require.Equal(t, int32(40), s.Decide(noon).Result.Bounds.Min, "the others count all the same")
}

func TestDecideDemand(t *testing.T) {
	w := newWorld(10, 100)
	w.window(func(v *v1alpha1.ScheduleWindow) { v.Demand = quantity("3901") })
	require.Equal(t, int32(10), w.observe().Decide(noon).Result.Bounds.Min, "without a target for one replica a demand says nothing")
	w.hpa.Spec.Metrics = hpaOf(t, podsTarget, "").Spec.Metrics
	require.Equal(t, int32(40), w.observe().Decide(noon).Result.Bounds.Min)
}

func TestMeans(t *testing.T) {
	hpa := newWorld(1, 2).hpa
	hpa.Labels = map[string]string{"app": "shop"}
	byLabel := func(value string) v1alpha1.ScaleScheduleSpec {
		return v1alpha1.ScaleScheduleSpec{TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": value}}}
	}
	byName := func(name string) v1alpha1.ScaleScheduleSpec {
		return v1alpha1.ScaleScheduleSpec{TargetRef: &v1alpha1.TargetReference{Name: name}}
	}
	for _, test := range []struct {
		name, namespace string
		spec            v1alpha1.ScaleScheduleSpec
		want            bool
	}{
		{"its name", "shop", byName("shop"), true},
		{"another name", "shop", byName("pay"), false},
		{"another namespace", "pay", byName("shop"), false},
		{"its labels", "shop", byLabel("shop"), true},
		{"other labels", "shop", byLabel("pay"), false},
		{"its labels in another namespace", "pay", byLabel("shop"), false},
		{"a selector that cannot be read", "shop", v1alpha1.ScaleScheduleSpec{TargetSelector: &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Near"}}}}, false},
		{"nothing", "shop", v1alpha1.ScaleScheduleSpec{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: test.namespace, Name: "s"}, Spec: test.spec}
			require.Equal(t, test.want, Means(s, hpa))
			indexed := scheduleTargets(s)
			require.True(t, !test.want || len(indexed) == 1 && (indexed[0] == "shop" || indexed[0] == bySelector), "the index would miss it")
		})
	}
}

// Whoever wrote the bounds back too often is left alone; but when nothing is wanted any more, nothing is kept either.
func TestContestedEndsWithItsReason(t *testing.T) {
	w := newWorld(10, 100)
	w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(40) })
	w.look(noon)
	for i := range bounds.MaxReverts {
		w.edit(bounds.Bounds{Min: 10, Max: 100})
		out, wrote := w.look(noon.Add(time.Duration(i) * time.Minute))
		require.Equal(t, bounds.Reverted, out.Adoption.Change)
		require.True(t, wrote)
	}
	w.edit(bounds.Bounds{Min: 10, Max: 100})
	out, _ := w.look(noon.Add(4 * time.Minute))
	require.Equal(t, "somebody else writes them back", out.Leave)
	require.NotEmpty(t, w.hpa.Annotations)

	w.schedules = nil
	out, _ = w.look(noon.Add(5 * time.Minute))
	require.Empty(t, out.Leave)
	require.Equal(t, bounds.Bounds{Min: 10, Max: 100}, LiveBounds(w.hpa))
	require.Empty(t, out.Record.State)
}
