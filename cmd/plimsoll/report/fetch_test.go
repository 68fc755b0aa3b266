// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"bytes"
	"encoding/csv"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source/promapi"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/report"
)

// history is what a scaler leaves in a Prometheus, a sample a minute from 1970 on: an evening of two hours with a floor of
// 40 in ten hours, a leader that changes (two instances for a while), and an HPA that is there for the last hour only.
const history = `load 1m
  plimsoll_hpa_replicas{namespace="shop",hpa="web",instance="a"} 10x239 40x119 stale
  plimsoll_hpa_replicas{namespace="shop",hpa="web",instance="b"} _x350 40x9 10x239
  plimsoll_hpa_replicas_without{namespace="shop",hpa="web",instance="a"} 10x359 stale
  plimsoll_hpa_replicas_without{namespace="shop",hpa="web",instance="b"} _x350 10x249
  plimsoll_hpa_min_replicas{namespace="shop",hpa="web",by_kind="HorizontalPodAutoscaler",by="web",instance="a"} 4x239 stale
  plimsoll_hpa_min_replicas{namespace="shop",hpa="web",by_kind="ScaleSchedule",by="sale/evening",instance="a"} _x240 40x119 stale
  plimsoll_hpa_min_replicas{namespace="shop",hpa="web",by_kind="HorizontalPodAutoscaler",by="web",instance="b"} _x360 4x239
  plimsoll_hpa_replicas{namespace="late",hpa="new",instance="b"} _x540 6x59
  plimsoll_hpa_min_replicas{namespace="late",hpa="new",by_kind="Override",by="ann",instance="b"} _x540 6x59
`

func server(t *testing.T) promv1.API {
	storage := promqltest.LoadedStorage(t, history)
	t.Cleanup(func() { require.NoError(t, storage.Close()) })
	engine := promapi.NewEngine(promapi.EngineOptions{MaxSamples: 1e6, Timeout: time.Minute, Lookback: 5 * time.Minute})
	http := httptest.NewServer(promapi.New(engine, storage))
	t.Cleanup(http.Close)
	client, err := api.NewClient(api.Config{Address: http.URL})
	require.NoError(t, err)
	return promv1.NewAPI(client)
}

func fetch(t *testing.T, namespace string, step time.Duration) []report.Usage {
	done := 0
	q := report.Query{
		API: server(t), Namespace: namespace, From: time.Unix(-60, 0), To: time.Unix(-60, 0).Add(10 * time.Hour), Step: step, Timeout: time.Minute,
		Progress: func(_ string, n, total int) {
			require.GreaterOrEqual(t, n, done)
			require.LessOrEqual(t, n, total)
			done = n
		},
	}
	usages, err := q.Fetch(t.Context())
	require.NoError(t, err)
	return usages
}

func TestFetchFromPrometheus(t *testing.T) {
	usages := fetch(t, "", time.Minute) // 600 points: two chunks
	require.Len(t, usages, 2)
	late, web := usages[0], usages[1]

	require.Equal(t, "shop/web", web.Namespace+"/"+web.HPA)
	require.InDelta(t, 1, web.Share(), 1e-9)
	require.InDelta(t, 8*10+2*40, web.Total, 1e-9)
	require.InDelta(t, 2*30, web.By[report.Winner{Kind: "ScaleSchedule", Name: "sale/evening"}], 1e-9)
	require.InDelta(t, 10*10, web.Plain, 1e-9)
	require.Equal(t, 2*time.Hour, web.Fewer)

	require.Equal(t, "late/new", late.Namespace+"/"+late.HPA)
	require.InDelta(t, 0.1, late.Share(), 1e-9)
	require.InDelta(t, 6, late.Total, 1e-9)
	require.InDelta(t, 6, late.Unknown, 1e-9) // an override held it, and nobody knows what the HPA wanted
	require.Zero(t, late.PlainTime)
}

func TestFetchOneNamespace(t *testing.T) {
	usages := fetch(t, "late", time.Minute)
	require.Len(t, usages, 1)
	require.Equal(t, "new", usages[0].HPA)
	require.Empty(t, fetch(t, `none"} or vector(1) #`, time.Minute))
}

func TestWriteAll(t *testing.T) {
	r := report.Make(fetch(t, "", time.Minute), func(namespace, _ string) (float64, bool) { return 0.5, namespace == "shop" })
	r.From, r.To, r.Step, r.Currency = time.Unix(0, 0).UTC(), time.Unix(36000, 0).UTC(), "1m0s", "USD"
	var out bytes.Buffer
	require.NoError(t, r.WriteTable(&out))
	for _, want := range []string{
		"replica-hours (and USD)", "shop/web  100 %  160 (80.00)  100 (50.00)  60 (30.00)", "2h",
		"ScaleSchedule sale/evening", "late/new has data for 10 % of the time", "1 HPA of 2 have no cost",
	} {
		require.Contains(t, out.String(), want)
	}
	out.Reset()
	require.NoError(t, r.WriteCSV(&out))
	lines, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 3)
	require.Equal(t, []string{"shop", "web", "160", "80"}, []string{lines[2][0], lines[2][1], lines[2][7], lines[2][15]})
	require.Empty(t, lines[1][15])
}

func TestErrorsOfThePrometheus(t *testing.T) {
	http := httptest.NewServer(nil)
	http.Close()
	client, err := api.NewClient(api.Config{Address: http.URL})
	require.NoError(t, err)
	_, err = report.Query{API: promv1.NewAPI(client), From: time.Unix(0, 0), To: time.Unix(3600, 0), Step: time.Minute, Timeout: time.Second}.Fetch(t.Context())
	require.ErrorContains(t, err, "max by (namespace, hpa) (plimsoll_hpa_replicas)")
}
