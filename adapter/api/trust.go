// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
)

// handshakeTimeout bounds the look at our own listener.
const handshakeTimeout = time.Second

// proxyTrust is the readiness check that callers who come through the API server are recognised. The generic API server
// learns the front proxy's CA from the cluster in the background and hands it to the listener later still: until then every
// read would be refused as system:anonymous, from a server that calls itself ready.
type proxyTrust struct {
	proxy   *authenticatorfactory.RequestHeaderConfig
	address string
	tls     *tls.Config
	seen    atomic.Bool // once is enough: a CA that changes later is taken over without a gap
}

// addProxyTrust adds the check, if there is a front proxy to trust.
func addProxyTrust(c *genericapiserver.Config) error {
	if c.Authentication.RequestHeaderConfig == nil || c.LoopbackClientConfig == nil {
		return nil
	}
	host, err := url.Parse(c.LoopbackClientConfig.Host)
	if err != nil {
		return fmt.Errorf("reading the server's own address: %w", err)
	}
	config, err := rest.TLSConfigFor(c.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("reading the server's own certificate: %w", err)
	}
	c.AddReadyzChecks(&proxyTrust{proxy: c.Authentication.RequestHeaderConfig, address: host.Host, tls: config})
	return nil
}

// Name implements healthz.HealthChecker.
func (p *proxyTrust) Name() string { return "front-proxy" }

// Check implements healthz.HealthChecker.
func (p *proxyTrust) Check(r *http.Request) error {
	if p.seen.Load() {
		return nil
	}
	cas, err := certutil.ParseCertsPEM(p.proxy.CAContentProvider.CurrentCABundleContent())
	if err != nil || len(p.proxy.UsernameHeaders.Value()) == 0 {
		return errors.New("the front proxy's CA and headers are not known yet; they are in ConfigMap kube-system/extension-apiserver-authentication")
	}
	accepted, err := p.accepted(r.Context())
	if err != nil {
		return fmt.Errorf("looking at the server's own listener: %w", err)
	}
	for _, ca := range cas {
		if !names(accepted, ca) {
			return fmt.Errorf("the listener does not accept certificates of the front proxy's CA %q yet", ca.Subject)
		}
	}
	p.seen.Store(true)
	return nil
}

// accepted are the CAs, as their names in DER, of which the listener takes client certificates.
func (p *proxyTrust) accepted(ctx context.Context) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	var accepted [][]byte
	config := p.tls.Clone()
	config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		accepted = asked.AcceptableCAs
		return &tls.Certificate{}, nil
	}
	connection, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	return accepted, connection.Close()
}

func names(subjects [][]byte, ca *x509.Certificate) bool {
	for _, s := range subjects {
		if bytes.Equal(s, ca.RawSubject) {
			return true
		}
	}
	return false
}
