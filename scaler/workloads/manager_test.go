// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// testManager has a window seen by a running controller. The schedule is deleted while none runs; the next one finds
// what is held.
func testManager(t *testing.T, restConfig *rest.Config, s *stage) {
	stop := startManager(t, restConfig, func() time.Time { return noon })
	s.deployment(3)
	s.schedule("minReplicas: 8, rampDown: 0s")
	replicas := func(want int64) func() error {
		return func() error {
			if n := s.replicas(); n != want {
				return fmt.Errorf("%d replicas, not %d", n, want)
			}
			return nil
		}
	}
	clustertest.Eventually(t, "the window's floor", replicas(8))
	s.patch(`{"spec":{"replicas":2}}`)
	clustertest.Eventually(t, "the window's floor again, after an edit", replicas(8))
	stop()

	require.NoError(t, s.client.DeleteAllOf(t.Context(), &v1alpha1.ScaleSchedule{}, client.InNamespace(s.namespace)))
	s.look(5) // the decay begins
	stop = startManager(t, restConfig, func() time.Time { return noon.Add(time.Hour) })
	clustertest.Eventually(t, "the user's own number", replicas(2))
	clustertest.Eventually(t, "the record is removed after it", func() error {
		if labels := s.object().GetLabels(); labels[HeldLabel] != "" {
			return fmt.Errorf("labels %v", labels)
		}
		return nil
	})
	stop()
	s.requireRestored(2)
}

func startManager(t *testing.T, restConfig *rest.Config, now func() time.Time) (stop func()) {
	mgr := clustertest.NewManager(t, restConfig)
	require.NoError(t, situation.Indexes(t.Context(), mgr.GetFieldIndexer()))
	_, err := Add(mgr, Options{Now: now, Poll: 100 * time.Millisecond, Indexed: true})
	require.NoError(t, err)
	return clustertest.Run(t, mgr)
}
