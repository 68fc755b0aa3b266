// SPDX-License-Identifier: Apache-2.0

package nodegroups_test

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/scaler/nodegroups"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

func authority(t *testing.T) *nodegroupstest.Authority {
	t.Helper()
	a, err := nodegroupstest.NewAuthority("authority of " + t.Name())
	require.NoError(t, err)
	return a
}

func serverTLS(t *testing.T, a *nodegroupstest.Authority) *tls.Config {
	t.Helper()
	config, err := a.ServerTLS()
	require.NoError(t, err)
	return config
}

// client is the client's side with a certificate of one authority, that trusts another one.
func client(t *testing.T, of, trusts *nodegroupstest.Authority) nodegroups.TLS {
	t.Helper()
	certificate, key, err := of.Issue("plimsoll")
	require.NoError(t, err)
	return nodegroups.TLS{CA: trusts.PEM, Certificate: certificate, Key: key}
}

func TestMutualTLS(t *testing.T) {
	ours, strange := authority(t), authority(t)
	server := start(t, nodegroupstest.Options{TLS: serverTLS(t, ours)})
	for name, tc := range map[string]struct {
		tls  nodegroups.TLS
		want nodegroups.Reason
	}{
		"both sides trust each other":   {client(t, ours, ours), ""},
		"the server is not trusted":     {client(t, ours, strange), nodegroups.Unreachable},
		"the client is not trusted":     {client(t, strange, ours), nodegroups.Unreachable},
		"the client has no certificate": {nodegroups.TLS{}, nodegroups.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			groups, err := dial(t, nodegroups.Options{Address: server.Address(), TLS: tc.tls}).Groups(t.Context())
			if tc.want == "" {
				require.NoError(t, err)
				require.Len(t, groups, 2)
				return
			}
			requireReason(t, tc.want, err)
			require.ErrorContains(t, err, "certificate")
		})
	}
	t.Run("plaintext server", func(t *testing.T) {
		plain := start(t, nodegroupstest.Options{})
		_, err := dial(t, nodegroups.Options{Address: plain.Address(), TLS: client(t, ours, ours)}).Groups(t.Context())
		requireReason(t, nodegroups.Unreachable, err)
	})
}

func TestCredentialsRotate(t *testing.T) {
	before, after := authority(t), authority(t)
	var current atomic.Pointer[tls.Config]
	current.Store(serverTLS(t, before))
	config := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.Load(), nil }}
	server := start(t, nodegroupstest.Options{TLS: config})
	old, fresh := client(t, before, before), client(t, after, after)
	c := dial(t, nodegroups.Options{Address: server.Address(), TLS: old})
	_, err := c.Groups(t.Context())
	require.NoError(t, err)

	// The server's side rotates; a connection that is there already goes on.
	current.Store(serverTLS(t, after))
	require.NoError(t, c.Rotate(old))
	_, err = c.Groups(t.Context())
	require.NoError(t, err, "the same credentials again do not make a new connection")
	require.Error(t, c.Rotate(nodegroups.TLS{CA: fresh.CA, Certificate: fresh.Certificate, Key: old.Key}), "a key that belongs to another certificate")
	_, err = c.Groups(t.Context())
	require.NoError(t, err)
	_, err = dial(t, nodegroups.Options{Address: server.Address(), TLS: old}).Groups(t.Context())
	requireReason(t, nodegroups.Unreachable, err)

	require.NoError(t, c.Rotate(fresh))
	_, err = c.Groups(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Rotate(old))
	_, err = c.Groups(t.Context())
	requireReason(t, nodegroups.Unreachable, err)
}

// An increase that is under way while credentials rotate ends as it would have.
func TestRotateWaitsForCalls(t *testing.T) {
	t.Parallel()
	ours := authority(t)
	started, rotated := make(chan struct{}), make(chan error, 1)
	server := start(t, nodegroupstest.Options{TLS: serverTLS(t, ours), Create: func(string, int) error {
		close(started)
		return nil
	}})
	server.Fail("pool", nodegroupstest.ActsAndHangs)
	c := dial(t, nodegroups.Options{Address: server.Address(), TLS: client(t, ours, ours), Timeout: short})
	go func() {
		<-started
		rotated <- c.Rotate(client(t, ours, ours))
	}()
	growth, err := c.Grow(t.Context(), "pool", 1, 2)
	require.NoError(t, err)
	require.Equal(t, nodegroups.Took, growth.Effect)
	require.ErrorContains(t, growth.Doubt, "within", "it ended with its own time-out")
	require.NoError(t, <-rotated)
}

func TestDialRefuses(t *testing.T) {
	a := authority(t)
	good := client(t, a, a)
	for name, o := range map[string]nodegroups.Options{
		"no address":                        {},
		"no port":                           {Address: "127.0.0.1"},
		"no host":                           {Address: ":8086"},
		"a socket":                          {Address: "unix:/run/x"},
		"plaintext to another machine":      {Address: "10.0.0.1:8086"},
		"plaintext to a name":               {Address: "nodegroups.kube-system:8086"},
		"plaintext to all":                  {Address: "0.0.0.0:8086"},
		"a certificate alone":               {Address: "127.0.0.1:1", TLS: nodegroups.TLS{Certificate: good.Certificate, Key: good.Key}},
		"an authority alone":                {Address: "127.0.0.1:1", TLS: nodegroups.TLS{CA: good.CA}},
		"an authority that is none":         {Address: "127.0.0.1:1", TLS: nodegroups.TLS{CA: []byte("x"), Certificate: good.Certificate, Key: good.Key}},
		"a certificate that is none":        {Address: "127.0.0.1:1", TLS: nodegroups.TLS{CA: good.CA, Certificate: []byte("x"), Key: good.Key}},
		"a key that belongs to nobody":      {Address: "127.0.0.1:1", TLS: nodegroups.TLS{CA: good.CA, Certificate: good.Certificate, Key: good.CA}},
		"an address that is no host either": {Address: "a/b:1", TLS: good},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := nodegroups.Dial(o)
			requireReason(t, nodegroups.Invalid, err)
			require.Nil(t, c)
		})
	}
	for _, address := range []string{"127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"} {
		c, err := nodegroups.Dial(nodegroups.Options{Address: address})
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
}

func TestLocalhostIsLoopback(t *testing.T) {
	server := start(t, nodegroupstest.Options{})
	_, port, err := net.SplitHostPort(server.Address())
	require.NoError(t, err)
	groups, err := dial(t, nodegroups.Options{Address: "localhost:" + port}).Groups(t.Context())
	require.NoError(t, err)
	require.Len(t, groups, 2)
}
