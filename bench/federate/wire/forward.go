// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"io"
	"net"
	"sync"
)

// Forwarder passes connections on to a server, and counts. It sees what TLS sees: nothing but bytes.
type Forwarder struct {
	*Listener
	target string
	ended  sync.WaitGroup
}

// Forward listens on a port that is free and passes on to host:port.
func Forward(target string) (*Forwarder, error) {
	listener, err := Listen()
	if err != nil {
		return nil, err
	}
	f := &Forwarder{Listener: listener, target: target}
	f.ended.Go(f.run)
	return f, nil
}

// Close ends it and all its connections.
func (f *Forwarder) Close() error {
	err := f.Listener.Close()
	f.ended.Wait()
	return err
}

func (f *Forwarder) run() {
	for {
		from, err := f.Accept()
		if err != nil {
			return
		}
		f.ended.Go(func() { f.pass(from) })
	}
}

// pass passes both directions on until either ends; a server that refuses shows as a connection that ends at once.
func (f *Forwarder) pass(from net.Conn) {
	defer func() { _ = from.Close() }()
	to, err := net.Dial("tcp", f.target)
	if err != nil {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(from, to) // how it ended is for the two ends
		_ = from.Close()
	}()
	_, _ = io.Copy(to, from)
	_ = to.Close()
	<-back
}
