// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// followed waits until the HPA has followed its floor. One that ends earlier has nothing to sink from.
func (s *scene) followed(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		hpa, err := s.readHPA()
		return err == nil && hpa.Status.DesiredReplicas >= *hpa.Spec.MinReplicas
	}, time.Minute, 50*time.Millisecond, "the HPA follows its floor")
}
