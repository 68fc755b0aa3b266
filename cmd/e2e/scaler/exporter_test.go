// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// exporter is the /metrics of an application: each namespace's demand, a function of the time.
type exporter struct {
	server *httptest.Server

	mu      sync.Mutex
	demands map[string]func(time.Time) float64 // by namespace
}

func newExporter() *exporter {
	e := &exporter{demands: map[string]func(time.Time) float64{}}
	e.server = httptest.NewServer(e)
	return e
}

// set replaces a namespace's demand; nil takes it away.
func (e *exporter) set(ns string, demand func(time.Time) float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if demand == nil {
		delete(e.demands, ns)
		return
	}
	e.demands[ns] = demand
}

func (e *exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = fmt.Fprintln(w, "# TYPE demand gauge")
	for ns, demand := range e.demands {
		_, _ = fmt.Fprintf(w, "demand{namespace=%q} %g\n", ns, demand(time.Now()))
	}
}
