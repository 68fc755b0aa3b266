// SPDX-License-Identifier: Apache-2.0

// Package probe asks a member cluster's API server once whether it is ready, and says what is wrong in the words of
// policy/health. Every probe is a connection of its own: one that is kept open would not see an expired certificate, a
// rotated credential or a new address, and hangs for long after a partition.
//
// Messages name the server's address and the failed checks, and nothing else of the kubeconfig or the answer; they are
// the same for the same trouble, so that a status does not change with every probe.
package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/policy/health"
)

// DefaultTimeout is how long a probe takes at most where nothing else is said.
const DefaultTimeout = 4 * time.Second

// maxBody is how much of an answer is read: a verbose list of checks has a few kilobytes.
const maxBody = 64 << 10

// Result is what one probe found, for health.Step.
type Result struct {
	health.Probe
	// Latency is how long the probe took, connecting included.
	Latency time.Duration
	// ServerTime is the server's clock as the answer has it, in whole seconds; zero: there was no answer or no time in it.
	ServerTime time.Time
}

// Probe asks the server of a configuration that kubeconfig.Parse returned: GET /readyz, or /healthz where that is not
// found. It takes no longer than the time-out, whatever the configuration's own is; 0 or less: DefaultTimeout. The error
// is that of the context, which ended before the answer.
func Probe(ctx context.Context, config *rest.Config, timeout time.Duration) (Result, error) {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result := Result{}
	if t, problem := newTarget(config, timeout); problem != "" {
		result.Cause, result.Message = health.Invalid, problem
	} else {
		result = t.probe(limited)
		t.transport.CloseIdleConnections()
	}
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	result.At = time.Now()
	result.Latency = result.At.Sub(began)
	return result, nil
}

// target is a server that is being asked.
type target struct {
	url       *url.URL
	config    *rest.Config
	timeout   time.Duration
	transport *http.Transport
	client    *http.Client
	stage     atomic.Int32
	// asked: the server wanted a client certificate, and got ours
	asked atomic.Bool
}

func newTarget(config *rest.Config, timeout time.Duration) (t *target, problem string) {
	if config == nil {
		return nil, "there is no kubeconfig to probe with"
	}
	server, err := url.Parse(config.Host)
	if err != nil || server.Scheme != "https" || server.Host == "" {
		return nil, "the kubeconfig's server is no https URL"
	}
	trust, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, "the kubeconfig's certificates or key cannot be used"
	}
	if trust == nil { // the authorities of the hub's system
		trust = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t = &target{url: server, config: config, timeout: timeout}
	t.noteClientCertificate(trust)
	t.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{}).DialContext, TLSClientConfig: trust, TLSHandshakeTimeout: timeout,
		DisableKeepAlives: true, MaxResponseHeaderBytes: maxBody, OnProxyConnectResponse: refusedByProxy,
	}
	if config.Proxy != nil {
		t.transport.Proxy = config.Proxy
	}
	if config.Dial != nil {
		t.transport.DialContext = config.Dial
	}
	authenticated, err := rest.HTTPWrappersForConfig(config, t.transport)
	if err != nil {
		return nil, "the kubeconfig's credential cannot be used"
	}
	t.client = &http.Client{Transport: authenticated, CheckRedirect: stay}
	return t, ""
}

// stay follows no redirect: it would take the credential along.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// noteClientCertificate notes whether the server asks for the client certificate.
func (t *target) noteClientCertificate(trust *tls.Config) {
	present := trust.GetClientCertificate // what client-go sets when there is one
	if present == nil {
		return
	}
	trust.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		t.asked.Store(true)
		return present(info)
	}
}

// answer is what the server said.
type answer struct {
	path   string
	status int
	body   []byte
	date   time.Time
	// skew is how far the server's clock is ahead; nil: unknown
	skew *time.Duration
}

func (t *target) probe(ctx context.Context) Result {
	a, err := t.get(ctx, "/readyz")
	if err != nil && t.mayHaveRejected(err) {
		t.transport.TLSClientConfig.MaxVersion = tls.VersionTLS12
		if a, err = t.get(ctx, "/readyz"); err != nil && wrongVersion(err) {
			return Result{Probe: health.Probe{Cause: health.Untrusted, Message: fmt.Sprintf(
				"%s closes the connection once it has the kubeconfig's client certificate, and may not accept it%s", t.url.Host, t.expiry())}}
		}
	}
	if err == nil && a.status == http.StatusNotFound { // an API server from before 1.16
		a, err = t.get(ctx, "/healthz")
	}
	if err != nil {
		cause, message := t.explain(ctx, err)
		return Result{Probe: health.Probe{Cause: cause, Message: message}}
	}
	cause, message := t.judge(a)
	return Result{Probe: health.Probe{Cause: cause, Message: message, Skew: a.skew}, ServerTime: a.date}
}

func (t *target) get(ctx context.Context, path string) (answer, error) {
	t.stage.Store(connecting)
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, t.trace()), http.MethodGet, t.url.JoinPath(path).String(), nil)
	if err != nil {
		return answer{}, err
	}
	began := time.Now()
	response, err := t.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	ended := time.Now()
	t.stage.Store(reading)
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return answer{}, err
	}
	a := answer{path: path, status: response.StatusCode, body: body}
	if a.date, err = http.ParseTime(response.Header.Get("Date")); err == nil {
		a.skew = skew(a.date, began, ended)
	}
	return a, nil
}

// skew is how far a server's clock is ahead of ours, by the whole second that it was when it answered, somewhere between
// two of our times; 0 if that explains it all.
func skew(date, began, ended time.Time) *time.Duration {
	uncertain := ended.Sub(began)/2 + 500*time.Millisecond
	found := date.Add(500 * time.Millisecond).Sub(began.Add(ended.Sub(began) / 2))
	if found.Abs() <= uncertain {
		found = 0
	}
	found = found.Round(time.Second)
	return &found
}

// The stages of a request.
const (
	connecting int32 = iota
	handshaking
	asking
	waiting
	reading
)

// trace notes how far a request got, for the words about one that took too long.
func (t *target) trace() *httptrace.ClientTrace {
	reach := func(stage int32) {
		for {
			if now := t.stage.Load(); now >= stage || t.stage.CompareAndSwap(now, stage) {
				return
			}
		}
	}
	return &httptrace.ClientTrace{
		TLSHandshakeStart: func() { reach(handshaking) },
		GotConn:           func(httptrace.GotConnInfo) { reach(asking) },
		WroteRequest:      func(httptrace.WroteRequestInfo) { reach(waiting) },
	}
}

// refusedByProxy keeps what a proxy answered instead of a connection.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		return proxyAnswer(response.StatusCode)
	}
	return nil
}

// proxyAnswer is the status code with which a proxy refused to connect.
type proxyAnswer int

func (a proxyAnswer) Error() string {
	return fmt.Sprintf("the proxy answers %d %s", int(a), http.StatusText(int(a)))
}
