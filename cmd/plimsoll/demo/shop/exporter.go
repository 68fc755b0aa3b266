// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Exporter serves the /metrics of shops on loopback:
//
//	online_users{namespace,pod}  users online, for every pod that is ready
//	orders_waiting{namespace}    orders in the queue
type Exporter struct {
	server   *http.Server
	listener net.Listener

	mu   sync.Mutex
	hang chan struct{} // closed when the exporter answers again; nil: it answers
}

// Serve starts an exporter of the shops, each with a namespace of its own, on a free port of the loopback interface.
func Serve(shops ...*Shop) (*Exporter, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the shop cannot listen on loopback: %w", err)
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(newCollector(shops)); err != nil {
		return nil, errors.Join(fmt.Errorf("the shop's metrics cannot be registered: %w", err), listener.Close())
	}
	e := &Exporter{listener: listener}
	mux := http.NewServeMux()
	mux.Handle("/metrics", e.unlessHanging(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
	e.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = e.server.Serve(listener) }() // ends with http.ErrServerClosed in Close
	return e, nil
}

// Address is host:port, for a scrape config.
func (e *Exporter) Address() string { return e.listener.Addr().String() }

// Hang makes the exporter accept requests and not answer them, until Resume.
func (e *Exporter) Hang() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hang == nil {
		e.hang = make(chan struct{})
	}
}

// Resume ends Hang; requests that hang are answered.
func (e *Exporter) Resume() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hang != nil {
		close(e.hang)
		e.hang = nil
	}
}

// Close ends the exporter at once, as if its process died.
func (e *Exporter) Close() error { return e.server.Close() }

func (e *Exporter) unlessHanging(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		hang := e.hang
		e.mu.Unlock()
		if hang != nil && !wait(r.Context(), hang) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// wait returns whether the channel was closed before the context ended.
func wait(ctx context.Context, c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-ctx.Done():
		return false
	}
}

// collector makes the metrics from the shops' state at the time of the scrape, so that a pod that is gone leaves no
// series behind.
type collector struct {
	shops   []*Shop
	users   *prometheus.Desc
	waiting *prometheus.Desc
}

func newCollector(shops []*Shop) *collector {
	return &collector{
		shops:   shops,
		users:   prometheus.NewDesc("online_users", "Users with a session on the pod.", []string{"namespace", "pod"}, nil),
		waiting: prometheus.NewDesc("orders_waiting", "Orders in the queue.", []string{"namespace"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.users; ch <- c.waiting }

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, shop := range c.shops {
		state, namespace := shop.State(), shop.options.Namespace
		for pod, users := range state.PerPod {
			ch <- prometheus.MustNewConstMetric(c.users, prometheus.GaugeValue, float64(users), namespace, pod)
		}
		ch <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(state.Waiting), namespace)
	}
}
