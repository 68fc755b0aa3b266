// SPDX-License-Identifier: Apache-2.0

package probe_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/scaler/members/probe"
)

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
