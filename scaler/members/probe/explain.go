// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/plimsoll/plimsoll/policy/health"
)

// lacking are errors of the hub itself: they say nothing of the member.
var lacking = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.EPERM, syscall.EACCES, syscall.ENETDOWN,
}

// mayHaveRejected is whether a connection that broke off may have been the server's no to our certificate: with TLS 1.3
// we learn that only after the handshake, and the reset of a server that closes at once can overtake it. With TLS 1.2 the
// answer comes within the handshake.
func (t *target) mayHaveRejected(err error) bool {
	return t.asked.Load() && t.stage.Load() >= asking && brokeOff(err)
}

// wrongVersion: the server wants TLS 1.3, so nothing more can be found out.
func wrongVersion(err error) bool {
	operation := (*net.OpError)(nil)
	return errors.As(err, &operation) && operation.Op == "remote error" && strings.Contains(operation.Err.Error(), "protocol version")
}

// closedEarly is what net/http says of a connection that the server closed before the request was on its way. It has no type.
const closedEarly = "http: server closed idle connection"

func brokeOff(err error) bool {
	return last(err).Error() == closedEarly ||
		slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed}, func(e error) bool { return errors.Is(err, e) })
}

// explain says what a request without an answer means.
func (t *target) explain(ctx context.Context, err error) (health.Cause, string) {
	for _, e := range lacking {
		if errors.Is(err, e) {
			return health.NotProbed, fmt.Sprintf("the hub cannot open a connection to %s: %s", t.url.Host, e)
		}
	}
	var refused proxyAnswer
	if errors.As(err, &refused) {
		return t.explainProxy(refused)
	}
	server := t.url.Host
	if operation := (*net.OpError)(nil); errors.As(err, &operation) && (operation.Op == "proxyconnect" || operation.Op == "socks connect") {
		server += " through its proxy"
		if strings.Contains(last(err).Error(), "authentication") { // SOCKS has no type for it
			return health.Unauthorized, fmt.Sprintf("no connection to %s, which refuses the credential in proxy-url: renew it", server)
		}
	}
	if message := t.distrust(server, err); message != "" {
		return health.Untrusted, message
	}
	return t.unreachable(ctx, server, err)
}

func (t *target) explainProxy(refused proxyAnswer) (health.Cause, string) {
	switch int(refused) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return health.Unauthorized, fmt.Sprintf("%s to a connection to %s: renew the proxy's credential, or let it through", refused, t.url.Host)
	}
	return health.Unreachable, fmt.Sprintf("%s to a connection to %s", refused, t.url.Host)
}

// distrust is what is wrong with the server's certificate or, for the server, with ours; "": nothing.
func (t *target) distrust(server string, err error) string {
	var (
		unverified *tls.CertificateVerificationError
		unknown    x509.UnknownAuthorityError
		invalid    x509.CertificateInvalidError
		misnamed   x509.HostnameError
		noTLS      tls.RecordHeaderError
		operation  *net.OpError
	)
	switch {
	case errors.As(err, &unknown):
		if len(t.config.CAData) == 0 {
			return fmt.Sprintf("the certificate of %s is of an authority that the hub's system does not trust: put the CA in certificate-authority-data", server)
		}
		return fmt.Sprintf("the certificate of %s is not of the authority in certificate-authority-data: renew the one or the other", server)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return outOfTime(server, invalid.Cert)
	case errors.As(err, &misnamed):
		return fmt.Sprintf("the certificate of %s is for other names: set tls-server-name to one of them", server)
	case errors.As(err, &unverified):
		return fmt.Sprintf("the certificate of %s cannot be verified: renew it", server)
	case errors.As(err, &noTLS), errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Sprintf("%s does not speak TLS: look at what listens there", server)
	case errors.As(err, &operation) && operation.Op == "remote error": // a TLS alert
		return fmt.Sprintf("%s broke TLS off: %s%s", server, strings.TrimPrefix(operation.Err.Error(), "tls: "), t.expiry())
	case strings.HasPrefix(last(err).Error(), "tls: "): // what crypto/tls finds itself, as of versions, has no type
		return fmt.Sprintf("TLS with %s fails: %s", server, strings.TrimPrefix(last(err).Error(), "tls: "))
	}
	return ""
}

// last is the innermost error.
func last(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func outOfTime(server string, certificate *x509.Certificate) string {
	if certificate == nil || time.Now().Before(certificate.NotBefore) {
		return fmt.Sprintf("the certificate of %s is not valid yet: compare the clocks", server)
	}
	return fmt.Sprintf("the certificate of %s expired at %s: renew it", server, certificate.NotAfter.UTC().Format(time.RFC3339))
}

// expiry says so if our own certificate has expired.
func (t *target) expiry() string {
	pair, err := tls.X509KeyPair(t.config.CertData, t.config.KeyData)
	if err != nil || pair.Leaf == nil || !time.Now().After(pair.Leaf.NotAfter) {
		return ""
	}
	return "; the kubeconfig's client certificate expired at " + pair.Leaf.NotAfter.UTC().Format(time.RFC3339)
}

// unreachable says how far the probe got. It takes the errors' own words only where these are always the same.
func (t *target) unreachable(ctx context.Context, server string, err error) (health.Cause, string) {
	var (
		name    *net.DNSError
		number  syscall.Errno
		timeout net.Error
	)
	switch {
	case errors.As(err, &name):
		return health.Unreachable, fmt.Sprintf("no connection to %s: its name cannot be resolved", server)
	case ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout():
		return health.Unreachable, t.tooLate(server)
	case brokeOff(err):
		return health.Unreachable, fmt.Sprintf("the connection to %s was reset or closed before there was an answer", server)
	case errors.As(err, &number):
		return health.Unreachable, fmt.Sprintf("no connection to %s: %s", server, number)
	case t.stage.Load() < asking:
		return health.Unreachable, "no connection to " + server
	}
	return health.Unhealthy, fmt.Sprintf("%s answers with something else than HTTP", server)
}

func (t *target) tooLate(server string) string {
	switch t.stage.Load() {
	case connecting:
		return fmt.Sprintf("no connection to %s within %s", server, t.timeout)
	case handshaking:
		return fmt.Sprintf("%s takes connections and does not end the TLS handshake within %s", server, t.timeout)
	case reading:
		return fmt.Sprintf("%s did not end its answer within %s", server, t.timeout)
	}
	return fmt.Sprintf("%s takes requests and does not answer within %s", server, t.timeout)
}
