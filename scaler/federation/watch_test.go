// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// What a member's caches show before the hub's controller runs is looked at when it does: of a FederatedScale that is gone
// nothing else tells.
func TestLateQueueKeepsWhatIsEarly(t *testing.T) {
	var late lateQueue
	for _, name := range []string{"early", "early", "earlier"} {
		late.add("shop", name)
	}
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.ShutDown()
	require.NoError(t, late.start(t.Context(), q))
	late.add("shop", "later")
	require.Eventually(t, func() bool { return q.Len() == 3 }, 10*time.Second, time.Millisecond)
	got := map[string]bool{}
	for range 3 {
		request, _ := q.Get()
		require.Equal(t, "shop", request.Namespace)
		got[request.Name] = true
	}
	require.Equal(t, map[string]bool{"early": true, "earlier": true, "later": true}, got)
}

// A decision that changes what is kept of a member may be reason for another one, also if nothing was to be written.
func TestLooksAgainAfterADecision(t *testing.T) {
	s := &scene{rule: v1alpha1.Federation{Enforce: true}, state: divide.State{Members: map[string]divide.Kept{"rome": {Replicas: 1}}}}
	plan := &divide.Plan{State: divide.State{Members: map[string]divide.Kept{"rome": {Replicas: 1}}}}
	require.Equal(t, mostSleep, s.sleep(plan, nil))
	plan.State.Members["rome"] = divide.Kept{Replicas: 2}
	require.Equal(t, settled, s.sleep(plan, nil))
	s.rule.Enforce = false
	require.Equal(t, mostSleep, s.sleep(plan, nil), "what is only observed is not written, so nothing follows from it")
}

// After a restart a decision waits for the connections to members that are Healthy, but not for long.
func TestWaitsForConnections(t *testing.T) {
	for _, test := range []struct {
		name  string
		asked bool
		apart time.Duration
		want  bool
	}{
		{"just begun", true, 0, true},
		{"for a while", true, connectWithin - time.Millisecond, true},
		{"it does not come", true, connectWithin, false},
		{"a clock that was set back", true, -time.Minute, false},
		{"nobody asks it", false, 0, false},
	} {
		one := &sight{asked: test.asked, memo: &memberMemo{apartSince: noon.Add(-test.apart)}}
		require.Equal(t, test.want, (&scene{now: noon, sights: []*sight{one}}).connects(), test.name)
		one.memo.apartSince = time.Time{}
		require.False(t, (&scene{now: noon, sights: []*sight{one}}).connects(), "it is connected")
	}
}

// A failed cluster that answers again is reason to look, and the division knows of it.
func TestAFailedClusterThatAnswersAgain(t *testing.T) {
	cluster := func(state v1alpha1.MemberState, cause health.Cause) *v1alpha1.MemberCluster {
		return &v1alpha1.MemberCluster{Status: v1alpha1.MemberClusterStatus{State: state, Health: &v1alpha1.MemberHealth{Cause: string(cause)}}}
	}
	for _, test := range []struct {
		cluster *v1alpha1.MemberCluster
		want    bool
	}{
		{cluster(v1alpha1.MemberFailed, health.Settling), true},
		{cluster(v1alpha1.MemberFailed, health.Unreachable), false},
		{cluster(v1alpha1.MemberFailed, health.NodesNotReady), false},
		{cluster(v1alpha1.MemberSuspect, health.Settling), false},
		{cluster(v1alpha1.MemberHealthy, health.OK), false},
		{&v1alpha1.MemberCluster{Status: v1alpha1.MemberClusterStatus{State: v1alpha1.MemberFailed}}, false},
	} {
		require.Equal(t, test.want, (&sight{name: "rome", cluster: test.cluster}).divided(&scene{}).Answers, "%+v", test.cluster.Status)
	}
	silent, again := cluster(v1alpha1.MemberFailed, health.Unreachable), cluster(v1alpha1.MemberFailed, health.Settling)
	require.True(t, clusterChanged(event.UpdateEvent{ObjectOld: silent, ObjectNew: again}))
	require.True(t, clusterChanged(event.UpdateEvent{ObjectOld: again, ObjectNew: silent}))
	require.False(t, clusterChanged(event.UpdateEvent{ObjectOld: again, ObjectNew: again.DeepCopy()}))
}

// An HPA that cannot read its metrics asks for nothing that anybody needs.
func TestHPAsThatDoNotReadTheirMetrics(t *testing.T) {
	hpa := func(conditions ...autoscalingv2.HorizontalPodAutoscalerCondition) *autoscalingv2.HorizontalPodAutoscaler {
		h := &autoscalingv2.HorizontalPodAutoscaler{Status: autoscalingv2.HorizontalPodAutoscalerStatus{Conditions: conditions}}
		h.Name = "shop"
		return h
	}
	active := func(status corev1.ConditionStatus, reason string) autoscalingv2.HorizontalPodAutoscalerCondition {
		return autoscalingv2.HorizontalPodAutoscalerCondition{Type: autoscalingv2.ScalingActive, Status: status, Reason: reason}
	}
	able := autoscalingv2.HorizontalPodAutoscalerCondition{Type: autoscalingv2.AbleToScale, Status: corev1.ConditionFalse, Reason: "FailedGetScale"}
	reads, blind := hpa(able, active(corev1.ConditionTrue, "ValidMetricFound")), hpa(able, active(corev1.ConditionFalse, "FailedGetExternalMetric"))
	for _, test := range []struct {
		hpa  *autoscalingv2.HorizontalPodAutoscaler
		want string
	}{
		{reads, ""},
		{blind, "FailedGetExternalMetric"},
		{hpa(active(corev1.ConditionFalse, "ScalingDisabled")), ""},
		{hpa(active(corev1.ConditionUnknown, "")), "Unknown"},
		{hpa(), "NotLookedYet"},
		{hpa(able), "NotLookedYet"},
	} {
		require.Equal(t, test.want, unread(test.hpa))
	}
	require.Empty(t, unmeasured(nil), "nobody asks who would have to read")
	require.Equal(t, "HPA shop of the hub has not read its metrics (FailedGetExternalMetric)", unmeasured([]autoscalingv2.HorizontalPodAutoscaler{*reads, *blind}))
	require.True(t, hpaChanged(event.UpdateEvent{ObjectOld: blind, ObjectNew: reads}))
	require.False(t, hpaChanged(event.UpdateEvent{ObjectOld: reads, ObjectNew: reads.DeepCopy()}))
	require.Equal(t, "HPA cannot", (&scene{scale: &v1alpha1.FederatedScale{}, memo: &memo{}, unmeasured: "HPA cannot"}).observed().Unmeasured)
}
