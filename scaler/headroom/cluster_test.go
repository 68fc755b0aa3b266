// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

func TestInClusters(t *testing.T) {
	s := newStage(t)
	for name, test := range map[string]func(*testing.T, *stage){
		"placeholder pods": testPlaceholders,
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			test(t, s)
		})
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
	s.node("dead", func(n *corev1.Node) { n.Annotations = nil }) // nobody says that it is Ready
	s.deploy("web", 10, "nodeSelector: {node.kubernetes.io/instance-type: kwok},")
	s.allReady("web", 10)

	s.headroom(`{placeholder: {waitForNodes: false}, cost: {cpuHour: "0.5", currency: EUR}}`)
	h := s.says(v1alpha1.HeadroomObserving)
	clustertest.Eventually(t, "the new nodes are what they are", func() error { // nodes begin with a taint
		if h = s.status(); h.Status.Clusters[0].LeftOut != "1 Cordoned, 1 ExtendedResources, 1 NotReady, 1 Tainted" {
			return errors.New(h.Status.Clusters[0].LeftOut)
		}
		return nil
	})
	require.Equal(t, "4 cpu, 16Gi", h.Status.Reserved)
	require.Equal(t, int32(4), h.Status.Clusters[0].Nodes)
	require.Equal(t, int32(2), h.Status.Surges[0].Ahead)
	require.Equal(t, int32(10), h.Status.Surges[0].AtOnce)
	require.Equal(t, "DoesNotFit", h.Status.Losses[0].Verdict)
	require.Empty(t, s.placeholders(), "an observing Headroom writes nothing")

	s.change(func(h *v1alpha1.Headroom) { h.Spec.Mode = v1alpha1.ModeEnforce })
	h = s.says(v1alpha1.HeadroomHeld)
	require.Equal(t, h.Status.Clusters[0].Pods, h.Status.Clusters[0].Ready)
	require.Equal(t, "2.00 EUR", h.Status.CostPerHour)
	require.Equal(t, "Placeholder", h.Status.Strategy)
	require.Equal(t, int32(2), s.deployment(capacity.HeadroomNamespace, nameOf("shop/web")).Status.ReadyReplicas)
	for node := range s.placeholders() {
		require.NotContains(t, []string{"gpu", "cordoned", "tainted", "dead", ""}, node)
	}

	// 18 of 20 cpu: 6 were free beside the reserve, so the surge must take some of it.
	s.surge("web", 18)
	s.allReady("web", 18)
	h = s.says(v1alpha1.HeadroomShort)
	require.Contains(t, h.Status.Conditions[0].Message, "lower spec.percent")
	require.Less(t, h.Status.Clusters[0].Pods, int32(5))
	clustertest.Eventually(t, "no more pods than fit", func() error {
		if on := s.placeholders(); on[""] > 0 {
			return fmt.Errorf("%v", on)
		}
		return nil
	})

	s.surge("web", 8)
	s.says(v1alpha1.HeadroomHeld)

	s.judge(v1alpha1.MemberSuspect)
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
