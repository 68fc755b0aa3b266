// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"fmt"
	"math/rand/v2"
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
	s, problems := readState(m.secret, ourNames, m.now)
	require.Empty(m.t, problems)
	d := plan(s, map[string][]byte{"a": bundle}, m.now, m.options)
	if d.action != nothing {
		next, err := apply(s, d.action, m.now, func() (pair, error) { return quickMint(m.t, ourNames, m.now, m.options.Validity), nil })
		require.NoError(m.t, err)
		m.secret = next.data()
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

// Whatever happens in which order, a connection between any API server and any replica is verified, through several
// generations of certificates.
func TestRotationLosesNoConnection(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			m := &model{
				t: t, random: rand.New(rand.NewPCG(seed, 0)), now: epoch, issued: map[string]bool{},
				options: Options{Validity: 6 * time.Hour, Propagation: 2 * time.Minute, Grace: time.Hour},
			}
			for range 4 { // nothing is read before everybody has started
				for replica := range m.served {
					for m.turn(replica) {
					}
				}
			}
			steps := []time.Duration{0, time.Second, time.Minute, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
			for range 150 {
				m.now = m.now.Add(steps[m.random.IntN(len(steps))])
				for _, replica := range m.random.Perm(len(m.served)) {
					m.act(replica)
				}
				for server := range m.learned {
					m.learn(server)
					for replica, p := range m.served {
						trusted := parseCertificates(m.written[m.learned[server]].bundle)
						_, err := parsePair(p.cert, p.key, trusted, ourNames, m.now)
						require.NoError(t, err, "API server %d, replica %d at %s", server, replica, m.now)
					}
				}
			}
			require.Greater(t, len(m.issued), 2, "the model must have rotated")
		})
	}
}
