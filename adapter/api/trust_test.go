// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

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
	pool := x509.NewCertPool()
	var accept bool
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		config := &tls.Config{Certificates: server.TLS.Certificates, ClientAuth: tls.RequestClientCert}
		if accept {
			pool.AddCert(cas[0])
			config.ClientCAs = pool
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
	require.ErrorContains(t, p.Check(probe), "does not accept certificates of the front proxy")
	accept = true
	require.NoError(t, p.Check(probe))
	server.Close()
	require.NoError(t, p.Check(probe), "once is enough")
}
