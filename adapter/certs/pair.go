// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
)

// skew is how far the clocks of API server and adapter may differ.
const skew = time.Hour

// pair is a serving certificate with its private key and the CA that signed it. A pair without a leaf is none.
type pair struct {
	cert, key []byte // PEM
	leaf, ca  *x509.Certificate
}

// mint makes a pair and a CA for it alone; the CA's key is not kept.
func mint(names []string, now time.Time, validity time.Duration) (pair, error) {
	maker := &rotator.CertRotator{
		// A name of its own: two CAs of one name and serial number confuse verifiers.
		CAName:         fmt.Sprintf("ca-%d.%s", now.UnixNano(), names[0]),
		CAOrganization: "plimsoll",
		DNSName:        names[0],
		ExtraDNSNames:  names[1:],
		ExtKeyUsages:   &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	ca, err := maker.CreateCACert(now.Add(-skew), now.Add(validity))
	if err != nil {
		return pair{}, fmt.Errorf("make a CA: %w", err)
	}
	cert, key, err := maker.CreateCertPEM(ca, now.Add(-skew), now.Add(validity))
	if err != nil {
		return pair{}, fmt.Errorf("make a serving certificate: %w", err)
	}
	return parsePair(cert, key, []*x509.Certificate{ca.Cert}, names, now)
}

// parsePair reads a pair and makes sure that it can be served now: key and certificate belong together, it has all the names, it
// is valid, and one of the CAs has signed it.
func parsePair(cert, key []byte, cas []*x509.Certificate, names []string, now time.Time) (pair, error) {
	parsed := parseCertificates(cert)
	if len(parsed) != 1 {
		return pair{}, fmt.Errorf("it has %d certificates where one is expected", len(parsed))
	}
	leaf := parsed[0]
	for _, ca := range cas {
		if leaf.CheckSignatureFrom(ca) != nil {
			continue
		}
		for _, name := range names {
			usages := &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			if _, err := rotator.ValidCert(encode(ca), cert, key, name, usages, now); err != nil {
				return pair{}, err
			}
		}
		return pair{cert: cert, key: key, leaf: leaf, ca: ca}, nil
	}
	return pair{}, errors.New("none of the CAs beside it has signed it")
}

// parseCertificates reads the certificates of a PEM text and leaves out whatever else it holds.
func parseCertificates(text []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return all
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			all = append(all, cert)
		}
	}
}

// encode writes certificates as PEM, in their order.
func encode(certs ...*x509.Certificate) []byte {
	var text bytes.Buffer
	for _, cert := range certs {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	return text.Bytes()
}
