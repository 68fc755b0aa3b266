// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func TestTrimPod(t *testing.T) {
	controls, now := true, metav1.Now()
	conditions := []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now}}
	owners := []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "shop-1", Controller: &controls}}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop-1-a", Namespace: "shop", UID: "u", ResourceVersion: "7", Labels: map[string]string{"app": "shop"},
			Annotations: map[string]string{"a": "b"}, CreationTimestamp: now, DeletionTimestamp: &now, OwnerReferences: owners,
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}, Finalizers: []string{"f"},
		},
		Spec:   corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: conditions, PodIP: "10.0.0.1"},
	}
	trimmed, err := trimPod(pod)
	require.NoError(t, err)
	require.Equal(t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop-1-a", Namespace: "shop", UID: "u", ResourceVersion: "7", Labels: map[string]string{"app": "shop"},
			CreationTimestamp: now, DeletionTimestamp: &now, OwnerReferences: owners,
		},
		Spec:   corev1.PodSpec{NodeName: "n"},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: conditions},
	}, trimmed)
	gone := toolscache.DeletedFinalStateUnknown{Key: "shop/shop-1-a"}
	kept, err := trimPod(gone)
	require.NoError(t, err)
	require.Equal(t, gone, kept)
}

// A reconcile that does not end makes the process dead; one that takes its time does not.
func TestTurning(t *testing.T) {
	registry := prometheus.NewRegistry()
	require.NoError(t, turning(registry, time.Minute), "no such metric yet")
	longest := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: longestRunning}, []string{"name"})
	registry.MustRegister(longest)
	longest.WithLabelValues("target").Set(59)
	require.NoError(t, turning(registry, time.Minute))
	longest.WithLabelValues("forecasts").Set(61)
	require.ErrorContains(t, turning(registry, time.Minute), "a reconcile has been running for 1m1s")
}

func TestConditions(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	ready := func(status metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason}}
	}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "evening"}, Status: v1alpha1.ScaleScheduleStatus{Conditions: ready(metav1.ConditionFalse, v1alpha1.ScheduleInvalid)}},
		&v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "new"}},
		&v1alpha1.ScaleForecast{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: v1alpha1.ScaleForecastSpec{Mode: v1alpha1.ForecastEnforce},
			Status: v1alpha1.ScaleForecastStatus{Conditions: ready(metav1.ConditionTrue, v1alpha1.ForecastTrusted), Effective: v1alpha1.ForecastEnforcing},
		},
		&v1alpha1.MemberCluster{
			ObjectMeta: metav1.ObjectMeta{Name: "berlin"},
			Status:     v1alpha1.MemberClusterStatus{Conditions: ready(metav1.ConditionFalse, v1alpha1.MemberUnreachable), State: v1alpha1.MemberFailed},
		},
		&v1alpha1.FederatedScale{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: v1alpha1.FederatedScaleSpec{Mode: v1alpha1.ModeEnforce},
			Status: v1alpha1.FederatedScaleStatus{Conditions: ready(metav1.ConditionTrue, v1alpha1.FederatedDivided)},
		},
		&v1alpha1.Headroom{
			ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.HeadroomSpec{Mode: v1alpha1.ModeObserve},
			Status: v1alpha1.HeadroomStatus{Conditions: ready(metav1.ConditionUnknown, v1alpha1.HeadroomObserving)},
		},
	).Build()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newConditions(reader))
	count, err := testutil.GatherAndCount(registry)
	require.NoError(t, err)
	require.Equal(t, 5, count)
	families, err := registry.Gather()
	require.NoError(t, err)
	var rows []map[string]string
	for _, metric := range families[0].GetMetric() {
		require.InDelta(t, 1, metric.GetGauge().GetValue(), 0)
		row := map[string]string{}
		for _, label := range metric.GetLabel() {
			row[label.GetName()] = label.GetValue()
		}
		rows = append(rows, row)
	}
	require.ElementsMatch(t, []map[string]string{
		{"kind": "ScaleSchedule", "namespace": "shop", "name": "evening", "status": "False", "reason": "Invalid", "mode": "", "effective": ""},
		{"kind": "ScaleForecast", "namespace": "shop", "name": "web", "status": "True", "reason": "Trusted", "mode": "Enforce", "effective": "Enforcing"},
		{"kind": "MemberCluster", "namespace": "", "name": "berlin", "status": "False", "reason": "Unreachable", "mode": "", "effective": "Failed"},
		{"kind": "FederatedScale", "namespace": "shop", "name": "web", "status": "True", "reason": "Divided", "mode": "Enforce", "effective": ""},
		{"kind": "Headroom", "namespace": "", "name": "default", "status": "Unknown", "reason": "Observing", "mode": "Observe", "effective": ""},
	}, rows)
}
