// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/queryapi"
)

// However many requests the query API has at the embedded engine, every query of a rule that may be under way finds a place.
func TestRulesNeverWaitForTheQueryAPI(t *testing.T) {
	o := DefaultOptions()
	require.GreaterOrEqual(t, o.engine().QueryConcurrency, o.Concurrency+queryapi.Parallel)
	o.Concurrency = 50
	require.GreaterOrEqual(t, o.engine().QueryConcurrency, o.Concurrency+queryapi.Parallel)
	o.Embedded.QueryConcurrency = 3
	require.Equal(t, 3, o.engine().QueryConcurrency, "who says a number gets it")
}
