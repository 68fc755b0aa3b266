// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

// Nodes that the groups may still add are offered to the divisions where, and while, they are added for pods that wait,
// even if no reserve is asked for.
func testStranded(t *testing.T, s *stage) {
	var made atomic.Int64
	server, err := nodegroupstest.Start(nodegroupstest.Options{
		Groups: []nodegroupstest.Group{{ID: "pool", Max: 3, Template: labelled()}},
		Create: func(group string, delta int) error {
			for range delta {
				n := int(made.Add(1)) - 1
				s.node(fmt.Sprintf("new-%d", n), func(one *corev1.Node) {
					one.Spec.ProviderID, one.Labels["pool"] = nodegroupstest.ProviderID(group, n), "new"
				})
			}
			return nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	s.groups(server.Address())
	require.Nil(t, s.fleet.Offered("missing"))
	s.offers(t, "nobody grows them", 0)

	s.deploy("picky", 2, "nodeSelector: {pool: new},")
	s.patch("picky", `{"spec":{"mode":"Enforce"}}`)
	s.headroom(`{mode: Enforce, strategy: NodeGroups, percent: 0}`)
	s.allReady("picky", 2)
	s.says(v1alpha1.HeadroomHeld)
	s.offers(t, "two of three nodes of 5 cpu", 10)

	server.Fail("pool", nodegroupstest.Refuses)
	s.surge("picky", 8)
	s.refused()
	s.offers(t, "a group that does not grow", 0)

	server.Fail("pool", nodegroupstest.Healthy)
	s.offset.Add(int64(afterRefusal))
	s.allReady("picky", 8)
	s.says(v1alpha1.HeadroomHeld)
	s.offers(t, "it grew", 5)
	server.SetMax("pool", 2)
	s.offset.Add(int64(groupsFor)) // a group that is asked for more than its maximum rests, and nothing is said of it meanwhile
	s.surge("picky", 12)
	s.says(v1alpha1.HeadroomNodeGroupsAtMaximum, "2 pods of divided workloads wait for nodes") // the scheduler tells one after the other
	server.SetMax("pool", 3)
	s.offset.Add(int64(afterRefusal))
	s.allReady("picky", 12)

	server.SetMax("pool", 5)
	s.offset.Add(int64(groupsFor))
	s.offers(t, "there may be more", 10)
	s.change(func(h *v1alpha1.Headroom) { h.Annotations = map[string]string{"plimsoll.dev/paused": "true"} })
	s.offers(t, "a pause adds nothing", 0)
	s.clean(t, int(made.Load()))
}

func labelled() *corev1.Node {
	n := template()
	n.Labels["pool"] = "new"
	return n
}

// groups has berlin have a server of node groups.
func (s *stage) groups(address string) {
	member := &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "berlin"}}
	patch := fmt.Appendf(nil, `{"spec": {"nodeGroups": {"address": %q}}}`, address)
	require.NoError(s.t, s.hub.Client.Patch(s.t.Context(), member, client.RawPatch(types.MergePatchType, patch)))
}

// patch merges something into a FederatedScale.
func (s *stage) patch(name, patch string) {
	f := &v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	require.NoError(s.t, s.hub.Client.Patch(s.t.Context(), f, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// offers waits until so many pods of one cpu would fit on berlin's new nodes.
func (s *stage) offers(t *testing.T, why string, want int64) {
	t.Helper()
	pod := podOf(t, `{nodeSelector: {pool: new}, containers: [{name: c, resources: {requests: {cpu: "1"}}}]}`)
	clustertest.Eventually(t, why, func() error {
		offer := s.fleet.Offered("berlin")
		if offer == nil {
			return errors.New("nothing is offered yet")
		}
		if fits := offer.Fits(pod); fits != want {
			return fmt.Errorf("%d pods fit, not %d", fits, want)
		}
		return nil
	})
}

// clean removes what the test has made.
func (s *stage) clean(t *testing.T, nodes int) {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "picky"}
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.status()))
	require.NoError(t, s.hub.Client.Delete(t.Context(), &v1alpha1.FederatedScale{ObjectMeta: meta}))
	require.NoError(t, s.berlin.Client.Delete(t.Context(), &appsv1.Deployment{ObjectMeta: meta}, client.PropagationPolicy(metav1.DeletePropagationForeground)))
	clustertest.Eventually(t, "the pods are gone", func() error {
		var pods corev1.PodList
		if err := s.berlin.Client.List(t.Context(), &pods, client.MatchingLabels{"app": "picky"}); err != nil || len(pods.Items) > 0 {
			return fmt.Errorf("%d are left: %w", len(pods.Items), err)
		}
		return nil
	})
	for i := range nodes {
		require.NoError(t, s.berlin.Client.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("new-%d", i)}}))
	}
}
