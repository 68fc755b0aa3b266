// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// waitingPod is one that has been told something about its scheduling.
func waitingPod(uid, app, reason string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: uid, UID: types.UID(uid), Labels: map[string]string{"app": app}},
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: reason, LastTransitionTime: metav1.NewTime(noon),
		}}},
	}
}

// Placeholder pods end only for pods that fit nowhere, and not for ever.
func TestHelpless(t *testing.T) {
	m, web := newMemo(), waitingPod("", "web", "")
	waiting := map[string][]*corev1.Pod{}
	for _, pod := range []*corev1.Pod{
		waitingPod("full", "web", corev1.PodReasonUnschedulable), waitingPod("gated", "web", corev1.PodReasonSchedulingGated),
		waitingPod("broken", "web", corev1.PodReasonSchedulerError), waitingPod("other", "api", corev1.PodReasonUnschedulable),
	} {
		note(waiting, pod)
	}
	of := func() []string {
		var names []string
		for _, pod := range m.helpless(waiting, web) {
			require.Equal(t, noon, waitsSince(pod))
			names = append(names, pod.Name)
		}
		return names
	}
	for range mostNudges {
		require.Equal(t, []string{"full"}, of())
		m.nudges["full"]++
	}
	require.Empty(t, of(), "often enough")
	m.forget(waiting)
	require.Empty(t, of(), "it waits all the time")

	note(waiting, waitingPod("new", "web", corev1.PodReasonUnschedulable))
	require.Equal(t, []string{"new"}, of())
	m.forget(map[string][]*corev1.Pod{"shop": {waitingPod("new", "web", corev1.PodReasonUnschedulable)}})
	require.Empty(t, m.nudges, "what waits no more is forgotten")
	require.Empty(t, m.helpless(waiting, nil), "no labels, no pods")
	require.Zero(t, waitsSince(waitingPod("gated", "web", corev1.PodReasonSchedulingGated)))

	bound, going := waitingPod("bound", "web", corev1.PodReasonUnschedulable), waitingPod("going", "web", corev1.PodReasonUnschedulable)
	bound.Spec.NodeName, going.DeletionTimestamp = "n", &metav1.Time{Time: noon.Add(time.Second)}
	before := len(waiting["shop"])
	note(waiting, bound)
	note(waiting, going)
	require.Len(t, waiting["shop"], before)
}
