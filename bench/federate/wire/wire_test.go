// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo answers what it gets, in capital letters of a kind: each byte plus one.
func echo(t *testing.T, l net.Listener) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 1)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
					b[0]++
					if _, err := c.Write(b); err != nil {
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
}

func TestBytesAreCountedAndHeldUp(t *testing.T) {
	server, err := Listen()
	require.NoError(t, err)
	echo(t, server)
	between, err := Forward(server.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = between.Close() })
	c, err := net.Dial("tcp", between.Addr().String())
	require.NoError(t, err)
	ask := func(text string) string {
		_, err := c.Write([]byte(text))
		require.NoError(t, err)
		answer := make([]byte, len(text))
		_, err = io.ReadFull(c, answer)
		require.NoError(t, err)
		return string(answer)
	}
	require.Equal(t, "bcd", ask("abc"))
	for name, l := range map[string]*Listener{"server": server, "forwarder": between.Listener} {
		// Bytes are counted once they are written, which may be after they have been read at the other end.
		require.Eventually(t, func() bool { return l.Totals() == Totals{Received: 3, Sent: 3, Accepted: 1} }, time.Minute, time.Millisecond, name)
	}

	between.Hold()
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
	_, err = net.Dial("tcp", between.Addr().String())
	require.NoError(t, err, "it accepts while it is held")
	require.Eventually(t, func() bool { return between.Totals().Received == 4 && between.Totals().Accepted == 2 }, time.Minute, time.Millisecond)
	require.EqualValues(t, 3, server.Totals().Received, "nothing is passed on")
	between.Release()
	b := make([]byte, 1)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, "y", string(b))

	between.Hold()
	require.NoError(t, between.Close(), "also while it is held")
	_, err = c.Read(b)
	require.Error(t, err, "connections end with it")
	_, err = net.Dial("tcp", between.Addr().String())
	require.Error(t, err, "and others are refused")
}
