// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSurgePercent(t *testing.T) {
	for text, want := range map[string]int64{"2x": 100, "1.5x": 50, "20%": 20, "0.5%": 1, "11x": 1000, "1.2x": 20} {
		got, err := surgePercent(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "2", "x", "1x", "0%", "-5%", "0.5x", "12x", "NaNx", "Infx", "1001%", "2 x"} {
		_, err := surgePercent(text)
		require.ErrorContains(t, err, "--surge", text)
	}
}

func TestSimulateAsksForOneThing(t *testing.T) {
	berlin := memberFlags{lose: "berlin"}
	for _, f := range []*simulateFlags{{output: "table"}, {output: "table", members: berlin, surge: "2x"}, {output: "yaml", members: berlin}, {output: "table", surge: "many"}} {
		require.ErrorAs(t, f.check(), new(badInput))
	}
	f := simulateFlags{output: "table", surge: "2x"}
	require.NoError(t, f.check())
	require.EqualValues(t, 100, f.percent)
}
