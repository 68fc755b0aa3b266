// SPDX-License-Identifier: Apache-2.0

//go:build faults

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
)

// The serving certificate is replaced under load, from the new CA's first day to the old one's last: no read fails. A
// certificate of 90 days is due for renewal where certificates are to last for 300: a third of that is left.
func TestFaultCertificateRotation(t *testing.T) {
	s := newStage(t)
	before := s.secret(t)
	reads := s.read(t, 4, 5*time.Millisecond)
	s.restartInOrder(t, "--certificate-validity=7200h", "--certificate-propagation=5s", "--certificate-grace=10s")
	after := before
	stacktest.Eventually(t, "a new certificate in the Secret", func() error {
		after = s.secret(t)
		if bytes.Equal(after.Data[corev1.TLSCertKey], before.Data[corev1.TLSCertKey]) {
			return errors.New("the old one is there")
		}
		return nil
	})
	s.serves(t, after.Data[corev1.TLSCertKey])
	stacktest.Eventually(t, "the old CA's end", func() error {
		after = s.secret(t)
		if n := bytes.Count(after.Data["ca.crt"], []byte("BEGIN CERTIFICATE")); n != 1 {
			return fmt.Errorf("%d CAs are trusted", n)
		}
		return s.bundlesAre(after.Data["ca.crt"])
	})
	s.goesOnFor(t, reads, 2*time.Second)
	reads.stop()
	require.Empty(t, reads.since(time.Time{}, failed), "reads that failed")
	s.stillScales(t)
}

// A user empties the Secret: there is a new certificate, and reads come back by themselves.
func TestFaultCertificateLost(t *testing.T) {
	s := newStage(t)
	before := s.secret(t)
	reads := s.read(t, 2, 50*time.Millisecond)
	emptied := before.DeepCopy()
	emptied.Data = nil
	_, err := s.cluster.CoreV1().Secrets(stack.Namespace).Update(t.Context(), emptied, metav1.UpdateOptions{})
	require.NoError(t, err)
	stacktest.Eventually(t, "a new certificate in the Secret", func() error {
		if got := s.secret(t).Data[corev1.TLSCertKey]; len(got) == 0 || bytes.Equal(got, before.Data[corev1.TLSCertKey]) {
			return errors.New("there is none")
		}
		return nil
	})
	s.serves(t, s.secret(t).Data[corev1.TLSCertKey])
	require.NoError(t, s.WaitAvailable(t.Context()))
	s.isWell(t)
	require.NoError(t, s.bundlesAre(s.secret(t).Data["ca.crt"]))
	reads.stop()
	s.stillScales(t)
}

func (s *stage) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret, err := s.cluster.CoreV1().Secrets(stack.Namespace).Get(t.Context(), "plimsoll-adapter-tls", metav1.GetOptions{})
	require.NoError(t, err)
	return secret
}

// serves waits until every replica serves this certificate.
func (s *stage) serves(t *testing.T, want []byte) {
	t.Helper()
	block, _ := pem.Decode(want)
	require.NotNil(t, block)
	for _, name := range adapterNames() {
		stacktest.Eventually(t, "the new certificate at "+name, func() error {
			dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it is compared below
			connection, err := dialer.DialContext(t.Context(), "tcp", s.AdapterAddress(name))
			if err != nil {
				return err
			}
			defer func() { _ = connection.Close() }()
			served := connection.(*tls.Conn).ConnectionState().PeerCertificates[0]
			if !bytes.Equal(served.Raw, block.Bytes) {
				return fmt.Errorf("it serves number %s", served.SerialNumber)
			}
			return nil
		})
	}
}

// bundlesAre returns nil if every APIService that leads to the adapters trusts just these CAs.
func (s *stage) bundlesAre(want []byte) error {
	client, err := aggregator.NewForConfig(s.RESTConfig)
	if err != nil {
		return err
	}
	services, err := client.ApiregistrationV1().APIServices().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, service := range services.Items {
		if to := service.Spec.Service; to != nil && to.Name == stack.Adapter && !bytes.Equal(service.Spec.CABundle, want) {
			return fmt.Errorf("APIService %s trusts other CAs", service.Name)
		}
	}
	return nil
}

// restartInOrder replaces the replicas one after the other by ones with further flags, until the test ends.
func (s *stage) restartInOrder(t *testing.T, flags ...string) {
	t.Helper()
	t.Cleanup(func() {
		for _, name := range adapterNames() {
			require.NoError(t, s.KillAdapter(name))
		}
		s.startMissing(t)
	})
	for _, name := range adapterNames() {
		s.stopInOrder(t, name)
		require.NoError(t, s.StartAdapter(t.Context(), name, flags...))
	}
}
