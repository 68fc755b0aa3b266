// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaults(t *testing.T) {
	o, err := Options{ScrapeConfigFile: "scrape.yaml", DataDir: "data"}.defaulted()
	require.NoError(t, err)
	require.Equal(t, 12, o.QueryConcurrency, "8 queries of rules and 4 of the query API")
	require.Equal(t, DefaultRetention, o.Retention)
}
