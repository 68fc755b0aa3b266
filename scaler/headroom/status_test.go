// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// What a cluster has that is not known stays as it was, but that of a second MemberCluster of one cluster counts once.
func TestWhatIsNotKnown(t *testing.T) {
	before := v1alpha1.HeadroomCluster{Name: "west", Pods: 3, Held: v1alpha1.Amounts{CPU: "4", Memory: "8Gi"}}
	of := func(state v1alpha1.MemberState, reason string) v1alpha1.HeadroomCluster {
		c := &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "west"}}
		c.Status.State, c.Status.Conditions = state, []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: reason, Message: "the same cluster as east"}}
		return (&scene{}).clusterStatus(&row{cluster: c, before: before})
	}
	gone := of(v1alpha1.MemberFailed, v1alpha1.MemberUnreachable)
	require.Equal(t, []any{v1alpha1.HeadroomClusterUnknown, before.Held, int32(3)}, []any{gone.Reason, gone.Held, gone.Pods})
	require.Contains(t, gone.Message, "it is not Healthy")
	require.Contains(t, of(v1alpha1.MemberHealthy, v1alpha1.MemberAnswers).Message, "it is not connected yet")
	twin := of(v1alpha1.MemberSuspect, v1alpha1.MemberDuplicateCluster)
	require.Equal(t, []any{v1alpha1.HeadroomClusterUnknown, v1alpha1.Amounts{CPU: "0", Memory: "0"}, int32(0), "the same cluster as east"},
		[]any{twin.Reason, twin.Held, twin.Pods, twin.Message})
}
