// SPDX-License-Identifier: Apache-2.0

package source

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

// FuzzExternal: what is read here the official type reads too, to the same values at the same times; nothing that is read has
// no time or is not a number. The seeds are answers of Plimsoll's adapter.
func FuzzExternal(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":[{"metricName":"orders","metricLabels":{"queue":"a"},"timestamp":"2026-11-11T12:00:05Z","value":"1500m"}]}`,
		`{"kind":"ExternalMetricValueList","items":[{"metricLabels":null,"timestamp":"2026-11-11T12:00:05+01:00","value":1e3},{"timestamp":"2026-11-11T12:00:05Z","value":"-12Ki"}]}`,
		`{"kind":"ExternalMetricValueList","items":[{"timestamp":"2026-11-11T12:00:05Z","value":"1e99999"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		values, err := readExternal(body)
		if err != nil {
			return
		}
		var list v1beta1.ExternalMetricValueList
		if json.Unmarshal(body, &list) != nil {
			return // what the official type refuses for other fields
		}
		require.Len(t, list.Items, len(values))
		for i, v := range values {
			require.False(t, v.at.IsZero())
			require.False(t, math.IsNaN(v.Value) || math.IsInf(v.Value, 0))
			require.Equal(t, list.Items[i].Value.AsApproximateFloat64(), v.Value)
			require.True(t, list.Items[i].Timestamp.Time.Equal(v.at))
			require.Len(t, v.Labels, len(list.Items[i].MetricLabels))
		}
	})
}
