// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// BenchmarkDecide is what one look at an HPA with two schedules costs beside the reading of the cache.
func BenchmarkDecide(b *testing.B) {
	w := newWorld(10, 100)
	for range 2 {
		w.window(func(v *v1alpha1.ScheduleWindow) {
			v.Start, v.Schedule, v.MinReplicas = "", "0 19 * * *", number(40)
			v.Duration = &metav1.Duration{Duration: 4 * time.Hour}
		})
	}
	for i := range w.schedules {
		w.schedules[i].UID, w.schedules[i].Generation = "a", 1
	}
	w.look(noon.Add(8 * time.Hour))
	require.NotEmpty(b, w.hpa.Annotations)
	for b.Loop() {
		w.observe().Decide(noon.Add(8 * time.Hour))
	}
}
