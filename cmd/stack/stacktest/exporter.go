// SPDX-License-Identifier: Apache-2.0

package stacktest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Exporter is an application's /metrics: each test sets the series of its own name, and may let the whole exporter hang.
type Exporter struct {
	server *httptest.Server

	mu     sync.Mutex
	series map[string]func() string
	hangs  chan struct{} // closed to let go; nil: it answers
}

// NewExporter starts an exporter without series.
func NewExporter() *Exporter {
	e := &Exporter{series: map[string]func() string{}}
	e.server = httptest.NewServer(e)
	return e
}

// Close ends the exporter.
func (e *Exporter) Close() { e.server.Close() }

// Address is its host and port.
func (e *Exporter) Address() string { return e.server.Listener.Addr().String() }

// Set replaces what the exporter says under a test's name, asked anew at every scrape; nil takes it away.
func (e *Exporter) Set(name string, series func() string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if series == nil {
		delete(e.series, name)
		return
	}
	e.series[name] = series
}

// Hang lets every scrape wait until the returned function is called.
func (e *Exporter) Hang() (resume func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	let := make(chan struct{})
	e.hangs = let
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.hangs = nil
		close(let)
	})
}

// ServeHTTP answers a scrape.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	hangs := e.hangs
	var text strings.Builder
	for _, s := range e.series {
		text.WriteString(strings.TrimSpace(s()) + "\n")
	}
	e.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs: // it answers late, and in full: an empty page would be one whose series have gone
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = w.Write([]byte(text.String()))
}
