// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"
)

// An engine that opens the folder finds the earlier days, and goes on behind them.
func TestPastIsInTheStorage(t *testing.T) {
	dir, day := t.TempDir(), dayOf(Options{Duration: 2 * time.Minute})
	until := time.Now().Truncate(time.Millisecond)
	first := until.Add(15 * time.Second)
	require.NoError(t, writePast(t.Context(), dir, earlierDemand(day, first, until)))

	db, err := tsdb.Open(dir, nil, nil, tsdb.DefaultOptions(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	live := db.Appender(t.Context())
	_, err = live.Append(0, labels.FromStrings(model.MetricNameLabel, metric, "namespace", plannedNamespace, "pod", "shop-a"), until.Add(2*time.Second).UnixMilli(), 5)
	require.NoError(t, err)
	require.NoError(t, live.Commit())

	querier, err := db.Querier(0, math.MaxInt64)
	require.NoError(t, err)
	defer func() { require.NoError(t, querier.Close()) }()
	set := querier.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "pod", earlierPod))
	require.True(t, set.Next())
	samples, last := 0, 0.0
	for it := set.At().Iterator(nil); it.Next() == chunkenc.ValFloat; samples++ {
		var at int64
		at, last = it.At()
		if !value.IsStaleNaN(last) {
			require.InDelta(t, day.Users(time.UnixMilli(at).Sub(first)), last, 0)
		}
	}
	require.True(t, value.IsStaleNaN(last), "the series ends, as that of a pod that is gone")
	require.InDelta(t, (pastDays*day.Length - 15*time.Second).Seconds(), samples, 2)
	require.False(t, set.Next())
	require.NoError(t, set.Err())
}
