// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/scaler/situation"
)

// pods creates pods of a Deployment with a condition that was reached some time after their creation.
func (s *stage) pods(deployment string, n int, condition corev1.PodCondition) {
	s.t.Helper()
	yes := true
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "default"}} // no controller makes it here
	require.NoError(s.t, s.c.Create(ctxOf(s), account))
	for i := range n {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: s.ns, Name: fmt.Sprintf("%s-7d9f-%d", deployment, i), Labels: map[string]string{"pod-template-hash": "7d9f"},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: deployment + "-7d9f", UID: "1", Controller: &yes}},
			},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
		}
		if condition.Type == corev1.PodReady {
			pod.Spec.NodeName = "somewhere"
		}
		require.NoError(s.t, s.c.Create(ctxOf(s), pod))
		pod.Status.Phase = corev1.PodPending
		if condition.Type == corev1.PodReady {
			pod.Status.Phase = corev1.PodRunning
			condition.LastTransitionTime = metav1.NewTime(pod.CreationTimestamp.Add(25 * time.Second))
		}
		pod.Status.Conditions = []corev1.PodCondition{condition}
		require.NoError(s.t, s.c.Status().Update(ctxOf(s), pod))
	}
}

func testAfter(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	payment := s.hpaManifest(2, 10)
	payment.SetName("payment")
	require.NoError(t, unstructured.SetNestedField(payment.Object, "payment", "spec", "scaleTargetRef", "name"))
	require.NoError(t, s.c.Create(ctxOf(s), payment))
	s.schedule("minReplicas: 400, after: [{name: payment, timeout: 2h}]")
	require.Equal(t, int32(100), situation.LiveBounds(s.at(start)).Min, "payment has no pods")
	require.LessOrEqual(t, s.reconcile().RequeueAfter, 5*time.Second)

	s.pods("payment", 2, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	seen, err := situation.Observe(ctxOf(s), s.c, types.NamespacedName{Namespace: s.ns, Name: "payment"})
	require.NoError(t, err)
	require.Equal(t, situation.Pods{Total: 2, Ready: 2, Lead: 25 * time.Second, LeadSamples: 2}, seen.Pods)
	require.Equal(t, int32(400), situation.LiveBounds(s.at(start.Add(time.Minute))).Min)
}

func testRefused(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 0") // needs a metric that is not the pods' own
	s.now = start
	_, err := s.r.Reconcile(ctxOf(s), reconcile.Request{NamespacedName: s.key()})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.Contains(t, s.told(), "Warning WriteFailed cannot write the bounds of HPA")
	require.Equal(t, int32(100), s.bounds().Min)
	_, err = s.r.Reconcile(ctxOf(s), reconcile.Request{NamespacedName: s.key()})
	require.Error(t, err)
	require.Empty(t, s.told(), "it is told once")
}

func testShortage(t *testing.T, s *stage) {
	require.NoError(t, s.serverSideApply("argocd", 100, 500))
	s.schedule("minReplicas: 400")
	s.pods("shop", 3, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable})
	s.at(start)
	s.at(start.Add(time.Minute))
	require.Contains(t, s.told(), "minReplicas is 400, but 0 pods are Ready: no node has place for 3")
}
