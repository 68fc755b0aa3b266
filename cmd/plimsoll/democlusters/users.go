// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// The users of the divided shop: first, at the peak of the rise, and by how much more (a fifth) the surge is. The shop
// alone has a third of them.
const (
	quietUsers = 1200
	peakUsers  = 3600
	surgeUsers = peakUsers / 5
	aloneShare = 3
)

// users at a time of the day.
func (p plot) users(at time.Duration) int {
	part := min(max(float64(at)/float64(p.risen), 0), 1)
	n := quietUsers + int(math.Round((peakUsers-quietUsers)*(1-math.Cos(math.Pi*part))/2))
	if at >= p.surge {
		n += surgeUsers
	}
	return n
}

// exporter tells who scrapes it how many users there are.
type exporter struct {
	users    atomic.Int64
	listener net.Listener
	server   *http.Server
	ended    chan error
}

func serve() (*exporter, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for who scrapes the shop: %w", err)
	}
	e := &exporter{listener: listener, ended: make(chan error, 1)}
	e.users.Store(quietUsers)
	e.server = &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second}
	go func() { e.ended <- e.server.Serve(listener) }()
	return e, nil
}

func (e *exporter) address() string { return e.listener.Addr().String() }

// ServeHTTP implements http.Handler.
func (e *exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	n := e.users.Load()
	fmt.Fprintf(w, "# TYPE online_users gauge\nonline_users{namespace=%q} %d\nonline_users{namespace=%q} %d\n", divided, n, alone, n/aloneShare)
}

func (e *exporter) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := e.server.Shutdown(ctx)
	if served := <-e.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
