// SPDX-License-Identifier: Apache-2.0

package nodegroups

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// TLS is what both sides prove themselves with, in PEM: the authority of the server's certificate, and our certificate
// with its key. All empty is plaintext, which anybody on the way can read and change: it is for loopback addresses only.
type TLS struct {
	CA, Certificate, Key []byte
}

func (t TLS) empty() bool { return len(t.CA) == 0 && len(t.Certificate) == 0 && len(t.Key) == 0 }

func (t TLS) equal(other TLS) bool {
	return bytes.Equal(t.CA, other.CA) && bytes.Equal(t.Certificate, other.Certificate) && bytes.Equal(t.Key, other.Key)
}

func (t TLS) clone() TLS {
	return TLS{CA: bytes.Clone(t.CA), Certificate: bytes.Clone(t.Certificate), Key: bytes.Clone(t.Key)}
}

// credentials are those for an address.
func (t TLS) credentials(address string) (credentials.TransportCredentials, error) {
	host, port, err := net.SplitHostPort(address)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || host == "" || strings.ContainsAny(host, "/?#% ") {
		return nil, invalid("the node group server's address is %q: it must be host:port", address)
	}
	if t.empty() {
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			return nil, invalid("the node group server %s has no credentials: give an authority, a certificate and a key; "+
				"plaintext is for loopback addresses only", address)
		}
		return insecure.NewCredentials(), nil
	}
	for name, pem := range map[string][]byte{"authority": t.CA, "certificate": t.Certificate, "key": t.Key} {
		if len(pem) == 0 {
			return nil, invalid("the credentials for the node group server %s have no %s: all three are needed", address, name)
		}
	}
	pair, err := tls.X509KeyPair(t.Certificate, t.Key)
	if err != nil {
		return nil, invalid("the certificate and key for the node group server %s cannot be used: %w", address, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(t.CA) {
		return nil, invalid("the authority of the node group server %s is no PEM certificate", address)
	}
	return credentials.NewTLS(&tls.Config{
		ServerName: host, RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
	}), nil
}

// dialLoopback connects if localhost is what its name says.
func dialLoopback(ctx context.Context, address string) (net.Conn, error) {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s is no loopback address: plaintext does not leave this machine", address)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}
