// SPDX-License-Identifier: Apache-2.0

package probe_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/scaler/members/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long is more than any answer takes here, brief is what is waited for one that does not come: enough for what comes before.
const (
	long  = 20 * time.Second
	brief = time.Second
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

func TestServersThatAreNotTrusted(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	old := ca.issue(expired)
	for name, test := range map[string]struct {
		certificate tls.Certificate
		ca          *authority
		want        string // with the address as %s
	}{
		"another authority":         {other.issue(nil), ca, "the certificate of %s is not of the authority in certificate-authority-data: renew the one or the other"},
		"of nobody that is known":   {ca.issue(nil), nil, "the certificate of %s is of an authority that the hub's system does not trust: put the CA in certificate-authority-data"},
		"expired":                   {old, ca, "the certificate of %s expired at " + old.Leaf.NotAfter.Format(time.RFC3339) + ": renew it"},
		"of tomorrow":               {ca.issue(notYet), ca, "the certificate of %s is not valid yet: compare the clocks"},
		"for another name":          {ca.issue(misnamed), ca, "the certificate of %s is for other names: set tls-server-name to one of them"},
		"expired and of another CA": {other.issue(expired), ca, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, test.certificate, answering(200, "ok"), nil)
			result := ask(t, configFor(server.URL, test.ca), long)
			require.Equal(t, health.Untrusted, result.Cause, result.Message)
			require.Nil(t, result.Skew)
			if test.want != "" {
				require.Equal(t, fmt.Sprintf(test.want, host(t, server.URL)), result.Message)
			}
		})
	}
	named := serve(t, ca.issue(misnamed), answering(200, "ok"), nil)
	config := configFor(named.URL, ca)
	config.ServerName = "kubernetes.default"
	require.Equal(t, health.OK, ask(t, config, long).Cause)

	plain := httptest.NewServer(answering(200, "ok"))
	defer plain.Close()
	result := ask(t, configFor(strings.Replace(plain.URL, "http:", "https:", 1), ca), long)
	require.Equal(t, health.Untrusted, result.Cause)
	require.Equal(t, host(t, plain.URL)+" does not speak TLS: look at what listens there", result.Message)

	strange := listen(t, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 100))
		_, _ = c.Write([]byte{22, 3, 3, 0, 4, 99, 0, 0, 0}) // a message of TLS that does not exist
		_, _ = io.Copy(io.Discard, c)
	})
	result = ask(t, configFor(strange, ca), long)
	require.Equal(t, health.Untrusted, result.Cause)
	require.Equal(t, "TLS with "+host(t, strange)+" fails: unexpected message", result.Message)

	modern := serve(t, ca.issue(nil), answering(200, "ok"), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	require.Equal(t, health.Untrusted, ask(t, configFor(modern.URL, ca), long).Cause, "only versions that nobody should speak")
}

// A server that rejects our certificate does so after the handshake, with TLS 1.3, and its reset may come first.
func TestServersThatDoNotTrustUs(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	old := ca.issue(expired)
	for name, client := range map[string]*tls.Certificate{"none": nil, "expired": &old, "of another CA": ptr(other.issue(nil))} {
		for _, version := range []uint16{0, tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprintf("%s %x", name, version), func(t *testing.T) {
				server := serve(t, ca.issue(nil), answering(200, "ok"), func(c *tls.Config) {
					c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, ca.pool(), version
					if version != 0 {
						c.MinVersion = version
					}
				})
				config := configFor(server.URL, ca)
				config.BearerToken = ""
				if client != nil {
					config.CertData, config.KeyData = pair(t, *client)
				}
				for range 20 {
					result := ask(t, config, long)
					require.Equal(t, health.Untrusted, result.Cause, result.Message)
					if name == "expired" {
						require.Contains(t, result.Message, "; the kubeconfig's client certificate expired at "+old.Leaf.NotAfter.Format(time.RFC3339))
					}
				}
			})
		}
	}
	server := serve(t, ca.issue(nil), answering(200, "ok"), func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool() })
	config := configFor(server.URL, ca)
	config.CertData, config.KeyData = pair(t, ca.issue(nil))
	require.Equal(t, health.OK, ask(t, config, long).Cause)

	// what a kube-apiserver does
	server = serve(t, ca.issue(nil), answering(401, ""), func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert })
	config = configFor(server.URL, ca)
	config.CertData, config.KeyData = pair(t, old)
	result := ask(t, config, long)
	require.Equal(t, health.Unauthorized, result.Cause)
	require.Contains(t, result.Message, "client certificate expired at")
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
		"frozen":                {"https://" + frozen.Addr().String(), brief, "%s takes connections and does not end the TLS handshake within 1s"},
		"reset":                 {reset, long, "the connection to %s was reset or closed before there was an answer"},
		"closed":                {hangUp, long, "the connection to %s was reset or closed before there was an answer"},
		"slow":                  {slow.URL, brief, "%s takes requests and does not answer within 1s"},
		"half an answer":        {half.URL, brief, "%s did not end its answer within 1s"},
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

func TestProxies(t *testing.T) {
	ca := newAuthority(t)
	server := serve(t, ca.issue(nil), answering(200, "ok"), nil)
	for name, test := range map[string]struct {
		status int
		cause  health.Cause
		want   string
	}{
		"refuses us":           {407, health.Unauthorized, "the proxy answers 407 Proxy Authentication Required to a connection to %s: renew the proxy's credential, or let it through"},
		"does not let through": {403, health.Unauthorized, "the proxy answers 403 Forbidden to a connection to %s: renew the proxy's credential, or let it through"},
		"does not reach it":    {502, health.Unreachable, "the proxy answers 502 Bad Gateway to a connection to %s"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := httptest.NewServer(answering(test.status, ""))
			defer proxy.Close()
			config := configFor(server.URL, ca)
			config.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
			result := ask(t, config, long)
			require.Equal(t, test.cause, result.Cause, result.Message)
			require.Equal(t, fmt.Sprintf(test.want, host(t, server.URL)), result.Message)
		})
	}
	hangUp := listen(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	})
	config := configFor(server.URL, ca)
	config.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(strings.Replace(hangUp, "https:", "http:", 1)) }
	result := ask(t, config, long)
	require.Equal(t, health.Unreachable, result.Cause)
	require.Equal(t, "the connection to "+host(t, server.URL)+" was reset or closed before there was an answer", result.Message)
	for _, scheme := range []string{"http", "https", "socks5"} {
		config := configFor(server.URL, ca)
		config.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(scheme + "://me:canary@127.0.0.1:1") }
		result := ask(t, config, long)
		require.Equal(t, health.Unreachable, result.Cause)
		require.Equal(t, "no connection to "+host(t, server.URL)+" through its proxy: connection refused", result.Message)
	}
}

func TestSocks(t *testing.T) {
	for name, test := range map[string]struct {
		method, answer []byte // of SOCKS 5
		cause          health.Cause
		want           string
	}{
		"does not reach it": {[]byte{5, 0}, []byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0}, health.Unreachable, "no connection to member:6443 through its proxy"},
		"refuses us":        {[]byte{5, 2}, []byte{1, 1}, health.Unauthorized, "no connection to member:6443 through its proxy, which refuses the credential in proxy-url: renew it"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := listen(t, func(c net.Conn) {
				buffer := make([]byte, 1<<10)
				for _, text := range [][]byte{test.method, test.answer} {
					_, _ = c.Read(buffer)
					_, _ = c.Write(text)
				}
				_, _ = io.Copy(io.Discard, c)
			})
			config := configFor("https://member:6443", nil)
			config.Proxy = func(*http.Request) (*url.URL, error) {
				return url.Parse(strings.Replace(proxy, "https://", "socks5://me:canary@", 1))
			}
			result := ask(t, config, long)
			require.Equal(t, test.cause, result.Cause, result.Message)
			require.Equal(t, test.want, result.Message)
		})
	}
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

// muted loses what is written once it is mute, as the reset of a connection can lose it.
type muted struct {
	net.Conn
	mute *atomic.Bool
}

func (c muted) Write(b []byte) (int, error) {
	if c.mute.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// A server whose alert is lost, as TLS 1.3 allows: TLS 1.2 brings it to light, or at least doubt.
func TestALostAlert(t *testing.T) {
	ca := newAuthority(t)
	for name, test := range map[string]struct {
		least uint16
		want  string
	}{
		"with TLS 1.2": {tls.VersionTLS12, "%s broke TLS off: bad certificate"},
		"without":      {tls.VersionTLS13, "%s closes the connection once it has the kubeconfig's client certificate, and may not accept it"},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := ca.issue(nil)
			server := listen(t, func(c net.Conn) {
				var mute atomic.Bool
				_ = tls.Server(muted{c, &mute}, &tls.Config{
					Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert, MinVersion: test.least,
					VerifyConnection: func(s tls.ConnectionState) error {
						mute.Store(s.Version == tls.VersionTLS13)
						return errors.New("no")
					},
				}).HandshakeContext(t.Context())
			})
			config := configFor(server, ca)
			config.CertData, config.KeyData = pair(t, ca.issue(nil))
			result := ask(t, config, long)
			require.Equal(t, health.Untrusted, result.Cause, result.Message)
			require.Equal(t, fmt.Sprintf(test.want, host(t, server)), result.Message)
		})
	}
}

// given is a connection that says when it is given up.
type given struct {
	net.Conn
	up func()
}

func (c given) Close() error {
	c.up()
	return c.Conn.Close()
}

// A server may close the connection before the request is on its way; the HTTP client then has its own words for that.
func TestClosedBeforeTheRequest(t *testing.T) {
	ca := newAuthority(t)
	certificate := ca.issue(nil)
	for name, test := range map[string]struct {
		wanted tls.ClientAuthType
		cause  health.Cause
		want   string
	}{
		"after our certificate": {tls.RequireAnyClientCert, health.Untrusted, "%s closes the connection once it has the kubeconfig's client certificate, and may not accept it"},
		"without it":            {tls.NoClientCert, health.Unreachable, "the connection to %s was reset or closed before there was an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			server := listen(t, func(c net.Conn) {
				_ = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: test.wanted, MinVersion: tls.VersionTLS13}).HandshakeContext(t.Context())
			})
			config := configFor(server, ca)
			config.CertData, config.KeyData = pair(t, ca.issue(nil))
			gone := make(chan struct{})
			up := sync.OnceFunc(func() { close(gone) })
			config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return given{connection, up}, err
			}
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { <-gone }})
			result, err := probe.Probe(ctx, config, long)
			require.NoError(t, err)
			require.Equal(t, test.cause, result.Cause, result.Message)
			require.Equal(t, fmt.Sprintf(test.want, host(t, server)), result.Message)
		})
	}
}
