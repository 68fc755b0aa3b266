// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

func TestInClusters(t *testing.T) {
	s := newStage(t)
	for _, each := range []struct {
		name string
		test func(*testing.T, *stage)
	}{
		{"placeholder pods", testPlaceholders}, {"reshape", testReshape}, {"limits", testLimits}, {"two hubs", testTwoHubs},
		{"buffers", testBuffers}, {"pods that wait for nodes", testStranded}, {"node groups", testNodeGroups},
	} {
		passed := t.Run(each.name, func(t *testing.T) {
			s.t = t
			defer func() { s.t = nil }()
			t.Cleanup(func() { s.dump(t) })
			each.test(t, s)
		})
		require.True(t, passed, "the next test needs what this one leaves")
	}
}

// A fifth of 20 cpu is kept by pods on the nodes that count, a surge takes it at once, and it comes back when there is
// room again. Deleting the Headroom removes the reserve and nothing else.
func testPlaceholders(t *testing.T, s *stage) {
	s.node("gpu", func(n *corev1.Node) {
		n.Status.Allocatable["nvidia.com/gpu"], n.Status.Capacity["nvidia.com/gpu"] = resource.MustParse("1"), resource.MustParse("1")
	})
	s.node("cordoned", func(n *corev1.Node) { n.Spec.Unschedulable = true })
	s.node("tainted", func(n *corev1.Node) {
		n.Spec.Taints = []corev1.Taint{{Key: "team", Effect: corev1.TaintEffectNoSchedule}}
	})
	s.node("dead", func(n *corev1.Node) {
		n.Annotations = nil
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
	})
	s.deploy("web", 10, "nodeSelector: {node.kubernetes.io/instance-type: kwok},")
	s.allReady("web", 10)

	s.headroom(`{placeholder: {waitForNodes: false}, cost: {cpuHour: "0.5", currency: EUR}}`)
	h := s.says(v1alpha1.HeadroomObserving)
	clustertest.Eventually(t, "what was seen is written", func() error { // nodes begin with a taint
		s.offset.Add(int64(amountsFor))
		h = s.status()
		surges := h.Status.Surges // none before the scaler has seen the division
		if c := h.Status.Clusters[0]; c.LeftOut != "1 Cordoned, 1 ExtendedResources, 1 NotReady, 1 Tainted" || len(surges) != 1 || surges[0].AtOnce != 10 || surges[0].Ahead != 2 {
			return fmt.Errorf("%s; %+v", c.LeftOut, surges)
		}
		return nil
	})
	require.Equal(t, "4 cpu, 16Gi", h.Status.Reserved)
	require.Equal(t, int32(4), h.Status.Clusters[0].Nodes)
	require.Equal(t, "DoesNotFit", h.Status.Losses[0].Verdict)
	require.Empty(t, s.placeholders(), "an observing Headroom writes nothing")

	s.change(func(h *v1alpha1.Headroom) { h.Spec.Mode = v1alpha1.ModeEnforce })
	h = s.says(v1alpha1.HeadroomHeld)
	require.Equal(t, h.Status.Clusters[0].Pods, h.Status.Clusters[0].Ready)
	clustertest.Eventually(t, "it has a price", func() error {
		// The sizes of the pods that fill up are rounded up.
		if h = s.status(); h.Status.CostPerHour != "2.00 EUR" {
			return errors.New(h.Status.CostPerHour)
		}
		return nil
	})
	require.Equal(t, "Placeholder", h.Status.Strategy)
	require.Equal(t, int32(2), s.deployment(capacity.HeadroomNamespace, nameOf("shop/web")).Status.ReadyReplicas)
	for node := range s.placeholders() {
		require.NotContains(t, []string{"gpu", "cordoned", "tainted", "dead", ""}, node)
	}

	// 18 of 20 cpu: 6 were free beside the reserve, so the surge must take some of it.
	before := s.measured("plimsoll_headroom_pod_seconds", servedReserve)
	s.ask("web", 18)
	s.surge("web", 18)
	s.allReady("web", 18)
	clustertest.Eventually(t, "the surge was measured", func() error {
		if from := s.measured("plimsoll_headroom_surge_seconds", servedReserve); from != 8 {
			return fmt.Errorf("%d pods since the decision", from)
		}
		return nil
	})
	require.EqualValues(t, 8, s.measured("plimsoll_headroom_pod_seconds", servedReserve)-before, "since they were made")
	s.says(v1alpha1.HeadroomShort, "lower spec.percent")
	clustertest.Eventually(t, "no more pods than fit", func() error {
		if on := s.placeholders(); on[""] > 0 {
			return fmt.Errorf("%v", on)
		}
		return nil
	})

	s.surge("web", 8)
	s.says(v1alpha1.HeadroomHeld)

	s.nudged(t)
	s.judge(v1alpha1.MemberSuspect)
	s.says(v1alpha1.HeadroomClusterUnknown)
	s.change(func(h *v1alpha1.Headroom) { h.Spec.Percent = new(int32(0)) })
	s.says(v1alpha1.HeadroomClusterUnknown)
	require.NotEmpty(t, s.placeholders(), "what is reserved in a cluster that is not Healthy is left as it is")

	s.judge(v1alpha1.MemberHealthy)
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.status()))
	clustertest.Eventually(t, "the reserve is gone", func() error {
		if on := s.placeholders(); len(on) > 0 {
			return fmt.Errorf("%v", on)
		}
		return nil
	})
	require.Equal(t, int32(8), *s.deployment(namespace, "web").Spec.Replicas)
}

// nudged has a scheduler forget a pod for which there is room: a placeholder pod ends, so that it looks again.
func (s *stage) nudged(t *testing.T) {
	s.deploy("forgotten", 1, "schedulerName: nobody,")
	before := map[types.UID]bool{}
	clustertest.Eventually(t, "the pod waits", func() error {
		var pods corev1.PodList
		require.NoError(t, s.berlin.Client.List(t.Context(), &pods, client.InNamespace(capacity.HeadroomNamespace)))
		for i := range pods.Items {
			before[pods.Items[i].UID] = true
		}
		require.NoError(t, s.berlin.Client.List(t.Context(), &pods, client.MatchingLabels{"app": "forgotten"}))
		if len(pods.Items) == 0 {
			return errors.New("there is no pod yet")
		}
		pods.Items[0].Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, LastTransitionTime: metav1.NewTime(s.now().Add(-nudgeAfter)),
		}}
		return s.berlin.Client.Status().Update(t.Context(), &pods.Items[0])
	})
	clustertest.Eventually(t, "a placeholder pod is another one", func() error {
		var pods corev1.PodList
		require.NoError(t, s.berlin.Client.List(t.Context(), &pods, client.InNamespace(capacity.HeadroomNamespace)))
		for i := range pods.Items {
			if !before[pods.Items[i].UID] {
				return nil
			}
		}
		return fmt.Errorf("all %d are as before", len(pods.Items))
	})
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "forgotten"}
	require.NoError(t, s.hub.Client.Delete(t.Context(), &v1alpha1.FederatedScale{ObjectMeta: meta}))
	require.NoError(t, s.berlin.Client.Delete(t.Context(), &appsv1.Deployment{ObjectMeta: meta}, client.PropagationPolicy(metav1.DeletePropagationBackground)))
}
