// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	certutil "k8s.io/client-go/util/cert"
)

// laterCA is a CA that is not known at first.
type laterCA struct {
	dynamiccertificates.CAContentProvider
	content []byte
}

func (l *laterCA) CurrentCABundleContent() []byte { return l.content }

func TestReadyOnlyWhenTheListenerKnowsTheFrontProxy(t *testing.T) {
	pem, err := os.ReadFile(newFrontProxy(t).ca)
	require.NoError(t, err)
	cas, err := certutil.ParseCertsPEM(pem)
	require.NoError(t, err)
	var accept atomic.Bool
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		config := &tls.Config{Certificates: server.TLS.Certificates, ClientAuth: tls.RequestClientCert}
		if accept.Load() {
			config.ClientCAs = x509.NewCertPool()
			config.ClientCAs.AddCert(cas[0])
		}
		return config, nil
	}}
	server.StartTLS()
	defer server.Close()
	ca := &laterCA{}
	p := &proxyTrust{
		proxy: &authenticatorfactory.RequestHeaderConfig{
			CAContentProvider: ca, UsernameHeaders: headerrequest.StaticStringSlice{"X-Remote-User"},
		},
		address: server.Listener.Addr().String(), tls: server.Client().Transport.(*http.Transport).TLSClientConfig,
	}
	probe := httptest.NewRequest(http.MethodGet, "/readyz", nil)
	require.ErrorContains(t, p.Check(probe), "not known yet")
	ca.content = pem
	// A handshake may be too slow for a probe.
	require.Eventually(t, func() bool {
		err := p.Check(probe)
		return err != nil && strings.Contains(err.Error(), "does not accept certificates of the front proxy")
	}, time.Minute, time.Millisecond)
	accept.Store(true)
	require.Eventually(t, func() bool { return p.Check(probe) == nil }, time.Minute, time.Millisecond)
	server.Close()
	require.NoError(t, p.Check(probe), "once is enough")
}
