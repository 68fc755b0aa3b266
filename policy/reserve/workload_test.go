// SPDX-License-Identifier: Apache-2.0

package reserve_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/reserve"
)

func TestSurge(t *testing.T) {
	peak := reserve.Peak{Replicas: 200, From: noon, Until: noon.Add(time.Hour), By: "ScaleSchedule shop/evening"}
	options := reserve.Options{Percent: 20, Lead: 15 * time.Minute}
	for _, test := range []struct {
		name string
		at   time.Time
		want int64
		by   string
	}{
		{"long before", noon.Add(-16 * time.Minute), 20, ""},
		{"ahead of the peak", noon.Add(-15 * time.Minute), 140, peak.By},
		{"in it", noon.Add(59 * time.Minute), 140, peak.By},
		{"after it", noon.Add(time.Hour), 20, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := reserve.Workload{Replicas: 100, Peaks: []reserve.Peak{{Replicas: 90, Until: noon.Add(time.Hour), By: "smaller"}, peak}}
			got, by := w.Surge(options, test.at)
			require.Equal(t, test.want, got)
			require.Equal(t, test.by, by)
		})
	}
	most, _ := reserve.Workload{Replicas: math.MaxInt64}.Surge(options, noon)
	require.Zero(t, most)
	least, _ := reserve.Workload{Replicas: -5}.Surge(options, noon)
	require.Zero(t, least)
}
