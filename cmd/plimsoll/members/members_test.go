// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Nobody disturbs a member that is not Healthy or is to be left alone; it is said why nothing is known of it.
func TestSilentMembersAreNotAsked(t *testing.T) {
	member := func(name string, state v1alpha1.MemberState, suspend bool) v1alpha1.MemberCluster {
		return v1alpha1.MemberCluster{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.MemberClusterSpec{Suspend: suspend}, Status: v1alpha1.MemberClusterStatus{State: state},
		}
	}
	known, unknown := Ask(t.Context(), nil, []v1alpha1.MemberCluster{
		member("berlin", v1alpha1.MemberSuspect, false), member("paris", v1alpha1.MemberFailed, false), member("rome", "", false), member("oslo", v1alpha1.MemberHealthy, true),
	}, Options{Secrets: DefaultSecrets, Timeout: time.Second}, func(context.Context, client.Reader) (int, error) {
		t.Error("it was asked")
		return 0, nil
	})
	require.Empty(t, known)
	why := map[string]string{}
	for name, err := range unknown {
		why[name] = err.Error()
	}
	require.Equal(t, map[string]string{"berlin": "it is Suspect", "paris": "it is Failed", "rome": "it is not judged yet", "oslo": "it is suspended"}, why)
}
