// SPDX-License-Identifier: Apache-2.0

// Package wire counts what goes over connections, as bytes of TCP: TLS and its handshakes are in it. It can also hold
// everything up, as a server that hangs does.
package wire

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// Totals are bytes and connections since the beginning, as the server's side sees them.
type Totals struct {
	// Received came from clients, Sent went to them.
	Received, Sent int64
	// Accepted is the number of connections that were accepted.
	Accepted int64
}

// Less is what came between two times.
func (t Totals) Less(before Totals) Totals {
	return Totals{t.Received - before.Received, t.Sent - before.Sent, t.Accepted - before.Accepted}
}

// Add is the sum.
func (t Totals) Add(other Totals) Totals {
	return Totals{t.Received + other.Received, t.Sent + other.Sent, t.Accepted + other.Accepted}
}

// Listener is one on 127.0.0.1 that counts. While it is held, connections are accepted, nothing that comes is passed on
// and nothing goes out.
type Listener struct {
	net.Listener
	received, sent, accepted atomic.Int64

	mu    sync.Mutex
	flows chan struct{} // closed while nothing is held
	open  map[*conn]bool
}

// Listen listens on a port that is free.
func Listen() (*Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Listener{Listener: listener, flows: make(chan struct{}), open: map[*conn]bool{}}
	close(l.flows)
	return l, nil
}

// Totals are what was counted so far.
func (l *Listener) Totals() Totals {
	return Totals{Received: l.received.Load(), Sent: l.sent.Load(), Accepted: l.accepted.Load()}
}

// Hold holds everything up until Release.
func (l *Listener) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flows = make(chan struct{})
}

// Release lets everything go on.
func (l *Listener) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.flows:
	default:
		close(l.flows)
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.accepted.Add(1)
	c := &conn{Conn: accepted, listener: l, closed: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = true
	return c, nil
}

// Close ends the listening and every connection: others are refused from now on. It may be called again.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	l.mu.Lock()
	open := l.open
	l.open = map[*conn]bool{}
	l.mu.Unlock()
	for c := range open {
		_ = c.Close() // nobody waits for what it says
	}
	return err
}

// conn is one connection.
type conn struct {
	net.Conn
	listener *Listener
	once     sync.Once
	closed   chan struct{}
}

// wait returns when nothing is held, or an error if the connection ends before.
func (c *conn) wait() error {
	for {
		c.listener.mu.Lock()
		flows := c.listener.flows
		c.listener.mu.Unlock()
		select {
		case <-flows:
			return nil
		case <-c.closed:
			return net.ErrClosed
		}
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.listener.received.Add(int64(n))
	if held := c.wait(); held != nil {
		return 0, held
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.wait(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	c.listener.sent.Add(int64(n))
	return n, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.listener.mu.Lock()
		delete(c.listener.open, c)
		c.listener.mu.Unlock()
	})
	return c.Conn.Close()
}
