// SPDX-License-Identifier: Apache-2.0

package queryapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/sourcetest"
)

const at = "1790352503"

// overPrometheus is the API over a remote Prometheus in which two namespaces have online_users.
func overPrometheus(t *testing.T) *Handler {
	handler, push := sourcetest.NewPrometheus(t)
	now := time.Unix(1790352503, 0)
	push(now, 1, "__name__", "online_users", "namespace", "shop", "pod", "mine")
	push(now, 2, "__name__", "online_users", "namespace", "bank", "pod", "secret", "only_there", "x")
	push(now, 3, "__name__", "cluster_wide", "pod", "secret")
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	remote, err := source.NewRemote(source.Options{URL: server.URL})
	require.NoError(t, err)
	return New(source.NewFailover(remote))
}

func TestNamespaceSeesItself(t *testing.T) {
	h := overPrometheus(t).ServeNamespace("shop")
	for _, ask := range []func(testing.TB, http.Handler, string, url.Values) (int, string){sourcetest.Get, sourcetest.Post} {
		for _, query := range []string{
			`online_users`, `sum(online_users)`, `{__name__=~".+"}`, `online_users or cluster_wide`, `online_users{namespace="shop"}`,
			`sum(max_over_time(online_users[1h:1s]))`, `sum(last_over_time({__name__!=""}[5m]))`,
		} {
			code, data := ask(t, h, "/api/v1/query", url.Values{"query": {query}, "time": {at}})
			require.Equal(t, 200, code, data)
			require.Contains(t, data, `"1"`, query)
			require.NotContains(t, data, "secret", query)
			code, data = ask(t, h, "/api/v1/query_range", url.Values{"query": {query}, "start": {at}, "end": {at}, "step": {"10s"}})
			require.Equal(t, 200, code, data)
			require.Contains(t, data, `"1"`, query)
			require.NotContains(t, data, "secret", query)
		}
		for _, query := range []string{`online_users{namespace="bank"}`, `online_users{namespace!="shop"}`, `cluster_wide`} {
			code, data := ask(t, h, "/api/v1/query", url.Values{"query": {query}, "time": {at}})
			require.Equal(t, 200, code, data)
			require.JSONEq(t, `{"resultType":"vector","result":[]}`, data, query)
		}
		for _, match := range [][]string{nil, {`online_users`}, {`online_users`, `cluster_wide`}, {`{pod=~".+"}`}} {
			code, data := ask(t, h, "/api/v1/series", url.Values{"match[]": match})
			require.Equal(t, 200, code, data)
			require.JSONEq(t, `[{"__name__":"online_users","namespace":"shop","pod":"mine"}]`, data)
			code, data = ask(t, h, "/api/v1/labels", url.Values{"match[]": match})
			require.Equal(t, 200, code, data)
			require.JSONEq(t, `["__name__","namespace","pod"]`, data)
			code, data = sourcetest.Get(t, h, "/api/v1/label/pod/values", url.Values{"match[]": match})
			require.Equal(t, 200, code, data)
			require.JSONEq(t, `["mine"]`, data)
		}
	}
	code, data := sourcetest.Get(t, h, "/api/v1/label/namespace/values", nil)
	require.Equal(t, 200, code, data)
	require.JSONEq(t, `["shop"]`, data)
}

func TestClusterSeesAll(t *testing.T) {
	h := overPrometheus(t).ServeNamespace("")
	code, data := sourcetest.Post(t, h, "/api/v1/query", url.Values{"query": {`sum(online_users) + sum(cluster_wide)`}, "time": {at}})
	require.Equal(t, 200, code, data)
	require.Contains(t, data, `"6"`)
	code, data = sourcetest.Get(t, h, "/api/v1/label/namespace/values", nil)
	require.Equal(t, 200, code, data)
	require.JSONEq(t, `["bank","shop"]`, data)
}

func TestRefused(t *testing.T) {
	h := overPrometheus(t).ServeNamespace("shop")
	for _, c := range []struct {
		path string
		form url.Values
		code int
		text string
	}{
		{"/api/v1/query", nil, 400, "query is missing"},
		{"/api/v1/query", url.Values{"query": {"sum("}}, 400, "parse error"},
		{"/api/v1/query", url.Values{"query": {"info(up)"}}, 400, "info"},
		{"/api/v1/query", url.Values{"query": {"up"}, "timeout": {"-1"}}, 400, "timeout"},
		{"/api/v1/query", url.Values{"query": {"online_users * on () online_users * vector(1)"}, "time": {"x"}}, 400, "time"},
		{"/api/v1/query", url.Values{"query": {strings.Repeat("x", maxForm)}}, 400, ""},
		{"/api/v1/query_range", url.Values{"query": {"up"}, "start": {"0"}, "end": {"11002"}, "step": {"1"}}, 400, "11002 points"},
		{"/api/v1/query_range", url.Values{"query": {"up"}, "start": {"0"}, "end": {"1"}, "step": {"0"}}, 400, "step"},
		{"/api/v1/query_range", url.Values{"query": {"up"}, "start": {"NaN"}, "end": {"1"}, "step": {"1"}}, 400, "start"},
		{"/api/v1/query_range", url.Values{"query": {"up"}, "end": {"1"}, "step": {"1"}}, 400, "start"},
		{"/api/v1/series", url.Values{"match[]": {"sum(up)"}}, 400, "match[]"},
		{"/api/v1/series", url.Values{"match[]": {`{pod=~".*"}`}}, 400, "match[]"},
		{"/api/v1/series", url.Values{"match[]": {`up or {pod="secret"}`}}, 400, "match[]"},
		{"/api/v1/status/config", nil, 404, "served are"},
		{"/api/v1/admin/tsdb/delete_series", nil, 404, "served are"},
		{"/api/v1/query/../status/config", nil, 404, "served are"},
		{"/metrics", nil, 404, "served are"},
	} {
		code, text := sourcetest.Post(t, h, c.path, c.form)
		require.Equal(t, c.code, code, "%s %.200s", c.path, c.form)
		require.Contains(t, text, c.text)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodHead} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/api/v1/query?query=up", nil))
		require.Equal(t, http.StatusMethodNotAllowed, w.Code, method)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/query", strings.NewReader(`{"query":"up"}`))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	require.Equal(t, 400, w.Code)
}

// capture is a source that remembers what its API was asked.
type capture struct {
	source.Source
	form url.Values
	ctx  time.Duration
}

func (c *capture) API() http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		c.form = r.Form
		end, _ := r.Context().Deadline()
		c.ctx = time.Until(end)
	})
}

func TestTimeoutIsBounded(t *testing.T) {
	for asked, want := range map[string]string{"": "30.000", "5": "5.000", "1500ms": "1.500", "10m": "30.000", "1e300": "30.000"} {
		c := &capture{}
		code, text := sourcetest.Post(t, New(source.NewFailover(c)).ServeNamespace("shop"), "/api/v1/query", url.Values{"query": {"up"}, "timeout": {asked}})
		if asked == "1e300" {
			require.Equal(t, 400, code)
			continue
		}
		require.Equal(t, 200, code, text)
		require.Equal(t, want, c.form.Get("timeout"), asked)
		require.LessOrEqual(t, c.ctx, maxTimeout)
	}
}

// FuzzScoped: whatever a caller sends, what reaches the source is scoped to the namespace.
func FuzzScoped(f *testing.F) {
	for _, seed := range [][3]string{
		{"/api/v1/query", "query=up", "query=secret"},
		{"/api/v1/query", "query=up&query=secret", ""},
		{"/api/v1/query_range", "query=rate(a[5m])&start=0&end=1&step=1", ""},
		{"/api/v1/series", "match[]=up&match%5B%5D=a{b=~%22c%22}", "match[]=up"},
		{"/api/v1/labels", "", ""},
		{"/api/v1/label/pod/values", "match[]=up", "match[]=x;y"},
		{"/api/v1/label/namespace/values", "limit=0", ""},
		{"/api/v1/query", "query=%7B%22a%7D+or+%7Bb%22%7D", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	c := &capture{}
	h := New(source.NewFailover(c)).ServeNamespace("shop")
	f.Fuzz(func(t *testing.T, path, rawQuery, body string) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			c.form = nil
			r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: rawQuery}, Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: http.NoBody}
			if method == http.MethodPost {
				r.Body = readCloser{strings.NewReader(body)}
			}
			h.ServeHTTP(httptest.NewRecorder(), r.WithContext(t.Context()))
			if c.form != nil {
				requireScoped(t, path, c.form)
			}
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func requireScoped(t *testing.T, path string, form url.Values) {
	endpoint, ok := source.Endpoint(path)
	require.True(t, ok)
	expressions := form["query"]
	if !strings.HasPrefix(endpoint, "query") {
		expressions = form["match[]"]
		require.NotContains(t, form, "query")
	}
	require.NotEmpty(t, expressions)
	for _, text := range expressions {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		require.NoError(t, err)
		for _, matchers := range parser.ExtractSelectors(expr) {
			require.True(t, scoped(matchers), text)
		}
	}
}

func scoped(matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if m.Type == labels.MatchEqual && m.Name == "namespace" && m.Value == "shop" {
			return true
		}
	}
	return false
}
