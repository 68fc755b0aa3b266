// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An HTTP/2 client that reads all the time stays on its connection until half of the delay has passed, and then makes a
// new one for every read; none fails.
func TestCallersAreSentAwayWhenTheServerEnds(t *testing.T) {
	ending := make(chan struct{})
	clock := time.Unix(1000, 0)
	l := &leaving{
		next:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.RemoteAddr)) }),
		ending: ending, after: 2 * time.Second, now: func() time.Time { return clock },
	}
	server := httptest.NewUnstartedServer(l)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client := server.Client()
	connection := func() string {
		response, err := client.Get(server.URL)
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, 2, response.ProtoMajor)
		return readAll(t, response)
	}
	first := connection()
	close(ending)
	require.Equal(t, first, connection(), "the Service still leads here")
	clock = clock.Add(2 * time.Second)
	require.Equal(t, first, connection(), "the answer that asks to leave")
	require.Eventually(t, func() bool { return connection() != first }, time.Minute, time.Millisecond)
}
