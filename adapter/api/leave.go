// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"sync/atomic"
	"time"
)

// leaving sends callers away before the server stops listening. The API server keeps one HTTP/2 connection to us for all its
// reads and would go on using it to the last moment, when the generic API server's filters refuse what comes in: a read would
// fail. Once the server has been ending for as long as it takes to be out of its Service, each answer therefore asks
// the caller (by GOAWAY in HTTP/2) to make its next request on another connection, which leads to another replica.
type leaving struct {
	next   http.Handler
	ending <-chan struct{}
	after  time.Duration // from the first request after ending has begun
	now    func() time.Time
	since  atomic.Int64 // unix nanoseconds of that request; 0 before it
}

func (l *leaving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-l.ending:
		if l.due() {
			w.Header().Set("Connection", "close")
		}
	default:
	}
	l.next.ServeHTTP(w, r)
}

func (l *leaving) due() bool {
	now := l.now()
	l.since.CompareAndSwap(0, now.UnixNano())
	return now.Sub(time.Unix(0, l.since.Load())) >= l.after
}
