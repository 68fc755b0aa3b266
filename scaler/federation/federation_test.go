// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestPercents(t *testing.T) {
	for _, test := range []struct {
		numbers []int64
		want    []int32
	}{
		{nil, []int32{}},
		{[]int64{0, 0}, []int32{0, 0}},
		{[]int64{7}, []int32{100}},
		{[]int64{1, 1, 1}, []int32{34, 33, 33}},
		{[]int64{2, 2, 2, 0}, []int32{34, 33, 33, 0}},
		{[]int64{12, 7, 5}, []int32{50, 29, 21}},
	} {
		require.Equal(t, test.want, percents(test.numbers), "%v", test.numbers)
	}
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Int64Range(0, divide.MaxReplicas), 1, 60).Draw(t, "numbers")
		var sum, all int64
		for _, n := range numbers {
			sum += n
		}
		for i, percent := range percents(numbers) {
			all += int64(percent)
			if sum > 0 {
				owed := 100 * float64(numbers[i]) / float64(sum)
				require.InDelta(t, owed, float64(percent), 1)
			}
		}
		if sum > 0 {
			require.Equal(t, int64(100), all)
		}
	})
}

func TestQuotaLimits(t *testing.T) {
	require.Nil(t, quotaLimit(nil, &pods{all: 3}, 3))
	require.Equal(t, int64(5), *quotaLimit(new(int64(2)), &pods{all: 3}, 3))
	require.Equal(t, int64(7), *quotaLimit(new(int64(0)), &pods{all: 3}, 7), "what was asked for is refused by nobody yet")
}

// Pods are stuck that wait for a node for too long, and those that nobody creates; a StatefulSet creates one at a time.
func TestStuck(t *testing.T) {
	for _, test := range []struct {
		name    string
		kind    string
		wanted  int64
		pods    pods
		since   time.Duration // for how long pods have been missing; 0: they were not
		stuck   int64
		waiting bool // it will be looked at again
	}{
		{"all there", "Deployment", 3, pods{all: 3, ready: 3}, time.Hour, 0, false},
		{"two wait for a node", "Deployment", 3, pods{all: 3, ready: 1, overdue: 2}, 0, 2, false},
		{"one is missing since now", "Deployment", 3, pods{all: 2, ready: 2}, 0, 0, true},
		{"for a while", "Deployment", 3, pods{all: 2, ready: 2}, 9 * time.Second, 0, true},
		{"for too long", "Deployment", 3, pods{all: 2, ready: 2}, 10 * time.Second, 1, false},
		{"a StatefulSet waits for its first", kindStatefulSet, 3, pods{all: 1}, time.Hour, 0, false},
		{"which has no node", kindStatefulSet, 3, pods{all: 1, overdue: 1}, time.Hour, 3, false},
		{"a StatefulSet does not go on", kindStatefulSet, 3, pods{all: 1, ready: 1}, time.Hour, 2, false},
		{"more than wanted", "Deployment", 3, pods{all: 5, ready: 5}, time.Hour, 0, false},
	} {
		one := &sight{memo: &memberMemo{}, pods: test.pods, target: &target{replicas: test.wanted, work: &workload{kind: test.kind, wanted: test.wanted}}}
		if test.since > 0 {
			one.memo.missingSince, one.memo.most = noon.Add(-test.since), test.pods.all
		}
		one.judge(&scene{now: noon, rule: v1alpha1.Federation{PendingTimeout: 10 * time.Second}})
		require.Equal(t, test.stuck, one.stuck, test.name)
		require.Equal(t, test.waiting, !one.wake.IsZero(), test.name)
	}
	for placed, want := range map[int64]int64{2: 3, 4: 1, 7: 0} { // of pods with a node, where the floor is 5 and 3 wait
		one := &sight{memo: &memberMemo{}, pods: pods{all: placed + 3, placed: placed, overdue: 3}, target: &target{replicas: 5, work: &workload{wanted: 10}}}
		one.judge(&scene{now: noon, rule: v1alpha1.Federation{Bounds: true, PendingTimeout: time.Hour}})
		require.Equal(t, want, one.stuck, "%d pods have a node", placed)
	}
}

// Missing pods are waited for from when the last one came, and those that are rejected from when that began.
func TestMissing(t *testing.T) {
	const timeout = 2 * time.Minute
	type look struct {
		at      time.Duration
		pods    int64
		rejects bool
		due     time.Duration // until when they are waited for
	}
	for _, test := range []struct {
		name    string
		timeout time.Duration
		looks   []look
	}{
		{"none comes", timeout, []look{{0, 2, false, timeout}, {time.Minute, 2, false, timeout}, {2 * timeout, 2, false, timeout}}},
		{"one comes now and then", timeout, []look{{0, 2, false, timeout}, {timeout, 3, false, 2 * timeout}, {timeout + 1, 2, false, 2 * timeout}, {timeout + 2, 3, false, 2 * timeout}}},
		{"rejected from the first", time.Hour, []look{{0, 2, true, rejectsAfter}, {rejectsAfter, 2, true, rejectsAfter}}},
		{"rejected for a moment, after long", time.Hour, []look{{0, 2, false, time.Hour}, {time.Minute, 2, true, time.Minute + rejectsAfter}, {time.Minute + 1, 2, false, time.Hour}, {2 * time.Minute, 2, true, 2*time.Minute + rejectsAfter}}},
		{"some rejected, some come", timeout, []look{{0, 2, true, rejectsAfter}, {rejectsAfter, 9, true, rejectsAfter}}},
		{"less patience than that", 10 * time.Second, []look{{0, 2, true, 10 * time.Second}, {time.Second, 3, true, 10 * time.Second}}},
		{"rejected at last", timeout, []look{{0, 2, false, timeout}, {timeout - 1, 2, true, timeout}}},
	} {
		var m memberMemo
		for _, look := range test.looks {
			require.Equal(t, noon.Add(look.due), m.missingUntil(look.pods, look.rejects, test.timeout, noon.Add(look.at)), "%s: %+v", test.name, look)
		}
		m.nothingMissing()
		require.Zero(t, m, test.name)
	}
}

// What was found while a member was seen is no finding when it is back.
func TestAway(t *testing.T) {
	one := &sight{memo: &memberMemo{missingSince: noon, rejectedSince: noon, most: 2, readAt: noon, apartSince: noon, failingSince: noon, refused: true, failure: "it hangs"}}
	(&reconciler{}).look(t.Context(), &scene{now: noon.Add(time.Hour)}, one, false)
	require.Equal(t, &memberMemo{failure: "it hangs"}, one.memo)
}

// Of a kind whose pods cannot be told none is missing.
func TestAnonymousPods(t *testing.T) {
	for work, want := range map[*workload]int64{
		{wanted: 3, selector: labels.Nothing(), ready: new(int64(0))}: 0,
		{wanted: 3, selector: labels.Everything()}:                    3,
	} {
		one := &sight{memo: &memberMemo{missingSince: noon.Add(-time.Hour)}, target: &target{replicas: 3, work: work}}
		one.judge(&scene{now: noon, rule: v1alpha1.Federation{PendingTimeout: time.Minute}})
		require.Equal(t, want, one.stuck)
	}
}

// Since when a pod has waited is by when it was first seen; one with a node may take five times as long.
func TestOverdue(t *testing.T) {
	const timeout = 10 * time.Second
	for _, test := range []struct {
		name            string
		pod             waiting
		since           time.Duration
		overdue, placed int64
		due             time.Duration // from now; 0: never
	}{
		{"no node, new", waiting{"a", false}, -1, 0, 0, 10 * time.Second},
		{"no node for long", waiting{"a", false}, timeout, 1, 0, 0},
		{"a node, new", waiting{"a", true}, -1, 0, 1, 50 * time.Second},
		{"a node, not started", waiting{"a", true}, timeout, 0, 1, 40 * time.Second},
		{"a node, not started for long", waiting{"a", true}, 5 * timeout, 1, 0, 0},
		{"seen in the future", waiting{"a", false}, -time.Hour, 0, 0, 10 * time.Second},
	} {
		p, seen := pods{all: 1, waiting: []waiting{test.pod}}, map[types.UID]time.Time{"gone": noon}
		if test.pod.placed {
			p.placed = 1
		}
		if test.since != -1 {
			seen["a"] = noon.Add(-test.since)
		}
		seen = p.time(seen, noon, timeout)
		require.Len(t, seen, 1, test.name)
		require.Equal(t, []int64{test.overdue, test.placed}, []int64{p.overdue, p.placed}, test.name)
		require.Equal(t, test.due > 0, !p.due.IsZero(), test.name)
		if test.due > 0 {
			require.Equal(t, noon.Add(test.due), p.due, test.name)
		}
	}
}

func TestRefusals(t *testing.T) {
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	for _, test := range []struct {
		err     error
		refused bool
	}{
		{apierrors.NewForbidden(resource, "shop", errors.New("quota")), true},
		{apierrors.NewBadRequest("denied"), true},
		{apierrors.NewConflict(resource, "shop", errors.New("newer")), false},
		{apierrors.NewNotFound(resource, "shop"), false},
		{apierrors.NewUnauthorized("expired"), false},
		{apierrors.NewTooManyRequests("later", 1), false},
		{apierrors.NewInternalError(errors.New("webhook")), false},
		{errMoved, false},
		{context.DeadlineExceeded, false},
	} {
		raise, lower := outcome{change{from: 1, to: 2}, test.err}, outcome{change{from: 2, to: 1}, test.err}
		require.Equal(t, test.refused, raise.refused(), "%v", test.err)
		require.False(t, lower.refused(), "%v", test.err)
	}
	one := &sight{memo: &memberMemo{}}
	failed := &outcome{change{from: 1, to: 2}, apierrors.NewInternalError(errors.New("webhook"))}
	one.remember(failed, noon)
	require.False(t, one.memo.refused)
	one.remember(failed, noon.Add(refusesAfter))
	require.True(t, one.memo.refused, "a member that fails for long refuses")
	one.decided()
	require.True(t, one.memo.refused, "what nobody has looked at is not decided on")
	one.seen = true
	one.decided()
	require.False(t, one.memo.refused)
	one.memo.missingSince = noon
	one.remember(&outcome{change{from: 1, to: 2}, nil}, noon)
	require.Empty(t, one.memo.failure)
	require.Equal(t, noon, one.memo.missingSince, "rising demand does not hide that nobody creates pods")
}

func TestMetricsThatNeedPods(t *testing.T) {
	named := autoscalingv2.MetricIdentifier{Name: "users"}
	average := autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType}
	value := autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType}
	for _, test := range []struct {
		metric autoscalingv2.MetricSpec
		want   string
	}{
		{autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu"}}, "cpu of type Resource"},
		{autoscalingv2.MetricSpec{Type: autoscalingv2.ContainerResourceMetricSourceType, ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: "cpu"}}, "cpu of type ContainerResource"},
		{autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: named}}, "users of type Pods"},
		{autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{Metric: named, Target: value}}, "users (External) with a target of type Value"},
		{autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{Metric: named, Target: average}}, ""},
		{autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{Metric: named, Target: value}}, "users (Object) with a target of type Value"},
		{autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{Metric: named, Target: average}}, ""},
	} {
		require.Equal(t, test.want, needsPods(&test.metric))
	}
}

// The status keeps all that the next decision needs.
func TestStateIsKept(t *testing.T) {
	state := divide.State{Replicas: 30, Adoption: &divide.Adoption{Asked: 30, Found: 40, Until: noon}, Members: map[string]divide.Kept{
		"berlin": {Replicas: 12, Seen: 10},
		"paris":  {Replicas: 7, Seen: 7, Away: true, Stage: 3, StageSince: noon, Cap: &divide.Cap{Replicas: 5, Until: noon, Times: 2}},
	}}
	s := &scene{
		scale: &v1alpha1.FederatedScale{}, now: noon, state: state, rule: v1alpha1.Federation{Enforce: true},
		memo: &memo{weights: &divide.Weights{Frozen: map[string]int64{"berlin": 4}, Smooth: map[string]int64{"berlin": 4100}, Sampled: noon, Replaced: noon}},
	}
	for _, name := range []string{"berlin", "paris"} {
		before := &v1alpha1.FederatedClusterStatus{Name: name, Replicas: int32(state.Members[name].Seen)}
		s.sights = append(s.sights, &sight{name: name, memo: &memberMemo{}, before: before})
	}
	status := s.status(&divide.Plan{Replicas: 30, State: state})
	require.Equal(t, state, stateOf(status))
	require.Equal(t, *s.memo.weights, weightsOf(status))
	require.Equal(t, int32(17), status.Replicas)

	s.paused = "somebody"
	require.Equal(t, state.Members, stateOf(s.status(&divide.Plan{})).Members, "a pause forgets nothing")
	s.paused, s.rule.Enforce, s.state = "", false, divide.State{}
	require.Equal(t, divide.State{}, stateOf(s.status(&divide.Plan{Replicas: 30, State: state})), "who only observes keeps nothing")
}

// Weights that follow slowly are not written down one by one.
func TestSaysNothingNew(t *testing.T) {
	status := func(smooth int64, sampled time.Time) *v1alpha1.FederatedScaleStatus {
		at := metav1.NewTime(sampled)
		return &v1alpha1.FederatedScaleStatus{WeightsSampled: &at, Clusters: []v1alpha1.FederatedClusterStatus{{Name: "berlin", SmoothWeight: smooth}}}
	}
	old := status(4000, noon)
	require.True(t, says(old, status(4100, noon.Add(time.Minute)), noon.Add(time.Minute)))
	require.False(t, says(old, status(4100, noon.Add(keepWeights)), noon.Add(keepWeights)))
	more := status(4000, noon)
	more.ReadyReplicas = 1
	require.False(t, says(old, more, noon))
}

func TestReadiness(t *testing.T) {
	require.Equal(t, metav1.ConditionTrue, readiness(v1alpha1.FederatedDivided))
	require.Equal(t, metav1.ConditionUnknown, readiness(v1alpha1.FederatedObserving))
	require.Equal(t, metav1.ConditionUnknown, readiness(v1alpha1.FederatedPaused))
	require.Equal(t, metav1.ConditionFalse, readiness(v1alpha1.FederatedMinimumRaised))
	require.Equal(t, metav1.ConditionFalse, readiness(v1alpha1.FederatedInvalid))
	for _, reason := range []divide.Reason{
		divide.Invalid, divide.Adopting, divide.ScaleDownFrozen, divide.HubSuspectsItself, divide.FailoverWaits, divide.FailoverNever, divide.FailedOver,
		divide.Returning, divide.FailingBack, divide.Drained, divide.Capped, divide.WaitingForReady, divide.MinimumRaised, divide.Unplaced,
	} {
		require.GreaterOrEqual(t, urgency(string(reason)), 0, "%s is in the closed set", reason)
	}
}

// What is older than our own write is not believed; a new object of the name is, and for the status not for ever.
func TestOlderThanOurWrites(t *testing.T) {
	m := &memberMemo{}
	require.False(t, m.behind("a", "5"))
	m.note("a", "9")
	m.note("a", "7")
	require.True(t, m.behind("a", "8"))
	require.False(t, m.behind("a", "9"))
	require.False(t, m.behind("b", "3"), "another object of the same name")
	m.note("b", "3")
	require.True(t, m.behind("b", "2"))
	require.False(t, m.behind("b", "not a number"))

	status := &memo{version: "9", written: time.Now()}
	require.True(t, status.waitsFor("8"))
	require.False(t, status.waitsFor("9"))
	status.written = time.Now().Add(-shownWithin)
	require.False(t, status.waitsFor("8"))
}
