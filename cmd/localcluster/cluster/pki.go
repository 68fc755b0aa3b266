// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity is how long certificates last: longer than any local cluster lives.
const validity = 365 * 24 * time.Hour

// authority is a certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// subject is whom a certificate is for.
type subject struct {
	file   string
	name   string
	groups []string
	// hosts are DNS names and addresses; a certificate with hosts is a server's.
	hosts []string
}

// writePKI creates everything in the folder pki that the components need to trust each other: the
// cluster's authority, the front proxy's authority (which only signs what the aggregator shows to
// extension API servers), and the key that service account tokens are signed with.
func (s *State) writePKI() error {
	dir := s.path("pki")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the folder for certificates: %w", err)
	}
	loopback := []string{"localhost", "127.0.0.1"}
	inCluster := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "10.96.0.1"}
	err := errors.Join(
		writeFamily(dir, "ca", s.Options.Name+"-ca", []subject{
			{file: "apiserver", name: "kube-apiserver", hosts: append(inCluster, loopback...)},
			{file: "serving", name: "localhost", hosts: loopback},
			{file: "admin", name: "kubernetes-admin", groups: []string{"system:masters"}},
			{file: "kwok", name: "kwok", groups: []string{"system:masters"}},
			{file: "kube-controller-manager", name: "system:kube-controller-manager"},
			{file: "kube-scheduler", name: "system:kube-scheduler"},
		}),
		writeFamily(dir, "front-proxy-ca", s.Options.Name+"-front-proxy-ca", []subject{
			{file: "front-proxy-client", name: "front-proxy-client"},
		}),
		writeTokenKey(dir),
	)
	if err != nil {
		return fmt.Errorf("create certificates: %w", err)
	}
	return nil
}

// writeFamily creates an authority and the certificates that it signs.
func writeFamily(dir, file, name string, subjects []subject) error {
	ca, err := newAuthority(name)
	if err != nil {
		return err
	}
	problems := []error{writePair(dir, file, ca.certificate.Raw, ca.key)}
	for _, subject := range subjects {
		problems = append(problems, ca.issue(dir, subject))
	}
	return errors.Join(problems...)
}

func newAuthority(name string) (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := template(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate: certificate, key: key}, err
}

// issue writes a new key and certificate for the subject.
func (a *authority) issue(dir string, subject subject) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	template := template(subject.name)
	template.Subject.Organization = subject.groups
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, host := range subject.hosts {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePair(dir, subject.file, der, key)
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(uint64(now.UnixNano())),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(validity),
	}
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// writeTokenKey writes the key pair that signs and verifies service account tokens.
func writeTokenKey(dir string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return errors.Join(writeKey(dir, "service-account", key), writePEM(dir, "service-account.pub", "PUBLIC KEY", public))
}

func writePair(dir, file string, certificate []byte, key *ecdsa.PrivateKey) error {
	return errors.Join(writePEM(dir, file+".crt", "CERTIFICATE", certificate), writeKey(dir, file, key))
}

func writeKey(dir, file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(dir, file+".key", "EC PRIVATE KEY", der)
}

func writePEM(dir, file, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
