// SPDX-License-Identifier: Apache-2.0

// Package nodegroups reads and grows node groups over cluster-autoscaler's externalgrpc protocol, for clusters in which no
// node autoscaler runs.
//
// It only grows. Shrinking names the nodes that are to die and needs somebody who drains them first, which is a node
// autoscaler's work; so DeleteNodes and DecreaseTargetSize are never called, nor Cleanup, which would end the server's work
// for everybody. Whoever grows node groups must be the only one in a cluster who does: the protocol has no
// compare-and-set, and a node autoscaler beside us would remove our empty nodes again.
package nodegroups

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/plimsoll/plimsoll/scaler/nodegroups/externalgrpc"
)

// DefaultTimeout is how long a call may take: what cluster-autoscaler gives it, too.
const DefaultTimeout = 5 * time.Second

// reconnect bounds the time between two attempts to connect, so that a server that is back is soon found.
const reconnect = 10 * time.Second

// Options say where the server is and how to talk to it.
type Options struct {
	Address string // host:port; the server's certificate must name the host
	TLS     TLS
	Timeout time.Duration // of each call; 0: DefaultTimeout
}

// Client talks to one server. It may be used by several at once.
type Client struct {
	address string
	timeout time.Duration
	turn    chan struct{} // held by the one who grows a group

	lock       sync.Mutex
	tls        TLS
	connection *connection
}

// connection is what one set of credentials is good for.
type connection struct {
	*grpc.ClientConn
	calls sync.WaitGroup
}

// Dial makes a client. It does not connect yet: the first call does, and says why if it cannot. It fails if the address or
// the credentials are none, and without credentials unless the address is a loopback one.
func Dial(o Options) (*Client, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	c := &Client{address: o.Address, timeout: o.Timeout, turn: make(chan struct{}, 1), tls: o.TLS.clone()}
	var err error
	if c.connection, err = connect(o.Address, o.TLS); err != nil {
		return nil, err
	}
	return c, nil
}

func connect(address string, t TLS) (*connection, error) {
	secure, err := t.credentials(address)
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnect},
			MinConnectTimeout: DefaultTimeout,
		}),
		grpc.WithDisableServiceConfig(), // which could ask for retries, and a delta must not be sent twice
		grpc.WithUserAgent("plimsoll"),
	}
	if t.empty() {
		options = append(options, grpc.WithContextDialer(dialLoopback))
	}
	conn, err := grpc.NewClient("dns:///"+address, options...)
	if err != nil {
		return nil, &Error{Invalid, "the node group server's address " + address + " is none: " + oneLine(err.Error()), err}
	}
	return &connection{ClientConn: conn}, nil
}

// Rotate uses other credentials from now on; the same ones again change nothing. Calls under way end with the old ones
// first. If the new ones are none it fails, and the old ones stay.
func (c *Client) Rotate(t TLS) error {
	c.lock.Lock()
	if c.tls.equal(t) {
		c.lock.Unlock()
		return nil
	}
	fresh, err := connect(c.address, t)
	if err != nil {
		c.lock.Unlock()
		return err
	}
	old := c.connection
	c.tls, c.connection = t.clone(), fresh
	c.lock.Unlock()
	old.calls.Wait()
	return old.Close()
}

// Close ends the connection. Calls under way fail.
func (c *Client) Close() error {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.connection.Close()
}

// call makes one call within the time-out. Its errors are *Error; method and group are what they name.
func (c *Client) call(ctx context.Context, method, group string, do func(context.Context, externalgrpc.CloudProviderClient) error) error {
	c.lock.Lock()
	conn := c.connection
	conn.calls.Add(1)
	c.lock.Unlock()
	defer conn.calls.Done()
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := do(limited, externalgrpc.NewCloudProviderClient(conn)); err != nil {
		return c.classify(err, method, group, ctx.Err() != nil)
	}
	return nil
}

func (c *Client) refresh(ctx context.Context) error {
	return c.call(ctx, "Refresh", "", func(ctx context.Context, server externalgrpc.CloudProviderClient) error {
		_, err := server.Refresh(ctx, &externalgrpc.RefreshRequest{})
		return err
	})
}
