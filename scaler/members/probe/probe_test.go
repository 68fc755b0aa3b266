// SPDX-License-Identifier: Apache-2.0

package probe_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/scaler/leaktest"
	"github.com/plimsoll/plimsoll/scaler/members/probe"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Run(m)) }

// long is more than any answer takes here, brief is what is waited for one that does not come: enough for what comes before.
const (
	long  = 20 * time.Second
	brief = 3 * time.Second
)

// serve starts a member's API server with a certificate of the authority.
func serve(t *testing.T, certificate tls.Certificate, handler http.HandlerFunc, change func(*tls.Config)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if change != nil {
		change(server.TLS)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func configFor(server string, ca *authority) *rest.Config {
	config := &rest.Config{Host: server, BearerToken: "canary", Timeout: time.Hour} // a time-out of the client that must not count
	if ca != nil {
		config.CAData = ca.pem()
	}
	return config
}

func ask(t *testing.T, config *rest.Config, timeout time.Duration) probe.Result {
	t.Helper()
	before := time.Now()
	result, err := probe.Probe(t.Context(), config, timeout)
	require.NoError(t, err)
	require.False(t, result.At.Before(before) || result.At.After(time.Now()))
	require.Positive(t, result.Latency)
	require.Equal(t, result.Cause == health.OK, result.Message == "", result.Message)
	require.NotContains(t, result.Message, "canary")
	require.NotContains(t, result.Message, "\n")
	return result
}

// host is what messages call a server.
func host(t *testing.T, server string) string {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err)
	return u.Host
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const notReady = `[+]ping ok
[-]etcd failed: reason withheld
[+]poststarthook/rbac ok
[-]poststarthook/start-service-ip-repair-controllers failed: reason withheld
readyz check failed
`

func TestAnswers(t *testing.T) {
	ca := newAuthority(t)
	for name, test := range map[string]struct {
		status int
		body   string
		cause  health.Cause
		want   string // after the address
	}{
		"ready":              {200, "ok", health.OK, ""},
		"ready at length":    {200, "[+]ping ok\nreadyz check passed\n", health.OK, ""},
		"no content":         {204, "", health.OK, ""},
		"not ready":          {500, notReady, health.Unhealthy, "says that it is not ready: etcd, poststarthook/start-service-ip-repair-controllers"},
		"200 and not ready":  {200, notReady, health.Unhealthy, "says that it is not ready: etcd, poststarthook/start-service-ip-repair-controllers"},
		"many":               {500, strings.Repeat("[-]a failed\n", 7), health.Unhealthy, "says that it is not ready: a, a, a, a, a and 2 more"},
		"markup":             {500, "[-]<script>canary\n", health.Unhealthy, "answers 500 Internal Server Error"},
		"broken":             {500, "canary", health.Unhealthy, "answers 500 Internal Server Error"},
		"nothing behind it":  {503, "", health.Unhealthy, "answers 503 Service Unavailable"},
		"too many":           {429, "", health.Unhealthy, "answers 429 Too Many Requests"},
		"who are you":        {401, notReady, health.Unauthorized, "answers 401 Unauthorized: renew the kubeconfig's credential"},
		"not you":            {403, "canary", health.Unauthorized, "answers 403 Forbidden to /readyz: bind the ClusterRole system:public-info-viewer to the kubeconfig's user, or renew its credential"},
		"something else":     {404, "", health.Invalid, "answers 404 Not Found to /healthz, as no Kubernetes API server does: correct the kubeconfig's server"},
		"a page":             {302, "", health.Invalid, "answers 302 Found to /readyz, as no Kubernetes API server does: correct the kubeconfig's server"},
		"a bad request":      {400, "", health.Invalid, "answers 400 Bad Request to /readyz, as no Kubernetes API server does: correct the kubeconfig's server"},
		"a very long answer": {500, strings.Repeat("x", 1<<20) + "\n[-]late failed", health.Unhealthy, "answers 500 Internal Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, ca.issue(nil), answering(test.status, test.body), nil)
			result := ask(t, configFor(server.URL, ca), long)
			require.Equal(t, test.cause, result.Cause, result.Message)
			if test.want != "" {
				require.Equal(t, host(t, server.URL)+" "+test.want, result.Message)
			}
			require.NotNil(t, result.Skew)
			require.False(t, result.ServerTime.IsZero())
		})
	}
}

// What is asked, and as whom.
func TestRequest(t *testing.T) {
	ca := newAuthority(t)
	type seen struct{ path, authorization string }
	var requests []seen
	server := serve(t, ca.issue(nil), func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, seen{r.URL.Path, r.Header.Get("Authorization")})
		if r.URL.Path == "/base/readyz" {
			http.NotFound(w, r)
		}
	}, nil)
	require.Equal(t, health.OK, ask(t, configFor(server.URL+"/base", ca), long).Cause)
	require.Equal(t, []seen{{"/base/readyz", "Bearer canary"}, {"/base/healthz", "Bearer canary"}}, requests)
}

// A redirect would take the credential elsewhere.
func TestNoRedirectIsFollowed(t *testing.T) {
	ca := newAuthority(t)
	reached := false
	thief := serve(t, ca.issue(nil), func(http.ResponseWriter, *http.Request) { reached = true }, nil)
	server := serve(t, ca.issue(nil), func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}, nil)
	require.Equal(t, health.Invalid, ask(t, configFor(server.URL, ca), long).Cause)
	require.False(t, reached)
}

// listen takes connections one after the other until the test ends.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			handle(connection)
			_ = connection.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return "https://" + listener.Addr().String()
}

func TestServersThatAreNotReached(t *testing.T) {
	ca := newAuthority(t)
	frozen, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, as for a stopped process
	require.NoError(t, err)
	defer func() { _ = frozen.Close() }()
	reset := listen(t, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) })
	hangUp := listen(t, func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 100)) })
	end := make(chan struct{})
	defer close(end)
	slow := serve(t, ca.issue(nil), func(http.ResponseWriter, *http.Request) { <-end }, nil)
	half := serve(t, ca.issue(nil), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "[+]ping")
		_ = http.NewResponseController(w).Flush()
		<-end
	}, nil)
	abort := serve(t, ca.issue(nil), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil)

	for name, test := range map[string]struct {
		server  string
		timeout time.Duration
		want    string // with the address as %s
	}{
		"nobody listens":        {"https://127.0.0.1:1", long, "no connection to %s: connection refused"},
		"frozen":                {"https://" + frozen.Addr().String(), brief, "%s takes connections and does not end the TLS handshake within 3s"},
		"reset":                 {reset, long, "the connection to %s was reset or closed before there was an answer"},
		"closed":                {hangUp, long, "the connection to %s was reset or closed before there was an answer"},
		"slow":                  {slow.URL, brief, "%s takes requests and does not answer within 3s"},
		"half an answer":        {half.URL, brief, "%s did not end its answer within 3s"},
		"closed in the request": {abort.URL, long, "the connection to %s was reset or closed before there was an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			for i := 0; i == 0 || i < 3 && test.timeout == long; i++ { // the same words each time
				result := ask(t, configFor(test.server, ca), test.timeout)
				require.Equal(t, health.Unreachable, result.Cause, result.Message)
				require.Equal(t, fmt.Sprintf(test.want, host(t, test.server)), result.Message)
				require.Nil(t, result.Skew)
			}
		})
	}
	garbage := serve(t, ca.issue(nil), func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(connection, "canary\r\n\r\n")
			_ = connection.Close()
		}
	}, nil)
	result := ask(t, configFor(garbage.URL, ca), long)
	require.Equal(t, health.Unhealthy, result.Cause)
	require.Equal(t, host(t, garbage.URL)+" answers with something else than HTTP", result.Message)
}

// dialing is a configuration whose connections end in an error before the wire.
func dialing(err error) *rest.Config {
	config := configFor("https://member.example:6443", nil)
	config.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, err }
	return config
}

func TestNames(t *testing.T) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }}
	config := configFor("https://member.example:6443", nil)
	config.Dial = (&net.Dialer{Resolver: resolver}).DialContext
	result := ask(t, config, long)
	require.Equal(t, health.Unreachable, result.Cause)
	require.Equal(t, "no connection to member.example:6443: its name cannot be resolved", result.Message)
}

// What the hub itself lacks is not the member's fault.
func TestWhatTheHubLacks(t *testing.T) {
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EPERM, syscall.EACCES, syscall.ENETDOWN} {
		result := ask(t, dialing(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", number)}), long)
		require.Equal(t, health.NotProbed, result.Cause)
		require.Equal(t, "the hub cannot open a connection to member.example:6443: "+number.Error(), result.Message)
	}
	for _, number := range []syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ETIMEDOUT} {
		result := ask(t, dialing(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", number)}), long)
		require.Equal(t, health.Unreachable, result.Cause, number)
	}
	require.Equal(t, "no connection to member.example:6443", ask(t, dialing(errors.New("port 45678 canary")), long).Message)
}

func TestSkew(t *testing.T) {
	ca := newAuthority(t)
	for _, ahead := range []time.Duration{-time.Hour, -90 * time.Second, 0, 90 * time.Second, 24 * time.Hour} {
		server := serve(t, ca.issue(nil), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		}, nil)
		result := ask(t, configFor(server.URL, ca), long)
		require.Equal(t, health.OK, result.Cause, "it only warns")
		require.InDelta(t, ahead, *result.Skew, float64(2*time.Second+result.Latency))
		require.WithinDuration(t, time.Now().Add(ahead), result.ServerTime, 2*time.Second+result.Latency)
	}
	server := serve(t, ca.issue(nil), func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }, nil)
	result := ask(t, configFor(server.URL, ca), long)
	require.Equal(t, health.OK, result.Cause)
	require.Nil(t, result.Skew)
	require.Zero(t, result.ServerTime)
}

func TestConfigurationsThatCannotBeUsed(t *testing.T) {
	for _, config := range []*rest.Config{
		nil, {}, {Host: "http://member"}, {Host: "https://%"}, {Host: "https://member", TLSClientConfig: rest.TLSClientConfig{CertData: []byte("canary"), KeyData: []byte("canary")}},
		{Host: "https://member", BearerToken: "canary", Username: "canary"},
	} {
		require.Equal(t, health.Invalid, ask(t, config, 0).Cause)
	}
}

// The caller's end is nobody's failure.
func TestCancelled(t *testing.T) {
	frozen, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = frozen.Close() }()
	ctx, cancel := context.WithCancelCause(t.Context())
	config := configFor("https://"+frozen.Addr().String(), nil)
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		cancel(errors.New("the hub ends"))
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	_, err = probe.Probe(ctx, config, long)
	require.EqualError(t, err, "the hub ends")
}

func ptr[T any](value T) *T { return &value }
