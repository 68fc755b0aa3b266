// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"fmt"
	"testing"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// followed waits until the HPA has followed its floor, and a scaler has seen that: a floor that ends earlier has nothing
// to sink from. Once in a scene: the scaler shows what it has seen by an event about an annotation written after it.
func (s *scene) followed(t *testing.T) {
	t.Helper()
	stacktest.Eventually(t, "an HPA that follows its floor", func() error {
		hpa, err := s.readHPA()
		if err == nil && hpa.Status.DesiredReplicas < *hpa.Spec.MinReplicas {
			err = fmt.Errorf("it wants %d, its floor is %d", hpa.Status.DesiredReplicas, *hpa.Spec.MinReplicas)
		}
		return err
	})
	s.annotate(t, record.OverrideAnnotation, "{]")
	s.event(t, "Ignored", "cannot be read")
	s.annotate(t, record.OverrideAnnotation, "")
}
