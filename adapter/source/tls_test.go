// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// pair makes a self-signed certificate for servers and clients: the parsed one, and certificate and key as PEM.
func pair(t *testing.T) (tls.Certificate, []byte, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	p, err := tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(t, err)
	return p, certPEM, keyPEM
}

func TestCertificatesAreVerifiedAndReadAgain(t *testing.T) {
	served, ca, _ := pair(t)
	_, otherCA, _ := pair(t)
	clientPair, clientCert, clientKey := pair(t)
	clients := x509.NewCertPool()
	clients.AddCert(clientPair.Leaf)

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(one)) }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{served}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}

	require.ErrorContains(t, evaluate(t, remote(t, source.Options{URL: server.URL})), "certificate cannot be verified")

	r := remote(t, source.Options{URL: server.URL, CAFile: file("ca", otherCA), CertFile: file("cert", clientCert), KeyFile: file("key", clientKey)})
	err := evaluate(t, r)
	require.ErrorIs(t, err, source.ErrUnreachable)
	require.ErrorContains(t, err, "certificate cannot be verified")
	file("ca", ca)
	require.NoError(t, evaluate(t, r))

	wrongName := remote(t, source.Options{URL: server.URL, CAFile: file("ca", ca), ServerName: "prometheus.other"})
	require.ErrorContains(t, evaluate(t, wrongName), "prometheus.other")

	_, strangerCert, strangerKey := pair(t)
	file("cert", strangerCert)
	file("key", strangerKey)
	require.ErrorIs(t, evaluate(t, r), source.ErrUnreachable, "the client certificate was read again, and is not trusted")
	file("cert", clientCert)
	file("key", clientKey)
	require.NoError(t, evaluate(t, r))
}
