// SPDX-License-Identifier: Apache-2.0

//go:build faults

package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	certutil "k8s.io/client-go/util/cert"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// liar stands in front of a Prometheus with TLS and falsifies what it says.
type liar struct {
	server    *httptest.Server
	forward   *httputil.ReverseProxy
	untrusted tls.Certificate

	mu  sync.Mutex
	lie lie
}

// lie is one way not to tell the truth; the zero value is the truth.
type lie struct {
	name    string
	reason  string // what the rule's status says of it
	words   string // in the message
	handle  http.HandlerFunc
	change  func([]byte) []byte
	foreign bool // another certificate
}

func newLiar(t *testing.T, prometheus string) *liar {
	t.Helper()
	target, err := url.Parse(prometheus)
	require.NoError(t, err)
	l := &liar{}
	l.forward = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Header.Del("Accept-Encoding") },
		ModifyResponse: l.falsify,
	}
	certificate, key, err := certutil.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	require.NoError(t, err)
	l.untrusted, err = tls.X509KeyPair(certificate, key)
	require.NoError(t, err)
	l.server = httptest.NewUnstartedServer(l)
	l.server.TLS = &tls.Config{GetConfigForClient: l.configuration}
	l.server.StartTLS()
	t.Cleanup(l.server.Close)
	return l
}

// tell makes the liar tell this lie from now on, also to those who are connected.
func (l *liar) tell(it lie) {
	l.mu.Lock()
	l.lie = it
	l.mu.Unlock()
	l.server.CloseClientConnections()
}

func (l *liar) current() lie {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lie
}

// caFile is what the honest certificate is verified against.
func (l *liar) caFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.server.Certificate().Raw}), 0o600))
	return file
}

// configuration is nil for the server's own certificate.
func (l *liar) configuration(*tls.ClientHelloInfo) (*tls.Config, error) {
	if !l.current().foreign {
		return nil, nil
	}
	return &tls.Config{Certificates: []tls.Certificate{l.untrusted}}, nil
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handle := l.current().handle; handle != nil {
		handle(w, r)
		return
	}
	l.forward.ServeHTTP(w, r)
}

func (l *liar) falsify(r *http.Response) error {
	change := l.current().change
	if change == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	body = change(body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// lies are told one after the other.
func lies() []lie {
	return []lie{
		{name: "HTTP 500", reason: v1alpha1.ReasonSourceFailed, words: "HTTP 500", handle: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "out of memory", http.StatusInternalServerError)
		}},
		{name: "truncated JSON", reason: v1alpha1.ReasonBadAnswer, words: "cannot be read", change: func(body []byte) []byte {
			return body[:len(body)*2/3]
		}},
		{name: "partial answer", reason: v1alpha1.ReasonPartialAnswer, words: "one of two stores is away", change: warn},
		{name: "wrong certificate", reason: v1alpha1.ReasonSourceUnreachable, words: "certificate", foreign: true},
		{name: "slow", reason: v1alpha1.ReasonTimedOut, words: "did not answer in time", handle: func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client leaves
			<-r.Context().Done()
		}},
		{name: "redirect", reason: v1alpha1.ReasonSourceUnreachable, words: "redirects", handle: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		}},
	}
}

// warn halves the answer, as a store that is away would, and says so as Thanos does.
func warn(body []byte) []byte {
	var answer struct {
		Status string `json:"status"`
		Data   struct {
			ResultType string            `json:"resultType"`
			Result     []json.RawMessage `json:"result"`
		} `json:"data"`
		Warnings []string `json:"warnings"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return body // which the test notices: the lie is not told
	}
	answer.Data.Result = answer.Data.Result[:len(answer.Data.Result)/2]
	answer.Warnings = []string{"one of two stores is away"}
	changed, err := json.Marshal(answer)
	if err != nil {
		return body
	}
	return changed
}

// The source lies in several ways. Each has its own name in the rule's status; the last good value is served until maxAge,
// then errors are; replicas stay.
func TestFaultPrometheusLies(t *testing.T) {
	s := newStage(t)
	l := newLiar(t, s.PrometheusURL)
	s.restartAdapters(t, l.server.URL, "--prometheus-ca-file="+l.caFile(t))
	for _, it := range lies() {
		t.Run(it.name, func(t *testing.T) {
			for _, rule := range []string{s.users, s.orders} {
				s.says(t, "", rule, v1alpha1.ReasonWorking, "")
			}
			require.NoError(t, s.hasValues())
			reads := s.read(t, 2, 50*time.Millisecond)
			begin := time.Now()
			defer l.tell(lie{})
			l.tell(it)
			told := time.Now()
			for _, rule := range []string{s.users, s.orders} {
				s.says(t, "", rule, it.reason, it.words)
			}
			time.Sleep(time.Until(told.Add(maxAge + 2*time.Second))) // long enough for reads without a value
			require.NotEmpty(t, reads.since(begin, succeeded), "the last good values are served for a while")
			reads.requireErrorsSince(t, told.Add(maxAge+time.Second), it.words)
			l.tell(lie{})
			s.comesBack(t, s.realSource)
			reads.requireAnswered(t)
		})
	}
	s.stillScales(t)
}
