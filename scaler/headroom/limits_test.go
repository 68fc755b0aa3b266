// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// ahead waits until room is kept for a number of replicas of web, and for a number of others not.
func (s *stage) ahead(kept, refused int32) {
	s.t.Helper()
	clustertest.Eventually(s.t, fmt.Sprintf("room is kept for %d and refused for %d", kept, refused), func() error {
		surges := s.status().Status.Surges
		if len(surges) != 1 || surges[0].Ahead != kept || surges[0].Refused != refused {
			return fmt.Errorf("%+v", surges)
		}
		if held := *s.deployment(capacity.HeadroomNamespace, nameOf("shop/web")).Spec.Replicas; held < kept {
			return fmt.Errorf("%d pods hold it", held)
		}
		return nil
	})
}

// What a tenant announces raises the reserve no further than the namespace's quota lets pods through, and than the Headroom
// allows. web has 8 replicas.
func testLimits(t *testing.T, s *stage) {
	f := &v1alpha1.FederatedScale{}
	require.NoError(t, s.hub.Client.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: "web"}, f))
	enforced := f.DeepCopy()
	enforced.Spec.Mode = v1alpha1.ModeEnforce
	require.NoError(t, s.hub.Client.Patch(t.Context(), enforced, client.MergeFrom(f)))
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tenant"}}
	quota.Spec.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("9")}
	require.NoError(t, s.berlin.Client.Create(t.Context(), quota))
	at := func(d time.Duration) string { return s.now().Add(d).UTC().Format("2006-01-02T15:04") }
	s.hub.Create(t, namespace, fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: ScaleSchedule, metadata: {name: sale}, spec: {
		targetRef: {apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, name: web}, timeZone: UTC,
		windows: [{name: all, start: %q, end: %q, minReplicas: 16}]}}`, at(-time.Minute), at(time.Hour)))

	s.headroom(`{mode: Enforce, placeholder: {waitForNodes: false}}`)
	h := s.says(v1alpha1.HeadroomPeakAhead)
	s.ahead(1, 11)
	require.Contains(t, h.Status.Conditions[0].Message, "ScaleSchedule shop/sale window all")

	raised := quota.DeepCopy()
	raised.Spec.Hard[corev1.ResourcePods] = resource.MustParse("100")
	require.NoError(t, s.berlin.Client.Patch(t.Context(), raised, client.MergeFrom(quota)))
	s.ahead(12, 0)
	s.change(func(h *v1alpha1.Headroom) { h.Spec.Peaks.MaxPercent = new(int32(25)) }) // of 20 cpu
	s.ahead(5, 7)
	s.change(func(h *v1alpha1.Headroom) { h.Spec.Peaks.MaxPercent = new(int32(0)) })
	s.ahead(2, 10)

	require.NoError(t, s.berlin.Client.Delete(t.Context(), quota))
	require.NoError(t, s.hub.Client.DeleteAllOf(t.Context(), &v1alpha1.ScaleSchedule{}, client.InNamespace(namespace)))
	s.says(v1alpha1.HeadroomHeld)
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.status()))
	clustertest.Eventually(t, "the reserve is gone", func() error {
		if on := s.placeholders(); len(on) > 0 {
			return fmt.Errorf("%v", on)
		}
		return nil
	})
}
