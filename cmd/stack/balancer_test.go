// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// replica is a server that says its name, and on /readyz whether it is ready.
type replica struct {
	*httptest.Server
	ready atomic.Bool
}

func newReplica(t *testing.T, name string) *replica {
	t.Helper()
	r := &replica{}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/readyz" && !r.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, err := io.WriteString(w, name)
		require.NoError(t, err)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *replica) port(t *testing.T) int {
	t.Helper()
	_, text, err := net.SplitHostPort(r.Listener.Addr().String())
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return port
}

// ask opens a new connection and returns who answered; "" if nobody did.
func ask(t *testing.T, b *balancer) string {
	t.Helper()
	client := newProber()
	client.Timeout = time.Minute // the one who asks is patient
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + b.listener.Addr().String() + "/")
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// answers counts who answers n connections.
func answers(t *testing.T, b *balancer, n int) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for range n {
		counts[ask(t, b)]++
	}
	return counts
}

func TestBalancerUsesReadyBackendsInTurn(t *testing.T) {
	b, err := listen(0, time.Minute)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.close()) })
	require.Equal(t, map[string]int{"": 2}, answers(t, b, 2), "nobody is there")

	one, two := newReplica(t, "one"), newReplica(t, "two")
	one.ready.Store(true)
	b.add(one.port(t))
	b.add(two.port(t))
	require.Eventually(t, func() bool { return ask(t, b) == "one" }, time.Minute, step)
	require.Equal(t, map[string]int{"one": 4}, answers(t, b, 4), "the other is not ready")

	two.ready.Store(true)
	require.Eventually(t, func() bool { return ask(t, b) == "two" }, time.Minute, step)
	require.Equal(t, map[string]int{"one": 3, "two": 3}, answers(t, b, 6))

	one.ready.Store(false)
	require.Eventually(t, func() bool { return answers(t, b, 4)["two"] == 4 }, time.Minute, step)

	one.ready.Store(true)
	require.Eventually(t, func() bool { return answers(t, b, 4)["one"] == 2 }, time.Minute, step)
	require.NoError(t, two.Listener.Close())
	two.CloseClientConnections()
	require.Equal(t, map[string]int{"one": 4}, answers(t, b, 4), "a dead backend is passed over before a probe notices")
	b.remove(two.port(t))
	b.remove(one.port(t))
	require.Equal(t, map[string]int{"": 1}, answers(t, b, 1))
}
