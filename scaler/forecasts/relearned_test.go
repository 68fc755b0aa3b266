// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The source keeps less history than was learned live: a restart does not disarm what was trusted, nor drop its floor at
// once. What another spec asks for was never trusted.
func TestLessHistoryThanLearned(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		observed int64
		state    string
	}{
		"the same forecast":    {1, "Armed"},
		"the spec was changed": {0, "Disarmed"},
	} {
		t.Run(name, func(t *testing.T) {
			f, floor := newForecast(), int32(17)
			f.Status = v1alpha1.ScaleForecastStatus{
				ObservedGeneration: test.observed, Target: "shop", Effective: v1alpha1.ForecastEnforcing, Floor: &floor, LeadTime: "10m",
				LastValueTime: &metav1.Time{Time: start.Add(-5 * time.Minute)}, Trust: &v1alpha1.ForecastTrust{State: "Armed", Reason: "Trusted"},
			}
			b := emptyBed(t, newHPA(), f)
			b.filled = start.Add(-12 * time.Hour)
			b.fill(t, start)
			s := b.look(t)
			require.Equal(t, v1alpha1.ForecastLearning, reason(s), s.Conditions)
			require.Equal(t, test.state, s.Trust.State)
			if test.state == "Disarmed" {
				require.Equal(t, v1alpha1.ForecastDisarmed, s.Effective)
				return
			}
			require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
			require.Equal(t, floor, *s.Floor)
			s = b.run(t, start.Add(3*time.Hour), true)
			require.Equal(t, v1alpha1.ForecastEnforcing, s.Effective)
			require.Less(t, *s.Floor, floor, "the old floor is given up as without values")
			require.NotContains(t, strings.Join(b.said(), "\n"), "Disarmed")
			s = b.run(t, start.Add(40*time.Hour), true)
			require.Equal(t, "Armed", s.Trust.State)
			require.NotEqual(t, "Learning", s.Trust.Reason, "there is a verdict")
		})
	}
}
