// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"fmt"
	"time"
)

// The keys of the Secret. The first three are those that everybody expects in a TLS Secret.
const (
	keyServingCert = "tls.crt"
	keyServingKey  = "tls.key"
	keyTrusted     = "ca.crt" // what the bundles should be
	keyNextCert    = "next.crt"
	keyNextKey     = "next.key"
	keySince       = "since" // RFC 3339
)

// state is what the Secret says. Since is, while there is a next pair, when every bundle was first seen with its CA
// (zero: not yet); otherwise when the serving pair came into force.
type state struct {
	serving, next pair
	trusted       []*x509.Certificate
	since         time.Time
}

// readState reads a Secret. What cannot be used is left out and named in problems; an empty Secret has none.
func readState(data map[string][]byte, names []string, now time.Time) (s state, problems []string) {
	for _, ca := range parseCertificates(data[keyTrusted]) {
		if ca.IsCA && now.Before(ca.NotAfter) {
			s.trusted = append(s.trusted, ca)
		}
	}
	read := func(certKey, keyKey string) pair {
		if len(data[certKey]) == 0 && len(data[keyKey]) == 0 {
			return pair{}
		}
		p, err := parsePair(data[certKey], data[keyKey], s.trusted, names, now)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s cannot be used: %v", certKey, err))
		}
		return p
	}
	s.serving = read(keyServingCert, keyServingKey)
	s.next = read(keyNextCert, keyNextKey)
	if text := data[keySince]; len(text) > 0 {
		since, err := time.Parse(time.RFC3339Nano, string(text))
		if err != nil || since.After(now.Add(skew)) {
			problems = append(problems, fmt.Sprintf("%s is not a time in the past: %.40q", keySince, text))
			since = time.Time{}
		}
		s.since = since
	}
	return s, problems
}

// data is the Secret's content for the state.
func (s state) data() map[string][]byte {
	data := map[string][]byte{
		keyServingCert: s.serving.cert,
		keyServingKey:  s.serving.key,
		keyTrusted:     s.bundle(),
	}
	if s.next.leaf != nil {
		data[keyNextCert], data[keyNextKey] = s.next.cert, s.next.key
	}
	if !s.since.IsZero() {
		data[keySince] = []byte(s.since.UTC().Format(time.RFC3339Nano))
	}
	return data
}

// bundle is what every caBundle should be.
func (s state) bundle() []byte { return encode(s.trusted...) }
