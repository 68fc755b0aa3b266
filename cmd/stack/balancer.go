// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// probePeriod is the time between two readiness probes of an adapter, as in the Deployment's pods.
const probePeriod = 2 * time.Second

// balancer is what a Service and its readiness probes are in a real cluster: it hands each new connection to one of
// the ready backends in turn, and leaves connections alone once they exist.
type balancer struct {
	listener net.Listener
	patience time.Duration // with a probe

	mu       sync.Mutex
	backends []*backend
	turn     int
}

// backend is one adapter's port.
type backend struct {
	address string
	ready   bool
	cancel  context.CancelFunc
}

// listen starts a balancer on a port of 127.0.0.1, whose probes may take so long.
func listen(port int, patience time.Duration) (*balancer, error) {
	listener, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return nil, fmt.Errorf("listen for the adapters' Service: %w", err)
	}
	b := &balancer{listener: listener, patience: patience}
	go b.serve()
	return b, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (b *balancer) serve() {
	for {
		connection, err := b.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(step) // out of file descriptors, most likely
			continue
		}
		go b.forward(connection)
	}
}

// forward joins a connection to a backend; without a ready one it is refused.
func (b *balancer) forward(client net.Conn) {
	defer func() { _ = client.Close() }()
	for _, address := range b.inTurn() {
		server, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			continue
		}
		join(client, server)
		return
	}
}

// join copies in both directions until one side is done.
func join(a, b net.Conn) {
	defer func() { _ = b.Close() }()
	ended := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // a broken connection ends both ways, whatever broke it
			ended <- struct{}{}
		}()
	}
	<-ended
}

// inTurn returns the ready backends, each time beginning with the next one.
func (b *balancer) inTurn() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ready []string
	for _, backend := range b.backends {
		if backend.ready {
			ready = append(ready, backend.address)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	b.turn++
	first := b.turn % len(ready)
	return append(slices.Clone(ready[first:]), ready[:first]...)
}

// add begins to probe a backend.
func (b *balancer) add(port int) {
	ctx, cancel := context.WithCancel(context.Background())
	added := &backend{address: loopback(port), cancel: cancel}
	b.mu.Lock()
	b.backends = append(b.backends, added)
	b.mu.Unlock()
	go b.probe(ctx, added)
}

// remove sends no more connections to a backend.
func (b *balancer) remove(port int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = slices.DeleteFunc(b.backends, func(backend *backend) bool {
		gone := backend.address == loopback(port)
		if gone {
			backend.cancel()
		}
		return gone
	})
}

// probe asks for /readyz until the context ends. Until it is ready for the first time a backend is asked more often.
func (b *balancer) probe(ctx context.Context, backend *backend) {
	client := newProber()
	client.Timeout = b.patience
	defer client.CloseIdleConnections()
	wait := step
	for ctx.Err() == nil {
		err := isReady(ctx, client, "https://"+backend.address)
		b.mu.Lock()
		backend.ready = err == nil
		b.mu.Unlock()
		if err == nil {
			wait = probePeriod
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// close refuses further connections and stops probing.
func (b *balancer) close() error {
	b.mu.Lock()
	for _, backend := range b.backends {
		backend.cancel()
	}
	b.backends = nil
	b.mu.Unlock()
	return b.listener.Close()
}
