// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// noon is when the windows of these tests begin.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// life is a workload over time: every look reads the record as it is written in annotations.
type life struct {
	t           *testing.T
	replicas    int32
	annotations map[string]string
	schedules   []v1alpha1.ScaleSchedule
	paused      string
	lose        bool // the number is not written after the record
}

func scheduleOf(t *testing.T, window string) v1alpha1.ScaleSchedule {
	var s v1alpha1.ScaleSchedule
	require.NoError(t, yaml.Unmarshal([]byte("metadata: {name: s, namespace: a}\nspec: {targetRef: {kind: Deployment, name: shop}, timeZone: UTC, windows: [{name: w, start: '2026-11-23T12:00', duration: 1h, "+window+"}]}"), &s))
	return s
}

func newLife(t *testing.T, replicas int32, window string) *life {
	return &life{t: t, replicas: replicas, annotations: map[string]string{}, schedules: []v1alpha1.ScaleSchedule{scheduleOf(t, window)}}
}

func (l *life) workload() *Workload {
	r, err := record.Parse(l.annotations)
	require.NoError(l.t, err)
	w := &Workload{
		Key:    Key{Namespace: "a", APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"},
		Object: &metav1.PartialObjectMetadata{}, Scale: &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: l.replicas}},
		Previous: previous(l.annotations),
	}
	w.Around = &situation.Situation{HPA: w.standIn(), Record: r, Schedules: l.schedules, PausedBy: l.paused}
	return w
}

// look does what the controller does at a time, minutes after noon, and returns the outcome.
func (l *life) look(minutes float64) situation.Outcome {
	now := noon.Add(time.Duration(minutes * float64(time.Minute)))
	w := l.workload()
	out := w.Decide(now)
	require.True(l.t, out.Next.After(now), "it must be looked at again")
	if out.Leave != "" {
		return out
	}
	l.annotations = map[string]string{}
	l.annotations[record.BaseAnnotation], l.annotations[record.AppliedAnnotation] = out.Record.Format()
	if after := out.Result.Bounds.Min; after != l.replicas {
		if out.Record.State.Applied != nil {
			l.annotations[PreviousAnnotation] = strconv.Itoa(int(l.replicas))
		}
		if !l.lose {
			l.replicas = after
		}
	} else if w.Previous != nil && out.Record.State.Applied != nil {
		l.annotations[PreviousAnnotation] = strconv.Itoa(int(*w.Previous))
	}
	return out
}

func (l *life) requireRestored(replicas int32) {
	require.Equal(l.t, replicas, l.replicas)
	require.Empty(l.t, l.annotations[record.BaseAnnotation], "the record is gone")
	require.Empty(l.t, l.annotations[PreviousAnnotation], "the record is gone")
}

// step is a look, or what somebody else does before it.
type step struct {
	minute float64
	edit   int32 // of the replicas; 0: none
	want   int32
}

func TestReplicasOverTime(t *testing.T) {
	for _, test := range []struct {
		name, window string
		base         int32
		steps        []step
		restored     int32
	}{
		{"a floor raises and sinks on its ramp", "minReplicas: 40, rampDown: 10m", 10,
			[]step{{-1, 0, 10}, {0, 0, 40}, {59, 0, 40}, {65, 0, 25}, {71, 0, 10}}, 10},
		{"a floor rises on its ramp", "minReplicas: 40, rampUp: 30m, rampDown: 0s", 10,
			[]step{{-31, 0, 10}, {-15, 0, 25}, {0, 0, 40}}, 0},
		{"a floor below the user's number changes nothing", "minReplicas: 5, rampDown: 0s", 10,
			[]step{{0, 0, 10}, {30, 0, 10}, {61, 0, 10}}, 10},
		{"an exact number above", "replicas: 30, rampDown: 0s", 10,
			[]step{{0, 0, 30}, {59, 0, 30}}, 0},
		{"an exact number below is reached in steps", "replicas: 5, rampDown: 0s", 10,
			[]step{{0, 0, 10}, {1, 0, 9}, {2, 0, 9}, {3, 0, 8}, {30, 0, 5}, {61, 0, 10}}, 10},
		{"hardMax lowers at once", "maxReplicas: 5, hardMax: true, rampDown: 0s", 10,
			[]step{{0, 0, 5}, {61, 0, 10}}, 10},
		{"a maximum below is reached in steps", "maxReplicas: 5, rampDown: 0s", 10,
			[]step{{0, 0, 10}, {1, 0, 9}, {30, 0, 5}, {61, 0, 10}}, 10},
		{"a maximum above changes nothing", "maxReplicas: 50, rampDown: 0s", 10,
			[]step{{0, 0, 10}, {30, 0, 10}, {61, 0, 10}}, 10},
		{"a demand is not known", "demand: 1000, rampDown: 0s", 10,
			[]step{{0, 0, 10}, {61, 0, 10}}, 10},
		{"an edit upwards is the new base, and stays", "minReplicas: 40, rampDown: 0s", 10,
			[]step{{0, 0, 40}, {10, 50, 50}, {20, 0, 50}, {61, 0, 50}}, 50},
		{"an edit downwards is the new base; the window stays", "minReplicas: 40, rampDown: 10m", 10,
			[]step{{0, 0, 40}, {10, 7, 40}, {20, 0, 40}, {71, 0, 7}}, 7},
		{"nobody looked for the whole ramp", "minReplicas: 40, rampDown: 10m", 10,
			[]step{{0, 0, 40}, {240, 0, 10}}, 10},
		{"a clock that goes back", "minReplicas: 40, rampDown: 10m", 10,
			[]step{{0, 0, 40}, {-60, 0, 40}, {0, 0, 40}, {71, 0, 10}}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t, test.base, test.window)
			for _, s := range test.steps {
				if s.edit > 0 {
					l.replicas = s.edit
				}
				l.look(s.minute)
				require.Equal(t, s.want, l.replicas, "minute %v", s.minute)
			}
			if test.restored > 0 {
				l.requireRestored(test.restored)
			}
		})
	}
}

// A deleted schedule leaves a floor that sinks by itself: the workload remembers what was applied.
func TestScheduleDeleted(t *testing.T) {
	l := newLife(t, 10, "minReplicas: 40")
	l.look(0)
	l.schedules = nil
	last := l.replicas
	for minute := 1.0; minute < 30; minute++ {
		l.look(minute)
		require.LessOrEqual(t, last-l.replicas, last/10+1, "in steps")
		last = l.replicas
	}
	l.requireRestored(10)
}

// A write that was cut short is done again, and is not taken for the user's edit.
func TestCutShort(t *testing.T) {
	l := newLife(t, 10, "minReplicas: 40, rampUp: 30m, rampDown: 0s")
	l.look(-15)
	require.EqualValues(t, 25, l.replicas)
	l.lose = true
	l.look(-10)
	require.EqualValues(t, 25, l.replicas, "the record says 30")
	l.lose = false
	out := l.look(-9.9)
	require.Equal(t, bounds.Unchanged, out.Adoption.Change)
	require.EqualValues(t, 10, out.Adoption.Base.Min)
	require.EqualValues(t, 30, l.replicas)

	l.lose = true
	l.look(-5)
	l.lose = false
	out = l.look(-3)
	require.Equal(t, bounds.Reverted, out.Adoption.Change, "a minute later it may be somebody else")
	require.EqualValues(t, 10, out.Adoption.Base.Min)
	for minute := 60.0; minute < 80; minute++ {
		l.look(minute)
	}
	l.requireRestored(10)
}

func TestRevertsAreUndoneThreeTimes(t *testing.T) {
	l := newLife(t, 10, "minReplicas: 40, rampDown: 0s")
	l.look(0)
	for i := range bounds.MaxReverts {
		l.replicas = 10
		l.look(2 + float64(i))
		require.EqualValues(t, 40, l.replicas)
	}
	l.replicas = 10
	out := l.look(6)
	require.EqualValues(t, 10, l.replicas, "it is left alone")
	require.Equal(t, bounds.Contested, out.Adoption.Change)
	l.look(20)
	require.EqualValues(t, 40, l.replicas, "it is tried again")
}

func TestPausedAndRefusedAreLeftAlone(t *testing.T) {
	l := newLife(t, 10, "minReplicas: 40")
	l.paused = "Deployment shop"
	out := l.look(0)
	require.Equal(t, "paused by Deployment shop", out.Leave)
	require.EqualValues(t, 10, l.replicas)
	require.True(t, out.Record.Empty(), "nothing is kept of a workload that was never changed")

	w := newLife(t, 10, "minReplicas: 40").workload()
	w.Refused = "HorizontalPodAutoscaler shop scales it"
	require.Equal(t, w.Refused, w.Decide(noon).Leave)
}

// The record of people is about one number, not about bounds.
func TestRecordIsPlain(t *testing.T) {
	l := newLife(t, 10, "minReplicas: 40")
	l.look(0)
	require.JSONEq(t, `{"min":10,"max":10}`, l.annotations[record.BaseAnnotation])
	require.Contains(t, l.annotations[record.AppliedAnnotation], `"min":40,"max":40`)
	before := l.annotations[record.AppliedAnnotation]
	l.look(30)
	require.Equal(t, before, l.annotations[record.AppliedAnnotation], "no write while nothing changes")
}
