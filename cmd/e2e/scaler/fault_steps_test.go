// SPDX-License-Identifier: Apache-2.0

//go:build faults

package scaler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// passes waits until a time is over.
func (s *scene) passes(t *testing.T, moment time.Time) {
	t.Helper()
	stacktest.Eventually(t, "the time "+moment.Format(time.TimeOnly), func() error {
		if left := time.Until(moment); left > 0 {
			return fmt.Errorf("it is %s away", left)
		}
		return nil
	})
}

// ownBounds waits until the user's own bounds are back and belong to their owner. Of Plimsoll, the memory of reverts may
// be left, which has its time.
func (s *scene) ownBounds(t *testing.T) {
	t.Helper()
	stacktest.Eventually(t, "the user's own bounds and their ownership", func() error {
		hpa, err := s.readHPA()
		if err != nil {
			return err
		}
		kept, err := record.Parse(hpa.Annotations)
		live, owners := situation.LiveBounds(hpa), ownersOf(hpa)
		switch {
		case err != nil:
			return err
		case live != s.base || !slices.Equal(owners, s.owners):
			return fmt.Errorf("bounds are %d..%d of %v, not %d..%d of %v", live.Min, live.Max, owners, s.base.Min, s.base.Max, s.owners)
		case kept.State.Applied != nil || kept.State.Tail != nil || len(kept.Owners) > 0:
			return fmt.Errorf("still kept: %+v", kept)
		}
		return nil
	})
}

// changes is how often the bounds of the HPA were changed so far.
func (s *scene) changes(t *testing.T) int {
	t.Helper()
	s.watchCatchesUp(t)
	return s.watch.changesOf(s.ns)
}

// changesOf is how often the bounds of a namespace's HPA were changed so far.
func (w *replicaWatch) changesOf(ns string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes[ns]
}

func (s *scene) deleteForecast(t *testing.T) {
	t.Helper()
	forecast := new(v1alpha1.ScaleForecast)
	forecast.Namespace, forecast.Name = s.ns, "soon"
	require.NoError(t, s.client.Delete(t.Context(), forecast))
}

func reasonOf(f *v1alpha1.ScaleForecast) string {
	for _, c := range f.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}
