// SPDX-License-Identifier: Apache-2.0

package history

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A namespace whose source does not answer stops nobody else's requests.
func TestBreakerOfEachNamespace(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/namespaces/dark/") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[]}}`))
	}))
	defer server.Close()
	c := clientOf(t, server.URL, func() time.Time { return noon })
	for range 2 * failuresInARow {
		_, err := c.Range(t.Context(), "dark", "sum(users)", span(1))
		require.Error(t, err)
	}
	require.Error(t, c.breakers.open("dark", noon))
	require.NoError(t, c.breakers.open("dark", noon.Add(-time.Hour)), "the clock was put back")
	_, err := c.Range(t.Context(), "shop", "sum(users)", span(1))
	require.NoError(t, err)
	require.Len(t, c.breakers.all, 1)
}

// A query that takes longer than this client waits says nothing of the others.
func TestSlowQueryIsNotSilence(t *testing.T) {
	var asked atomic.Int64
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-ended
	}))
	defer server.Close()
	defer close(ended)
	c := clientOf(t, server.URL, func() time.Time { return noon })
	c.timeout = 20 * time.Millisecond
	for range 2 * failuresInARow {
		_, err := c.Range(t.Context(), "shop", "sum(users)", span(1))
		var failed *Error
		require.ErrorAs(t, err, &failed)
		require.Equal(t, Unreachable, failed.Failure)
	}
	require.Empty(t, c.breakers.all)
}
