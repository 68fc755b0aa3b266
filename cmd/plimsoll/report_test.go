// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorded answers range queries as a Prometheus does that has scraped a scaler: 40 replicas where the HPA alone would
// have 10, for the last half of any range.
func recorded(t *testing.T, asked *[]string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.NoError(t, r.ParseForm())
		*asked = append(*asked, r.URL.Path+" "+r.Form.Get("query"))
		from, err := strconv.ParseFloat(r.Form.Get("start"), 64)
		require.NoError(t, err)
		to, err := strconv.ParseFloat(r.Form.Get("end"), 64)
		require.NoError(t, err)
		labels, value := `"namespace":"shop","hpa":"web"`, 40
		switch query := r.Form.Get("query"); {
		case strings.Contains(query, "replicas_without"):
			value = 10
		case strings.Contains(query, "min_replicas"):
			labels += `,"by_kind":"Override","by":"ann"`
		}
		var values []string
		for at := from; at <= to; at += 60 {
			if at > (from+to)/2 {
				values = append(values, fmt.Sprintf(`[%f,"%d"]`, at, value))
			}
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{%s},"values":[%s]}]}}`, labels, strings.Join(values, ","))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestReport(t *testing.T) {
	var asked []string
	server := recorded(t, &asked)
	code, stdout, stderr := execute(t, "report", "--since", "2h", "-n", "shop", "--prometheus-url", server.URL, "--price-per-replica-hour", "0.1", "--currency", "EUR")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "shop/web  50 %  40 (4.00)  10 (1.00)  0 (0.00)  0 (0.00)  30 (3.00)  0 (0.00)  10 (1.00)  30 (3.00)")
	require.Contains(t, stdout, "Override ann")
	require.Contains(t, stdout, "replica-hours (and EUR)")
	require.Equal(t, `/api/v1/query_range max by (namespace, hpa) (plimsoll_hpa_replicas{namespace="shop"})`, asked[0])

	code, stdout, stderr = execute(t, "report", "--since", "2h", "-A", "--prometheus-url", server.URL, "-o", "json")
	require.Zero(t, code, stderr)
	var r struct {
		HPAs []struct {
			Total, Base, Override struct{ ReplicaHours float64 }
			DataShare             float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Equal(t, []float64{40, 10, 30, 0.5}, []float64{r.HPAs[0].Total.ReplicaHours, r.HPAs[0].Base.ReplicaHours, r.HPAs[0].Override.ReplicaHours, r.HPAs[0].DataShare})
	require.NotContains(t, stdout, "cost")

	code, stdout, stderr = execute(t, "report", "--since", "2h", "-A", "--prometheus-url", server.URL, "-o", "csv")
	require.Zero(t, code, stderr)
	lines, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 2)
}

// Through the API server, the questions go to the query API in the caller's namespace.
func TestReportAsksTheAdapter(t *testing.T) {
	var asked []string
	server := recorded(t, &asked)
	config := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u, namespace: shop}}],
clusters: [{name: c, cluster: {server: %q}}], users: [{name: u, user: {}}]}`, server.URL), 0o600))
	code, _, stderr := execute(t, "report", "--since", "1h", "--kubeconfig", config)
	require.Zero(t, code, stderr)
	require.Contains(t, asked[0], "/apis/query.plimsoll.dev/v1alpha1/namespaces/shop/sources/default/proxy/api/v1/query_range ")
	code, _, stderr = execute(t, "report", "--since", "1h", "--kubeconfig", config, "-A")
	require.Zero(t, code, stderr)
	require.Contains(t, asked[len(asked)-1], "/apis/query.plimsoll.dev/v1alpha1/sources/default/proxy/api/v1/query_range ")
}

func TestReportErrors(t *testing.T) {
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	}))
	defer empty.Close()
	for name, tc := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"nothing there":   {[]string{"--prometheus-url", empty.URL, "-A"}, 1, "asked every 5m0s: the scaler must be scraped"},
		"no cluster":      {[]string{"-A"}, 1, "no API server answers"},
		"since":           {[]string{"--since", "yesterday"}, 2, "is not a time such as"},
		"step":            {[]string{"--since", "1h", "--step", "2h"}, 2, "--step"},
		"both":            {[]string{"-A", "-n", "shop"}, 2, "either --namespace or --all-namespaces"},
		"two prices":      {[]string{"-A", "--price-per-replica-hour", "1", "--price-per-cpu-hour", "1"}, 2, "give either --price-per-replica-hour"},
		"unknown output":  {[]string{"-o", "xml"}, 2, "table, csv or json"},
		"requests needed": {[]string{"--prometheus-url", empty.URL, "-A", "--price-per-cpu-hour", "1"}, 1, "or use --price-per-replica-hour"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := execute(t, append([]string{"report"}, tc.args...)...)
			require.Equal(t, tc.code, code, stderr)
			require.Contains(t, stderr, tc.stderr)
		})
	}
}
