// SPDX-License-Identifier: Apache-2.0

// Package sourcetest holds what every source.Source must do (Run), and a Prometheus to try it with: the time series
// database, the query engine and the HTTP API of Prometheus' own packages on a loopback port, filled by the test itself.
package sourcetest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source/promapi"
)

// Push adds one sample to the source under test. Labels are pairs of name and value, __name__ among them.
type Push func(at time.Time, value float64, labels ...string)

// NewPrometheus returns the HTTP API of an empty Prometheus and the way to fill it.
func NewPrometheus(t testing.TB) (http.Handler, Push) {
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	engine := promapi.NewEngine(promapi.EngineOptions{MaxSamples: 1_000_000, Timeout: time.Minute, Lookback: 5 * time.Minute})
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return promapi.New(engine, db), Pusher(t, db)
}

// Pusher fills a storage.
func Pusher(t testing.TB, into storage.Appendable) Push {
	return func(at time.Time, value float64, pairs ...string) {
		a := into.Appender(context.Background())
		_, err := a.Append(0, labels.FromStrings(pairs...), at.UnixMilli(), value)
		require.NoError(t, err)
		require.NoError(t, a.Commit())
	}
}
