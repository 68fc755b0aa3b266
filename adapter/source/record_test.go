// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/tsdbutil"
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source/promapi"
	"github.com/plimsoll/plimsoll/adapter/source/sourcetest"
)

var record = flag.Bool("record", false, "write testdata/answers anew")

// TestAnswersAreWhatPrometheusSays keeps the fuzz target's seeds true: they are this Prometheus version's own answers.
func TestAnswersAreWhatPrometheusSays(t *testing.T) {
	handler := recordedPrometheus(t)
	for name, query := range map[string]string{
		"vector":    `online_users`,
		"combined":  `label_replace(sum by (namespace, pod) (online_users), "part", "v", "", "") or label_replace(min by (namespace, pod) (timestamp(online_users)), "part", "t0", "", "")`,
		"special":   `online_users * NaN or on (pod, odd) label_replace(online_users / 0, "odd", "1", "", "") or vector(-1e-300) or vector(1e+20)`,
		"empty":     `nothing`,
		"scalar":    `31.5`,
		"string":    `"text"`,
		"matrix":    `online_users[1m]`,
		"histogram": `latency`,
		"warning":   `quantile(2, online_users)`,
		"info":      `rate(online_users[1m])`,
		"bad_data":  `sum(`,
		"execution": `online_users * on () online_users`,
	} {
		form := url.Values{"query": {query}, "time": {"1790352503.123"}, "lookback_delta": {"60"}}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/query?"+form.Encode(), nil))
		file := filepath.Join("testdata", "answers", name+".json")
		if *record {
			require.NoError(t, os.WriteFile(file, w.Body.Bytes(), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), w.Body.String(), "%s; go test -record writes it anew", name)
	}
}

func recordedPrometheus(t *testing.T) http.Handler {
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	at := time.UnixMilli(1_790_352_499_500)
	push := sourcetest.Pusher(t, db)
	push(at.Add(-10*time.Second), 30, "__name__", "online_users", "namespace", "shop", "pod", "shop-0")
	push(at, 31.5, "__name__", "online_users", "namespace", "shop", "pod", "shop-0")
	push(at.Add(time.Second), 1e6, "__name__", "online_users", "namespace", "shop", "pod", "quoted \"\\\n\t<é😀>")
	a := db.Appender(context.Background())
	_, err = a.AppendHistogram(0, labels.FromStrings("__name__", "latency"), at.UnixMilli(), tsdbutil.GenerateTestHistogram(1), nil)
	require.NoError(t, err)
	require.NoError(t, a.Commit())
	engine := promapi.NewEngine(promapi.EngineOptions{MaxSamples: 1000, Timeout: time.Minute, Lookback: time.Minute})
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return promapi.New(engine, db)
}
