// SPDX-License-Identifier: Apache-2.0

package sourcetest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// Get asks an API and returns the status and the answer's data as JSON, or the error's text.
func Get(t testing.TB, h http.Handler, path string, form url.Values) (int, string) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path+"?"+form.Encode(), nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return read(t, w)
}

// Post does what Get does, with the form in the body.
func Post(t testing.TB, h http.Handler, path string, form url.Values) (int, string) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return read(t, w)
}

func read(t testing.TB, w *httptest.ResponseRecorder) (int, string) {
	var a struct {
		Status, Error string
		Data          json.RawMessage
	}
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		return w.Code, w.Body.String()
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body)
	if a.Status != "success" {
		return w.Code, a.Error
	}
	return w.Code, string(a.Data)
}

func api(t *testing.T, s source.Source, push Push) {
	push(now, 3, "__name__", "m", "pod", "a")
	h := s.API()
	at := now.Format(time.RFC3339Nano)
	instant := url.Values{"query": {"m"}, "time": {at}}
	ranged := url.Values{"query": {"m"}, "start": {at}, "end": {at}, "step": {"1"}}
	for _, ask := range []func(testing.TB, http.Handler, string, url.Values) (int, string){Get, Post} {
		code, data := ask(t, h, "/api/v1/query", instant)
		require.Equal(t, 200, code, data)
		require.JSONEq(t, `{"resultType":"vector","result":[{"metric":{"__name__":"m","pod":"a"},"value":[1790352503.123,"3"]}]}`, data)
		code, data = ask(t, h, "/api/v1/query_range", ranged)
		require.Equal(t, 200, code, data)
		require.Contains(t, data, `[[1790352503.123,"3"]]`)
		code, data = ask(t, h, "/api/v1/series", url.Values{"match[]": {"m"}})
		require.Equal(t, 200, code, data)
		require.JSONEq(t, `[{"__name__":"m","pod":"a"}]`, data)
		code, data = ask(t, h, "/api/v1/labels", nil)
		require.Equal(t, 200, code, data)
		require.JSONEq(t, `["__name__","pod"]`, data)
	}
	code, data := Get(t, h, "/api/v1/label/pod/values", nil)
	require.Equal(t, 200, code, data)
	require.JSONEq(t, `["a"]`, data)
	code, data = Get(t, h, "/api/v1/query", url.Values{"query": {"sum("}})
	require.Equal(t, 400, code)
	require.Contains(t, data, "parse error")
	for _, path := range []string{"/api/v1/status/config", "/api/v1/status/flags", "/api/v1/targets", "/api/v1/admin/tsdb/snapshot", "/api/v1/read", "/api/v1/write", "/metrics", "/",
		"/api/v1/label/../values", "/api/v1/query/", "/api/v1//query", "/api/v1/label/a/b/values"} {
		code, _ := Post(t, h, path, instant)
		require.Equal(t, 404, code, path)
	}
}
