// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// identity is that of the stage's hub.
func (s *stage) identity() string {
	space := &corev1.Namespace{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Name: metav1.NamespaceSystem}, space))
	return string(space.UID)
}

// kept are the UIDs of the reserve's Deployments and the hubs that keep them.
func (s *stage) kept() map[types.UID]string {
	var list appsv1.DeploymentList
	require.NoError(s.t, s.berlin.Client.List(s.t.Context(), &list, client.InNamespace(capacity.HeadroomNamespace)))
	all := map[types.UID]string{}
	for i := range list.Items {
		all[list.Items[i].UID] = list.Items[i].Labels[hubLabel]
	}
	return all
}

func (s *stage) keptBy(hub string) {
	clustertest.Eventually(s.t, "hub "+hub+" keeps the reserve", func() error {
		kept := s.kept()
		if hubs := slices.Collect(maps.Values(kept)); len(hubs) == 0 || slices.ContainsFunc(hubs, func(other string) bool { return other != hub }) {
			return fmt.Errorf("%v", kept)
		}
		return nil
	})
}

// release does to the objects of a hub in berlin what the message says.
func (s *stage) release(hub string) {
	patch := fmt.Appendf(nil, `{"metadata": {"labels": {%q: null}}}`, hubLabel)
	var list appsv1.DeploymentList
	require.NoError(s.t, s.berlin.Client.List(s.t.Context(), &list, client.InNamespace(capacity.HeadroomNamespace), client.MatchingLabels{hubLabel: hub}))
	require.NotEmpty(s.t, list.Items)
	for i := range list.Items {
		require.NoError(s.t, s.berlin.Client.Patch(s.t.Context(), &list.Items[i], client.RawPatch(types.MergePatchType, patch)))
	}
}

// Two hubs have a Headroom for one member: the second one leaves the first one's reserve alone and says so, until somebody
// releases it.
func testTwoHubs(t *testing.T, s *stage) {
	const spec = `{mode: Enforce, placeholder: {waitForNodes: false}}`
	s.headroom(spec)
	s.says(v1alpha1.HeadroomHeld)
	s.keptBy(s.identity())
	before, filling := s.kept(), s.deployment(capacity.HeadroomNamespace, nameOf("")).UID

	second := &stage{whole: t, t: t, hub: clustertest.Start(t), berlin: s.berlin}
	require.NoError(t, second.hub.Client.Create(t.Context(), &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "berlin"}}))
	second.start()
	second.judge(v1alpha1.MemberHealthy)
	second.headroom(spec)
	h := second.says(v1alpha1.HeadroomHeldByOtherHub)
	row := h.Status.Clusters[0]
	require.Contains(t, row.Message, "another hub ("+s.identity()+") keeps a reserve there, such as Deployment ")
	require.True(t, strings.HasSuffix(row.Message, "kubectl -n plimsoll-headroom label deployments -l plimsoll.dev/hub="+s.identity()+" plimsoll.dev/hub-"), row.Message)
	require.Equal(t, []string{"0 cpu, 0Mi", "0"}, []string{h.Status.Reserved, row.Held.CPU}, "what another hub keeps is not this one's")
	require.Equal(t, before, s.kept())

	// Nor does it remove anything, whatever it is told.
	look := &sight{member: second.fleet.Member("berlin"), memo: newMemo(), now: s.now(), hub: second.identity()}
	require.NoError(t, look.clear(t.Context(), true, true))
	require.Equal(t, before, s.kept())

	s.stop() // that hub is gone
	s.release(s.identity())
	second.says(v1alpha1.HeadroomHeld)
	second.keptBy(second.identity())
	require.Equal(t, filling, s.deployment(capacity.HeadroomNamespace, nameOf("")).UID, "it was taken over, not made anew")

	s.start() // it is not
	s.says(v1alpha1.HeadroomHeldByOtherHub)
	require.NoError(t, second.hub.Client.Delete(t.Context(), second.status()))
	s.says(v1alpha1.HeadroomHeld)
	s.keptBy(s.identity())
	second.stop()
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.status()))
	clustertest.Eventually(t, "the reserve is gone", func() error {
		if on := s.placeholders(); len(on) > 0 {
			return fmt.Errorf("%v", on)
		}
		return nil
	})
}
