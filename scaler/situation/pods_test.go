// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var created = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

// startedPod is a pod that waited for a node, and then took some time until it was Ready.
func startedPod(waited, took time.Duration) corev1.Pod {
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(created.Add(d)) }
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(0)},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at(waited)},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at(waited + took)},
		}},
	}
}

func repeated(n int, pod corev1.Pod) []corev1.Pod {
	var pods []corev1.Pod
	for range n {
		pods = append(pods, pod)
	}
	return pods
}

func TestMeasureLead(t *testing.T) {
	quick, slow := startedPod(0, 20*time.Second), startedPod(4*time.Minute, 30*time.Second)
	backwards := startedPod(0, -time.Minute)
	for _, test := range []struct {
		name    string
		pods    []corev1.Pod
		want    time.Duration
		samples int
	}{
		{"no pods", nil, 0, 0},
		{"one pod", repeated(1, quick), 20 * time.Second, 1},
		{"one in ten is slower", append(repeated(9, quick), slow), 20 * time.Second, 10},
		{"two in ten wait for a node", append(repeated(8, quick), repeated(2, slow)...), 4*time.Minute + 30*time.Second, 10},
		{"restarted since", append(repeated(6, quick), repeated(4, startedPod(0, 5*time.Hour))...), 20 * time.Second, 6},
		{"a probe failed for a while", append(repeated(6, quick), repeated(4, startedPod(0, 10*time.Minute))...), 20 * time.Second, 6},
		{"one of two restarted since", append(repeated(1, quick), startedPod(0, 10*time.Minute)), 20 * time.Second, 1},
		{"all were unready in an outage", repeated(10, startedPod(0, 5*time.Hour)), 0, 0},
		{"a clock ran backwards", append(repeated(1, quick), backwards), 20 * time.Second, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := measure(test.pods)
			require.Equal(t, test.want, got.Lead)
			require.Equal(t, test.samples, got.LeadSamples)
		})
	}
}

func TestMeasureCounts(t *testing.T) {
	pending := corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending}}
	unschedulable := *pending.DeepCopy()
	unschedulable.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable}}
	failed := corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed}}
	deleted := startedPod(0, time.Second)
	now := metav1.NewTime(created)
	deleted.DeletionTimestamp = &now
	unready := startedPod(0, time.Second)
	unready.Status.Conditions[1].Status = corev1.ConditionFalse

	got := measure([]corev1.Pod{pending, unschedulable, failed, deleted, unready, startedPod(0, time.Second)})
	require.Equal(t, Pods{Total: 4, Ready: 1, Pending: 2, Unschedulable: 1, Lead: time.Second, LeadSamples: 1}, got)
}

func TestWorkloadsOf(t *testing.T) {
	yes := true
	pod := func(kind, name string, labels map[string]string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: labels, OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: name, Controller: &yes}}}}
	}
	for _, test := range []struct {
		name string
		pod  *corev1.Pod
		want []Workload
	}{
		{"alone", &corev1.Pod{}, nil},
		{"StatefulSet", pod("StatefulSet", "db", nil), []Workload{{"StatefulSet", "db"}}},
		{"Deployment", pod("ReplicaSet", "shop-7d9f", map[string]string{"pod-template-hash": "7d9f"}), []Workload{{"ReplicaSet", "shop-7d9f"}, {"Deployment", "shop"}}},
		{"Rollout", pod("ReplicaSet", "shop-7d9f", map[string]string{"rollouts-pod-template-hash": "7d9f"}), []Workload{{"ReplicaSet", "shop-7d9f"}, {"Rollout", "shop"}}},
		{"ReplicaSet of nobody", pod("ReplicaSet", "shop-web", map[string]string{"pod-template-hash": "7d9f"}), []Workload{{"ReplicaSet", "shop-web"}}},
		{"label of somebody else", pod("StatefulSet", "db-7d9f", map[string]string{"pod-template-hash": "7d9f"}), []Workload{{"StatefulSet", "db-7d9f"}}},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, workloadsOf(test.pod)) })
	}
}
