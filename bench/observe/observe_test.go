// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSums(t *testing.T) {
	const text = `# TYPE requests_total counter
requests_total{host="a",code="200"} 3
requests_total{host="a",code="409"} 1
requests_total{host="b",code="200"} 5
# TYPE took_seconds histogram
took_seconds_bucket{host="a",le="+Inf"} 7
took_seconds_sum{host="a"} 1.5
took_seconds_count{host="a"} 7
`
	sums, err := SumBy(text, "requests_total", "host")
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"a": 4, "b": 5}, sums)
	sums, err = SumBy(text, "took_seconds", "host")
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"a": 7}, sums)
	total, err := Sum(text, "requests_total", map[string]string{"code": "200"})
	require.NoError(t, err)
	require.EqualValues(t, 8, total)
	_, err = SumBy("{", "requests_total", "host")
	require.Error(t, err)
}
