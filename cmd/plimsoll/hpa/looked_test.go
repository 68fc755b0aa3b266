// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
)

// An HPA that was created a second ago has set nothing; "0" would be frightening, and wrong.
func TestNewHPA(t *testing.T) {
	h := shop()
	h.Annotations, h.Status = nil, autoscalingv2.HorizontalPodAutoscalerStatus{}
	s, err := snapshot.Of(t.Context(), h)
	require.NoError(t, err)
	seen, err := s.Observe(t.Context(), types.NamespacedName{Namespace: "live", Name: "shop"}, noon)
	require.NoError(t, err)
	got := text(Describe(seen, seen.Decide(noon), noon))
	require.Contains(t, got, "the HPA is new, and its controller has not looked at it yet")
	require.NotContains(t, got, "the HPA set")
}
