// SPDX-License-Identifier: Apache-2.0

package source

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// address is what may say where something is: URLs, hosts with ports, IP addresses, names that were looked up.
var address = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^\s"'<>]+` +
	`|\blookup [^\s:]+( on [^\s]+:\d+)?` +
	`|\[[0-9a-f.]*:[0-9a-z:.%]*\](:\d+)?` +
	`|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b` +
	`|\b[a-z0-9-]+(\.[a-z0-9-]+)+:\d+\b`)

// naming is what a source is called. One that has a name of its own tells nobody its address, in whatever words of whom: its
// errors come to those who may read no more than a rule's status.
type naming struct {
	name string
	base *url.URL // nil: the name tells the address anyway
}

func (o Options) naming(base *url.URL, prefix string) naming {
	if o.Name != "" {
		return naming{name: o.Name, base: base}
	}
	return naming{name: prefix + base.String()}
}

// failed adds the cause to an error that has none yet, and leaves out the address.
func (n naming) failed(ctx context.Context, err error) error {
	return n.discreet(transportError(ctx, n.name, err))
}

func (n naming) discreet(err error) error {
	if n.base == nil || err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var other x509.HostnameError // has all names of the certificate
	if errors.As(err, &other) {
		return &discreet{full: err, text: fmt.Sprintf("%v: %s: its certificate is for another name than that in its URL", ErrUnreachable, n.name)}
	}
	text := address.ReplaceAllString(err.Error(), "...")
	if host := n.base.Hostname(); strings.Contains(host, ".") && !strings.Contains(n.name, host) {
		text = strings.ReplaceAll(text, host, "...")
	}
	return &discreet{full: err, text: text}
}

// discreet is an error that does not say where its source is.
type discreet struct {
	full error
	text string
}

func (d *discreet) Error() string { return d.text }
func (d *discreet) Unwrap() error { return d.full }

// Detail is an error with the addresses that it does not tell everybody, for logs and for those who may read where the sources
// are.
func Detail(err error) string {
	var d *discreet
	if errors.As(err, &d) {
		return d.full.Error()
	}
	return err.Error()
}
