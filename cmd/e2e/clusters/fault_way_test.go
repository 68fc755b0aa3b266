// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// way is a proxy between the hub and a member: as good as the member itself until it is told otherwise.
type way struct {
	t       *testing.T
	address string
	forward *httputil.ReverseProxy
	ca      *issuer
	watches atomic.Int64 // that were let through
	passed  atomic.Int64 // requests

	delay  atomic.Int64 // of every answer
	skew   atomic.Int64 // of the clock in every answer
	broken atomic.Bool  // every answer is a 500
	shown  atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	server *http.Server // nil: connections are refused
}

// newWay leads the hub's connection to a member through a proxy until the test ends.
func (s *scene) newWay(name string) *way {
	s.t.Helper()
	m := s.members[name]
	to, err := url.Parse(m.RESTConfig.Host)
	require.NoError(s.t, err)
	trust, err := rest.TLSConfigFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: m.RESTConfig.CAData}})
	require.NoError(s.t, err)
	w := &way{t: s.t, ca: newIssuer(s.t)}
	w.forward = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:      &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true},
		FlushInterval:  -1,
		ModifyResponse: w.answer,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	w.show(w.ca.issue(s.t, time.Now().Add(time.Hour)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	w.address = listener.Addr().String()
	w.serve(listener)
	s.t.Cleanup(func() { w.close() })
	user := m.kubeconfig.AuthInfos[account]
	s.breaks(
		func(ctx context.Context) error {
			return s.keep(ctx, name, kubeconfig("https://"+w.address, w.ca.pem, user.Token))
		},
		func(ctx context.Context) error { return s.keep(ctx, name, m.kubeconfig) })
	stacktest.Eventually(s.t, "the hub comes this way", func() error {
		if w.watches.Load() < 4 || w.passed.Load() < 10 { // nodes, pods, deployments and statefulsets
			return errors.New("it does not")
		}
		return nil
	})
	s.is(name, v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.reason(v1alpha1.FederatedDivided)
	return w
}

func (w *way) serve(listener net.Listener) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server = &http.Server{
		Handler: w, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), // that the hub does not trust us is expected
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*w.shown.Load()}, NextProtos: []string{"h2", "http/1.1"}}, nil
		}},
	}
	go w.server.ServeTLS(listener, "", "") //nolint:errcheck // it ends with close
}

// close refuses connections, and breaks those off that there are.
func (w *way) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.server != nil {
		_ = w.server.Close() // nothing can be done about it
		w.server = nil
	}
}

// open takes connections again.
func (w *way) open(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", w.address)
	if err == nil {
		w.serve(listener)
	}
	return err
}

// show changes the certificate, which new connections see: those that there are end.
func (w *way) show(certificate tls.Certificate) { w.shown.Store(&certificate) }

func (w *way) reopen(ctx context.Context) error {
	w.close()
	return w.open(ctx)
}

// ServeHTTP implements http.Handler.
func (w *way) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if w.broken.Load() {
		http.Error(out, "the disk is full", http.StatusInternalServerError)
		return
	}
	w.forward.ServeHTTP(out, r)
}

// answer changes what the member has answered: it has acted by then.
func (w *way) answer(r *http.Response) error {
	if delay := time.Duration(w.delay.Load()); delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Request.Context().Done():
			return r.Request.Context().Err()
		}
	}
	if skew := time.Duration(w.skew.Load()); skew != 0 {
		r.Header.Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
	}
	w.passed.Add(1)
	if r.Request.URL.Query().Get("watch") != "" && r.StatusCode == http.StatusOK {
		w.watches.Add(1)
	}
	return nil
}

// issuer issues serving certificates.
type issuer struct {
	pem         []byte
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "way"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	var err error
	i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	raw, err := x509.CreateCertificate(rand.Reader, i.certificate, i.certificate, &i.key.PublicKey, i.key)
	require.NoError(t, err)
	i.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	return i
}

// issue makes a certificate for loopback that is valid until a time.
func (i *issuer) issue(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "member"}, NotBefore: until.Add(-2 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, i.certificate, &key.PublicKey, i.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}
