// SPDX-License-Identifier: Apache-2.0

package history

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func span(points int) Span {
	return Span{From: noon, To: noon.Add(time.Duration(points-1) * time.Minute), Step: time.Minute}
}

// clientOf makes a client that waits for a minute, as answers are late on a busy machine.
func clientOf(t *testing.T, host string, now func() time.Time) *Client {
	t.Helper()
	c, err := New(&rest.Config{Host: host}, now)
	require.NoError(t, err)
	c.timeout = time.Minute
	return c
}

func TestRange(t *testing.T) {
	const fine = `{"status":"success","data":{"resultType":"matrix","result":[%]}}`
	for name, test := range map[string]struct {
		status  int
		body    string
		points  int
		series  int
		unclear bool
		failure Failure
		text    string
	}{
		"one series":             {200, strings.Replace(fine, "%", `{"metric":{},"values":[[1795348800,"1"],[1795348860,"2"]]}`, 1), 2, 1, false, "", ""},
		"no series":              {200, strings.Replace(fine, "%", ``, 1), 0, 0, false, "", ""},
		"values that are none":   {200, strings.Replace(fine, "%", `{"metric":{},"values":[[1795348800,"NaN"],[1795348860,"+Inf"],[1795348920,"1e200"],[1795348980,"7"]]}`, 1), 1, 1, false, "", ""},
		"two after each other":   {200, strings.Replace(fine, "%", `{"metric":{"a":"2"},"values":[[1795348860,"2"]]},{"metric":{"a":"1"},"values":[[1795348800,"1"]]}`, 1), 2, 2, false, "", ""},
		"two at the same time":   {200, strings.Replace(fine, "%", `{"metric":{"a":"1"},"values":[[1795348800,"1"],[1795348860,"1"]]},{"metric":{"a":"2"},"values":[[1795348860,"2"]]}`, 1), 1, 2, true, "", ""},
		"not a matrix":           {200, `{"status":"success","data":{"resultType":"string","result":[1795348800,"a"]}}`, 0, 0, false, Unreachable, "does not answer"},
		"not JSON":               {200, `<html>`, 0, 0, false, Unreachable, "does not answer"},
		"a mistake in the query": {400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, 0, 0, false, Invalid, "parse error"},
		"many-to-many":           {422, `{"status":"error","errorType":"execution","error":"many-to-many"}`, 0, 0, false, Refused, "many-to-many"},
		"forbidden":              {403, `{"kind":"Status"}`, 0, 0, false, Forbidden, "sources/proxy"},
		"not installed":          {404, `{"kind":"Status"}`, 0, 0, false, Forbidden, "adapter"},
		"no adapter":             {503, `service unavailable`, 0, 0, false, Unreachable, "503"},
		"too large":              {200, `{"status":"` + strings.Repeat("x", 2*maxBody), 0, 0, false, Unreachable, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/prefix/apis/query.plimsoll.dev/v1alpha1/namespaces/shop/sources/default/proxy/api/v1/query_range" || r.FormValue("query") != "sum(users)" {
					http.Error(w, r.URL.String(), http.StatusTeapot)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			got, err := clientOf(t, server.URL+"/prefix", time.Now).Range(t.Context(), "shop", "sum(users)", span(4))
			if test.failure != "" {
				var failed *Error
				require.ErrorAs(t, err, &failed)
				require.Equal(t, test.failure, failed.Failure, err)
				require.ErrorContains(t, err, test.text)
				return
			}
			require.NoError(t, err)
			require.Len(t, got.Points, test.points)
			require.Len(t, got.Series, test.series)
			require.Equal(t, test.unclear, !got.Ambiguous.IsZero())
			if test.points > 1 {
				require.True(t, got.Points[0].Time.Before(got.Points[1].Time))
			}
		})
	}
}

func TestChunks(t *testing.T) {
	s := span(MaxPoints + 5)
	require.Equal(t, noon.Add((MaxPoints-1)*time.Minute), s.Next().To)
	s.From = s.Next().To.Add(s.Step)
	require.Equal(t, s, s.Next())
	require.Equal(t, 4*time.Minute, s.To.Sub(s.From))
}

// Once nobody answers, the others fail at once; one tries now and then, and when it succeeds all ask again.
func TestBreaker(t *testing.T) {
	asked, down := 0, true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[]}}`))
	}))
	defer server.Close()
	now := noon
	c := clientOf(t, server.URL, func() time.Time { return now })
	ask := func() error {
		_, err := c.Range(t.Context(), "shop", "sum(users)", span(1))
		return err
	}
	for range 10 {
		require.Error(t, ask())
	}
	require.Equal(t, failuresInARow, asked)
	now = now.Add(pause)
	require.Error(t, ask())
	require.Error(t, ask())
	require.Equal(t, failuresInARow+1, asked, "one tries")
	down = false
	require.Error(t, ask())
	now = now.Add(pause)
	require.NoError(t, ask())
	require.NoError(t, ask())
	require.Equal(t, failuresInARow+3, asked)
}
