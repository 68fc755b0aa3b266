// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// model is replicas and API servers with their delays, in a time of its own.
type model struct {
	t       *testing.T
	random  *rand.Rand
	options Options
	now     time.Time

	secret  map[string][]byte
	written []written // the APIService's bundles, in order
	served  [3]pair   // by replica
	late    [3]bool   // the replica has stopped half-way once already
	learned [2]int    // by API server: index into written
	issued  map[string]bool
	forced  map[string]*x509.Certificate // the CAs of certificates that had to replace a lost one at once
}

type written struct {
	at     time.Time
	bundle []byte
}

// turn is what a replica's turn does; it returns whether the replica looks again at once.
func (m *model) turn(replica int) bool {
	var bundle []byte
	if len(m.written) > 0 {
		bundle = m.written[len(m.written)-1].bundle
	}
	bundles := map[string][]byte{"a": bundle}
	s, problems := readState(m.secret, ourNames, m.now)
	require.Empty(m.t, problems)
	d := plan(s, bundles, m.now, m.options)
	if d.action == replace {
		s = adopt(s, bundles, m.now)
	}
	if d.action != nothing {
		next, err := apply(s, d.action, m.now, func() (pair, error) { return quickMint(m.t, ourNames, m.now, m.options.Validity), nil })
		require.NoError(m.t, err)
		m.secret = next.data()
		if d.action == replace {
			m.forced[string(next.serving.cert)] = next.serving.ca
		}
		return true
	}
	published := len(d.publish) > 0 && m.random.IntN(4) != 0 // the API server refuses now and then
	if published {
		m.written = append(m.written, written{m.now, s.bundle()})
	}
	m.served[replica] = s.serving
	m.issued[string(s.serving.cert)] = true
	return published
}

// act lets a replica take its turns, all or only some of them; a replica that stopped half-way takes all the next time.
func (m *model) act(replica int) {
	some := m.random.IntN(6)
	for turn := 0; m.turn(replica); turn++ {
		if turn == some && !m.late[replica] {
			m.late[replica] = true
			return
		}
	}
	m.late[replica] = false
}

// learn lets an API server see what was written longer ago than Propagation, and perhaps what is newer.
func (m *model) learn(server int) {
	for i := m.learned[server] + 1; i < len(m.written); i++ {
		if m.now.Before(m.written[i].at.Add(m.options.Propagation)) && m.random.IntN(2) == 0 {
			return
		}
		m.learned[server] = i
	}
}

// mayBeUnknown reports whether a certificate replaced a lost one so lately that an API server need not know its CA.
func (m *model) mayBeUnknown(p pair) bool {
	ca := m.forced[string(p.cert)]
	return ca != nil && !slices.ContainsFunc(m.written, func(w written) bool {
		return !m.now.Before(w.at.Add(m.options.Propagation)) && slices.ContainsFunc(parseCertificates(w.bundle), ca.Equal)
	})
}

// verify fails unless every API server trusts what every replica serves, and returns how many pairs of them it looked at.
func (m *model) verify() (verified int) {
	for server, learned := range m.learned {
		for replica, p := range m.served {
			if m.mayBeUnknown(p) {
				continue
			}
			_, err := parsePair(p.cert, p.key, parseCertificates(m.written[learned].bundle), ourNames, m.now)
			require.NoError(m.t, err, "API server %d, replica %d at %s", server, replica, m.now)
			verified++
		}
	}
	return verified
}

// Whatever happens in which order, a connection between any API server and any replica is verified, through several
// generations of certificates.
func TestRotationLosesNoConnection(t *testing.T) { testModel(t, 0) }

// The Secret loses its data now and then: a replica that still serves the lost certificate is verified nevertheless, and so is
// the new certificate from the time on that every API server can know it.
func TestLostSecretLosesNoOldConnection(t *testing.T) { testModel(t, 1) }

// testModel empties the Secret in so many of 20 steps, on average.
func testModel(t *testing.T, lost int) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			m := &model{
				t: t, random: rand.New(rand.NewPCG(seed, 0)), now: epoch, issued: map[string]bool{}, forced: map[string]*x509.Certificate{},
				options: Options{Validity: 6 * time.Hour, Propagation: 2 * time.Minute, Grace: time.Hour},
			}
			for range 4 { // nothing is read before everybody has started
				for replica := range m.served {
					for m.turn(replica) {
					}
				}
			}
			steps := []time.Duration{0, time.Second, time.Minute, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
			m.forced = map[string]*x509.Certificate{} // the API servers know the first one
			verified := 0
			for range 150 {
				m.now = m.now.Add(steps[m.random.IntN(len(steps))])
				if lost > 0 && m.random.IntN(20) < lost {
					m.secret = nil
				}
				for _, replica := range m.random.Perm(len(m.served)) {
					m.act(replica)
				}
				for server := range m.learned {
					m.learn(server)
				}
				verified += m.verify()
			}
			require.Greater(t, verified, 150*4, "of 150 times 6")
			require.Equal(t, lost > 0, len(m.forced) > 0)
			require.Greater(t, len(m.issued), 2, "the model must have rotated")
		})
	}
}
