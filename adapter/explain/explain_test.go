// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumberInJSON(t *testing.T) {
	for text, v := range map[string]float64{"31.5": 31.5, `"NaN"`: math.NaN(), `"+Inf"`: math.Inf(1), `"-Inf"`: math.Inf(-1)} {
		data, err := json.Marshal(Value{Value: Number(v)})
		require.NoError(t, err)
		require.Contains(t, string(data), `"value":`+text+`,`)
		var back Value
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, math.Float64bits(v), math.Float64bits(float64(back.Value)))
	}
	for _, bad := range []string{`"many"`, `{}`, `[1]`} {
		require.ErrorContains(t, json.Unmarshal([]byte(bad), new(Number)), bad)
	}
}
