// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The help states the retention that samples have when the flag is not given.
func TestHelpStatesTheRetention(t *testing.T) {
	flag := command().Flags().Lookup("storage-retention")
	require.NotNil(t, flag)
	require.Equal(t, "6h0m0s", flag.DefValue)
	require.NotContains(t, flag.Usage, "day")
	require.Contains(t, command().UsageString(), "(default 6h0m0s)")
}
