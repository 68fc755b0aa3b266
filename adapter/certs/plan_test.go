// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

var (
	ourService = types.NamespacedName{Namespace: "plimsoll-system", Name: "plimsoll-adapter"}
	ourNames   = DNSNames(ourService)
	epoch      = time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC)
	limits     = Options{Validity: 90 * time.Hour, Propagation: 2 * time.Minute, Grace: time.Hour}
)

// quickMint is mint with elliptic keys, which are made in microseconds.
func quickMint(t require.TestingT, names []string, now time.Time, validity time.Duration) pair {
	sign := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		template.NotBefore, template.NotAfter = now.Add(-skew), now.Add(validity)
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return cert, key
	}
	ca, caKey := sign(&x509.Certificate{
		SerialNumber: big.NewInt(0), Subject: pkix.Name{CommonName: fmt.Sprint("ca-", now.UnixNano())},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	leaf, key := sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	p, err := parsePair(encode(leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), []*x509.Certificate{ca}, names, now)
	require.NoError(t, err)
	return p
}

func newState(t *testing.T) state {
	p := quickMint(t, ourNames, epoch, limits.Validity)
	return state{serving: p, trusted: []*x509.Certificate{p.ca}, since: epoch}
}

func bundlesOf(s state) map[string][]byte { return map[string][]byte{"a": s.bundle(), "b": s.bundle()} }

func TestPlan(t *testing.T) {
	steady := newState(t)
	renew := epoch.Add(60 * time.Hour)
	introduced, err := apply(steady, introduce, renew, func() (pair, error) { return quickMint(t, ourNames, renew, limits.Validity), nil })
	require.NoError(t, err)
	known, err := apply(introduced, markKnown, renew, nil)
	require.NoError(t, err)
	switched, err := apply(known, switchOver, renew.Add(2*time.Minute), nil)
	require.NoError(t, err)
	require.Equal(t, known.next, switched.serving)
	require.Len(t, switched.trusted, 2)
	retired, err := apply(switched, retire, renew.Add(2*time.Hour), nil)
	require.NoError(t, err)
	require.Equal(t, []*x509.Certificate{switched.serving.ca}, retired.trusted)

	tests := []struct {
		name    string
		s       state
		bundles map[string][]byte
		at      time.Time
		want    action
		publish int
		again   time.Time
	}{
		{"empty Secret", state{}, nil, epoch, replace, 0, time.Time{}},
		{"nothing to do", steady, bundlesOf(steady), epoch, nothing, 0, renew},
		{"no APIServices", steady, nil, epoch, nothing, 0, renew},
		{"bundles empty", steady, map[string][]byte{"a": nil, "b": steady.bundle()}, epoch, nothing, 1, renew},
		{"just before renewal", steady, bundlesOf(steady), renew.Add(-time.Nanosecond), nothing, 0, renew},
		{"renewal", steady, bundlesOf(steady), renew, introduce, 0, time.Time{}},
		{"bundles first", introduced, bundlesOf(steady), renew, nothing, 2, time.Time{}},
		{"bundles first, however late", introduced, bundlesOf(steady), renew.Add(20 * time.Hour), nothing, 2, time.Time{}},
		{"one bundle missing", introduced, map[string][]byte{"a": introduced.bundle(), "b": nil}, renew, nothing, 1, time.Time{}},
		{"bundles written", introduced, bundlesOf(introduced), renew, markKnown, 0, time.Time{}},
		{"on its way", known, bundlesOf(known), renew.Add(2*time.Minute - 1), nothing, 0, renew.Add(2 * time.Minute)},
		{"a bundle was overwritten", known, bundlesOf(steady), renew.Add(5 * time.Minute), markLost, 2, time.Time{}},
		{"arrived", known, bundlesOf(known), renew.Add(2 * time.Minute), switchOver, 0, time.Time{}},
		{"old CA stays", switched, bundlesOf(switched), renew.Add(62*time.Minute - 1), nothing, 0, renew.Add(62 * time.Minute)},
		{"old CA goes", switched, bundlesOf(switched), renew.Add(62 * time.Minute), retire, 0, time.Time{}},
		{"done", retired, bundlesOf(retired), renew.Add(2 * time.Hour), nothing, 0, renew.Add(60 * time.Hour)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := plan(test.s, test.bundles, test.at, limits)
			require.Equal(t, test.want, d.action)
			require.Len(t, d.publish, test.publish)
			require.WithinDuration(t, test.again, d.again, time.Second, "certificates count whole seconds")
		})
	}
}

// What is wrong with a Secret's content costs that content only.
func TestReadState(t *testing.T) {
	good := newState(t)
	good.next = quickMint(t, ourNames, epoch, limits.Validity)
	good.trusted = append(good.trusted, good.next.ca)
	otherNames := quickMint(t, []string{"somebody.else.svc"}, epoch, limits.Validity)
	stranger := quickMint(t, ourNames, epoch, limits.Validity)
	with := func(changes map[string][]byte) map[string][]byte {
		data := maps.Clone(good.data())
		maps.Copy(data, changes)
		return data
	}
	tests := []struct {
		name          string
		data          map[string][]byte
		at            time.Time
		serving, next bool
		trusted       int
		problems      int
	}{
		{"empty", nil, epoch, false, false, 0, 0},
		{"good", good.data(), epoch, true, true, 2, 0},
		{"expired", good.data(), epoch.Add(90*time.Hour + time.Second), false, false, 0, 2},
		{"from the future", good.data(), epoch.Add(-2 * time.Hour), false, false, 2, 3},
		{"garbage certificate", with(map[string][]byte{keyServingCert: []byte("\x00garbage")}), epoch, false, true, 2, 1},
		{"garbage key", with(map[string][]byte{keyServingKey: []byte("-----BEGIN EC PRIVATE KEY-----")}), epoch, false, true, 2, 1},
		{"key of another", with(map[string][]byte{keyServingKey: good.next.key}), epoch, false, true, 2, 1},
		{"key lost", with(map[string][]byte{keyServingKey: nil}), epoch, false, true, 2, 1},
		{"garbage CAs", with(map[string][]byte{keyTrusted: []byte("garbage")}), epoch, false, false, 0, 2},
		{"garbage between CAs", with(map[string][]byte{keyTrusted: append([]byte("x\n"), good.bundle()...)}), epoch, true, true, 2, 0},
		{"a leaf as CA", with(map[string][]byte{keyTrusted: encode(good.serving.leaf)}), epoch, false, false, 0, 2},
		{"garbage next", with(map[string][]byte{keyNextCert: []byte("garbage")}), epoch, true, false, 2, 1},
		{"garbage time", with(map[string][]byte{keySince: []byte("yesterday")}), epoch, true, true, 2, 1},
		{"other names", with(map[string][]byte{keyServingCert: otherNames.cert, keyServingKey: otherNames.key, keyTrusted: encode(otherNames.ca)}), epoch, false, false, 1, 2},
		{"signed by a stranger", with(map[string][]byte{keyServingCert: stranger.cert, keyServingKey: stranger.key}), epoch, false, true, 2, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, problems := readState(test.data, ourNames, test.at)
			require.Equal(t, test.serving, s.serving.leaf != nil)
			require.Equal(t, test.next, s.next.leaf != nil)
			require.Len(t, s.trusted, test.trusted)
			require.Len(t, problems, test.problems, "%v", problems)

			// Whatever was there, the next Secret can be served.
			d := plan(s, nil, test.at, limits)
			if test.serving {
				require.NotEqual(t, replace, d.action)
				return
			}
			require.Equal(t, replace, d.action)
			repaired, err := apply(s, d.action, test.at, func() (pair, error) { return quickMint(t, ourNames, test.at, limits.Validity), nil })
			require.NoError(t, err)
			again, problems := readState(repaired.data(), ourNames, test.at)
			require.Empty(t, problems)
			require.NotNil(t, again.serving.leaf)
		})
	}
}

func TestMint(t *testing.T) {
	p, err := mint(ourNames, epoch, time.Hour)
	require.NoError(t, err)
	require.Equal(t, ourNames, p.leaf.DNSNames)
	require.Equal(t, epoch.Add(time.Hour), p.leaf.NotAfter.UTC())
	require.NoError(t, p.leaf.CheckSignatureFrom(p.ca))
	require.Error(t, p.ca.CheckSignatureFrom(p.leaf), "a serving certificate must not be a CA")
}

func FuzzReadState(f *testing.F) {
	p := quickMint(f, ourNames, epoch, limits.Validity)
	good := state{serving: p, trusted: []*x509.Certificate{p.ca}, since: epoch}
	f.Add(good.serving.cert, good.serving.key, good.bundle(), []byte("2026-11-22T16:00:00Z"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), good.serving.key, good.bundle(), []byte(""))
	f.Add(good.bundle(), good.serving.key, good.serving.cert, []byte("0001-01-01T00:00:00Z"))
	f.Fuzz(func(t *testing.T, cert, key, trusted, since []byte) {
		data := map[string][]byte{keyServingCert: cert, keyServingKey: key, keyTrusted: trusted, keySince: since, keyNextCert: key, keyNextKey: cert}
		s, _ := readState(data, ourNames, epoch)
		bundles := map[string][]byte{"a": trusted, "b": cert}
		d := plan(s, bundles, epoch, limits)
		if s.serving.leaf == nil {
			require.Equal(t, replace, d.action)
			before := len(s.trusted)
			require.LessOrEqual(t, len(adopt(s, bundles, epoch).trusted), max(before, mostAdopted))
		}
	})
}
