// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// evening is 19:00 in Shanghai, when the window of these tests begins.
var evening = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

// scheduleWith makes a schedule of one HPA; fields are those of spec.
func scheduleWith(t *testing.T, name, fields string) v1alpha1.ScaleSchedule {
	var s v1alpha1.ScaleSchedule
	text := "metadata: {name: " + name + ", namespace: a, generation: 7}\nspec: {targetRef: {name: shop}, timeZone: Asia/Shanghai, " + fields + "}"
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &s))
	return s
}

const eveningWindow = `windows: [{name: evening, schedule: "0 19 * * *", duration: 4h, minReplicas: 40, maxReplicas: 60, rampUp: 30m}]`

// stage is one HPA and its schedules, the first of which is summed up.
type stage struct {
	schedules []v1alpha1.ScaleSchedule
	hpa       *autoscalingv2.HorizontalPodAutoscaler
	situation situation.Situation
	now       time.Time
	failure   error
	trouble   Trouble
	none      bool // no target
}

func newStage(t *testing.T, fields string) *stage {
	minimum := int32(10)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	hpa.Namespace, hpa.Name = "a", "shop"
	hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = &minimum, 50
	return &stage{hpa: hpa, now: evening.Add(time.Hour), schedules: []v1alpha1.ScaleSchedule{scheduleWith(t, "day", fields)}}
}

// apply lets the HPA have what is decided at a time.
func (s *stage) apply(at time.Time) {
	out := s.observe().Decide(at)
	s.hpa = s.hpa.DeepCopy()
	s.hpa.Spec.MinReplicas, s.hpa.Spec.MaxReplicas = &out.Result.Bounds.Min, out.Result.Bounds.Max
	s.situation.Record = out.Record
}

func (s *stage) observe() *situation.Situation {
	observed := s.situation
	observed.HPA, observed.Schedules = s.hpa, s.schedules
	return &observed
}

func (s *stage) summary() *Summary {
	compiled, err := s.schedules[0].Compile(nil)
	if err != nil {
		s.trouble.Invalid, compiled = err, nil
	}
	m := NewSummary(&s.schedules[0], compiled, s.now)
	if !s.none {
		observed := s.observe()
		target := ofHPA(observed, observed.Decide(s.now))
		target.WriteFailure = s.failure
		m.Add(target)
	}
	return m
}

func (s *stage) status() v1alpha1.ScaleScheduleStatus {
	return s.summary().Status(s.trouble)
}

func TestEveryReason(t *testing.T) {
	var tested []string
	ready := func(s *stage) { s.situation.Pods = situation.Pods{Total: 40, Ready: 40} }
	for _, test := range []struct {
		reason  string
		fields  string
		arrange func(t *testing.T, s *stage)
		status  metav1.ConditionStatus
		message string
	}{
		{v1alpha1.ScheduleActive, eveningWindow, func(_ *testing.T, s *stage) { s.apply(s.now); ready(s) }, "True",
			"HorizontalPodAutoscaler shop: evening is on until 2026-11-23 23:00 Asia/Shanghai: sets minReplicas 40"},
		{v1alpha1.ScheduleIdle, eveningWindow, func(_ *testing.T, s *stage) { s.now = evening.Add(-time.Hour) }, "True",
			"no window is on; next: 2026-11-23 18:30 Asia/Shanghai evening RampUp"},
		{v1alpha1.ScheduleSuspended, "suspend: true, " + eveningWindow, nil, "True", "set it to false"},
		{v1alpha1.ScheduleWaiting, `windows: [{name: evening, schedule: "0 19 * * *", duration: 4h, minReplicas: 40, rampUp: 30m, after: [{name: payment, timeout: 3h}]}]`,
			func(_ *testing.T, s *stage) { s.now = evening.Add(-10 * time.Minute) }, "True", "sets nothing before payment is Ready"},
		{v1alpha1.ScheduleOverruled, eveningWindow, func(t *testing.T, s *stage) {
			s.schedules = append(s.schedules, scheduleWith(t, "sale", `priority: 5, windows: [{name: big, start: "2026-11-23T18:00", duration: 8h, minReplicas: 20, maxReplicas: 50}]`))
			s.apply(s.now)
			ready(s)
		}, "True", "its priority 0 is below 5 of ScaleSchedule sale/big"},
		{v1alpha1.ScheduleRestoring, eveningWindow, func(_ *testing.T, s *stage) {
			s.apply(s.now)
			s.now = evening.Add(4*time.Hour + 5*time.Minute)
			ready(s)
		}, "True", "evening ramps down until 2026-11-23 23:15 Asia/Shanghai"},
		{v1alpha1.ScheduleInvalid, `exclude: ["2026-02-30"], ` + eveningWindow, nil, "False", "exclude[0]"},
		{v1alpha1.ScheduleNoTarget, eveningWindow, func(_ *testing.T, s *stage) {
			s.none, s.trouble.NoTarget = true, "there is no HPA shop in namespace a; create it or correct spec.targetRef"
		}, "False", "there is no HPA shop in namespace a"},
		{v1alpha1.ScheduleTargetRefused, eveningWindow, func(_ *testing.T, s *stage) { s.situation.Owner = "ScaledObject shop" }, "False",
			"HorizontalPodAutoscaler shop: ScaledObject shop owns it"},
		{v1alpha1.ScheduleDemandUnknown, `windows: [{name: sale, start: "2026-11-24", duration: 4h, demand: "1200k"}]`, nil, "False", "give the window minReplicas instead of demand"},
		{v1alpha1.SchedulePaused, eveningWindow, func(_ *testing.T, s *stage) { s.situation.PausedBy = "Namespace a" }, "False",
			"paused by the annotation plimsoll.dev/paused of Namespace a, so it stays at 10"},
		{v1alpha1.ScheduleFloorCapped, `windows: [{name: evening, schedule: "0 19 * * *", duration: 4h, minReplicas: 80}]`, func(_ *testing.T, s *stage) { s.apply(s.now) }, "False",
			"the floor of 80 that ScaleSchedule day/evening asks for is above the maximum 50"},
		{v1alpha1.ScheduleFloorNotReached, eveningWindow, func(_ *testing.T, s *stage) {
			s.apply(s.now)
			s.situation.Pods = situation.Pods{Total: 40, Ready: 30, Pending: 10, Unschedulable: 10}
		}, "False", "no node has place for them"},
		{v1alpha1.ScheduleReverted, eveningWindow, func(_ *testing.T, s *stage) {
			s.apply(s.now)
			s.situation.Record.State.Reverts = []time.Time{s.now, s.now, s.now}
			s.hpa.Spec.MinReplicas, s.hpa.Spec.MaxReplicas = &s.situation.Record.Base.Min, s.situation.Record.Base.Max
			fields := metav1.NewFieldsV1(`{"f:spec":{"f:minReplicas":{}}}`)
			s.hpa.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: record.Manager, FieldsV1: fields}, {Manager: "argocd-controller", FieldsV1: fields}}
		}, "False", "argocd-controller writes it back to 10"},
		{v1alpha1.ScheduleWriteFailed, eveningWindow, func(_ *testing.T, s *stage) { s.failure = errors.New("admission webhook quota denied the request") }, "False",
			"admission webhook quota denied the request"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			s := newStage(t, test.fields)
			if test.arrange != nil {
				test.arrange(t, s)
			}
			status := s.status()
			require.Len(t, status.Conditions, 1)
			c := status.Conditions[0]
			require.Equal(t, test.reason, c.Reason, c.Message)
			require.Equal(t, test.status, c.Status)
			require.Contains(t, c.Message, test.message)
			require.Equal(t, v1alpha1.ConditionReady, c.Type)
			require.EqualValues(t, 7, status.ObservedGeneration)
		})
		tested = append(tested, test.reason)
	}
	require.ElementsMatch(t, v1alpha1.ScheduleReasons(), tested, "the whole closed set")
}

func TestStatusOfAnEvening(t *testing.T) {
	s := newStage(t, eveningWindow)
	s.apply(s.now)
	status := s.status()
	require.EqualValues(t, 1, status.Targets)
	require.Equal(t, "evening", status.Active)
	require.EqualValues(t, 40, *status.MinReplicas)
	require.EqualValues(t, 60, *status.MaxReplicas)
	require.Equal(t, "2026-11-23 23:00 Asia/Shanghai evening RampDown", status.Next)
	require.Len(t, status.ActiveWindows, 1)
	w := status.ActiveWindows[0]
	require.EqualValues(t, "On", w.Phase)
	require.True(t, w.Start.Time.Equal(evening))
	require.True(t, w.End.Time.Equal(evening.Add(4*time.Hour)))
	require.Contains(t, w.Message, "sets minReplicas 40 and sets maxReplicas 60")
	var phases []string
	for _, next := range status.NextTransitions {
		phases = append(phases, fmt.Sprintf("%s %s", next.Phase, next.Time.Sub(evening)))
	}
	require.Equal(t, []string{"RampDown 4h0m0s", "Off 4h15m0s", "RampUp 23h30m0s", "On 24h0m0s"}, phases)

	require.EqualValues(t, 60, *status.NextTransitions[0].MaxReplicas, "the room of a ramp")
}

// Nothing in the status depends on the time alone: a schedule that is looked at again and again is not written.
func TestStatusStaysWhileNothingChanges(t *testing.T) {
	s := newStage(t, eveningWindow)
	s.apply(s.now)
	s.situation.Pods = situation.Pods{Total: 40, Ready: 40}
	first := s.status()
	for range 100 {
		s.now = s.now.Add(time.Minute)
		require.True(t, equality.Semantic.DeepEqual(first, s.status()), s.now)
	}
}

// A ramp changes the status when its number changes, which is when the target's floor does.
func TestStatusOfARampChangesWithItsNumber(t *testing.T) {
	s := newStage(t, eveningWindow)
	s.now = evening.Add(-30 * time.Minute)
	changes, last := 0, s.status()
	for s.now.Before(evening) {
		s.now = s.now.Add(5 * time.Second)
		s.apply(s.now)
		if status := s.status(); !equality.Semantic.DeepEqual(last, status) {
			require.NotEqual(t, last.MinReplicas, status.MinReplicas)
			changes, last = changes+1, status
		}
	}
	require.LessOrEqual(t, changes, 32, "30 steps, and the phases")
	require.GreaterOrEqual(t, changes, 30)
}

func TestNextOfFarWindows(t *testing.T) {
	s := newStage(t, `windows: [{name: sale, start: "2027-11-11", duration: 24h, minReplicas: 40}]`)
	status := s.status()
	require.Equal(t, "2027-11-11 00:00 Asia/Shanghai sale On", status.Next)
	s.now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	status = s.status()
	require.Empty(t, status.Next)
	require.Equal(t, "no window is on, and none comes", status.Conditions[0].Message)
}

// Of many targets the status names one: of those that are worst, the first.
func TestManyTargets(t *testing.T) {
	s := newStage(t, eveningWindow)
	s.schedules[0].Spec.TargetRef, s.schedules[0].Spec.TargetSelector = nil, &metav1.LabelSelector{}
	compiled, err := s.schedules[0].Compile(nil)
	require.NoError(t, err)
	m := NewSummary(&s.schedules[0], compiled, s.now)
	for i := range int32(3000) {
		minimum := i % 30
		s.hpa = s.hpa.DeepCopy()
		s.hpa.Name, s.hpa.Spec.MinReplicas, s.situation.Owner = fmt.Sprintf("shop-%04d", i), &minimum, ""
		s.situation.Pods = situation.Pods{Total: 40, Ready: 40}
		if i == 1717 || i == 1718 {
			s.situation.Owner = "ScaledObject shop"
		}
		observed := s.observe()
		m.Add(ofHPA(observed, observed.Decide(s.now)))
	}
	status := m.Status(Trouble{})
	require.EqualValues(t, 3000, status.Targets)
	require.Len(t, status.ActiveWindows, 1)
	require.EqualValues(t, 40, *status.MinReplicas)
	require.Equal(t, v1alpha1.ScheduleTargetRefused, status.Conditions[0].Reason)
	require.Contains(t, status.Conditions[0].Message, "2 of 3000 targets, such as HorizontalPodAutoscaler shop-1717: ScaledObject shop owns it")
}

func TestNews(t *testing.T) {
	s := newStage(t, eveningWindow)
	s.situation.Pods = situation.Pods{Total: 40, Ready: 40}
	var reasons []string
	var last v1alpha1.ScaleScheduleStatus
	for _, at := range []time.Duration{-time.Hour, -20 * time.Minute, -10 * time.Minute, 0, 2 * time.Hour, 4 * time.Hour, 4*time.Hour + 10*time.Minute, 5 * time.Hour} {
		s.now = evening.Add(at)
		s.apply(s.now)
		status := s.status()
		for _, n := range newsOf(&last, &status) {
			reasons = append(reasons, n.reason)
		}
		last = status
	}
	require.Equal(t, []string{EventWindowRamps, EventWindowBegan, EventWindowEnded}, reasons)
}

func TestLookAgain(t *testing.T) {
	s := newStage(t, eveningWindow)
	s.now = evening.Add(-31 * time.Minute)
	m := s.summary()
	status := m.Status(s.trouble)
	require.Equal(t, time.Minute, again(&status, m.Next(), s.now), "when the ramp begins")
	s.situation.Record = record.Record{Base: bounds.Bounds{Min: 10, Max: 50}}
	s.now = evening.Add(-3 * time.Hour)
	m = s.summary()
	status = m.Status(s.trouble)
	require.Equal(t, idleLook, again(&status, m.Next(), s.now))
}
