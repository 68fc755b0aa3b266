// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

// Where no node autoscaler runs, a node group grows until the reserve fits, once for each need whatever its server does.
func testNodeGroups(t *testing.T, s *stage) {
	var made, lost atomic.Int64
	server, err := nodegroupstest.Start(nodegroupstest.Options{
		Groups: []nodegroupstest.Group{{ID: "pool", Max: 4, Template: template()}},
		Create: func(group string, delta int) error {
			for range delta {
				if n := int(made.Add(1)) - 1; lost.Load() == 0 {
					s.node(fmt.Sprintf("pool-%d", n), func(one *corev1.Node) {
						one.Spec.ProviderID, one.Labels[corev1.LabelInstanceTypeStable] = nodegroupstest.ProviderID(group, n), "kwok"
					})
				}
			}
			return nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	target := func() int { g, _ := server.Group("pool"); return g.Target }
	thaw := s.freeze(afterStart - time.Second)
	s.groups(server.Address())
	s.headroom(`{mode: Enforce, strategy: NodeGroups}`)
	h := s.says(v1alpha1.HeadroomHeld)
	require.Equal(t, "NodeGroups", h.Status.Strategy)
	require.Zero(t, target())
	require.Empty(t, s.placeholders())

	s.surge("web", 18) // of 20 cpu
	s.says(v1alpha1.HeadroomFilling)
	require.Zero(t, target(), "a scaler that has just begun asks for nothing")
	thaw()
	s.offset.Add(int64(afterStart))
	clustertest.Eventually(t, "a node is there", func() error {
		if h = s.status(); h.Status.Clusters[0].Nodes != 5 || h.Status.Clusters[0].Reason != v1alpha1.HeadroomHeld {
			return fmt.Errorf("%+v", h.Status.Clusters[0])
		}
		return nil
	})
	require.Equal(t, 1, target(), "grown once")
	require.Equal(t, "pool +1 (0 to 1)", h.Status.Clusters[0].NodeGroups)

	server.Fail("pool", nodegroupstest.Refuses)
	s.deploy("more", 4, "nodeSelector: {node.kubernetes.io/instance-type: kwok},")
	s.refused()
	require.Equal(t, 1, target())

	server.Fail("pool", nodegroupstest.ActsAndHangs)
	s.offset.Add(int64(afterRefusal)) // it is asked again
	s.says(v1alpha1.HeadroomHeld)
	require.Equal(t, 2, target(), "an increase that timed out after it was done is not repeated")

	server.Fail("pool", nodegroupstest.Healthy)
	server.SetMax("pool", 2)
	s.offset.Add(int64(groupsFor))
	s.surge("more", 9)
	s.says(v1alpha1.HeadroomNodeGroupsAtMaximum)
	s.allReady("more", 9) // so that no more is lacking afterwards
	require.Equal(t, 2, target())

	lost.Store(1) // machines that never become nodes
	server.SetMax("pool", 9)
	s.offset.Add(int64(groupsFor))
	s.says(v1alpha1.HeadroomFilling)
	after := target()
	require.Greater(t, after, 2)
	s.offset.Add(int64(newnodes.RegisterWithin))
	s.says(v1alpha1.HeadroomNodeGroupFailed, "have not become Ready nodes")
	s.offset.Add(int64(time.Hour))
	require.Equal(t, after, target(), "no more is asked of a group whose machines do not come")
	require.False(t, server.Ended())
	require.Positive(t, s.measured("plimsoll_headroom_pod_seconds", servedReserve))
}

func template() *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelInstanceTypeStable: "kwok"}}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("5"), corev1.ResourceMemory: resource.MustParse("20Gi"), corev1.ResourcePods: resource.MustParse("40"),
	}}}
}
