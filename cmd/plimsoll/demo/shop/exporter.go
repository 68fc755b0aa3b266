// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
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
	server    *http.Server
	listener  net.Listener
	collector *collector
}

// Scrape is how many users, not none, the exporter told of at a time, on all pods of the last of its shops together.
type Scrape struct {
	Time  time.Time
	Users int
}

// Serve starts an exporter of the shops, each with a namespace of its own, on a free port of the loopback interface.
func Serve(shops ...*Shop) (*Exporter, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the shop cannot listen on loopback: %w", err)
	}
	registry := prometheus.NewRegistry()
	e := &Exporter{listener: listener, collector: newCollector(shops)}
	if err := registry.Register(e.collector); err != nil {
		return nil, errors.Join(fmt.Errorf("the shop's metrics cannot be registered: %w", err), listener.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	e.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = e.server.Serve(listener) }() // ends with http.ErrServerClosed in Close
	return e, nil
}

// Address is host:port, for a scrape config.
func (e *Exporter) Address() string { return e.listener.Addr().String() }

// Scrapes are the answers given so far, in the order of their times.
func (e *Exporter) Scrapes() []Scrape { return e.collector.scrapes() }

// Close ends the exporter at once, as if its process died.
func (e *Exporter) Close() error { return e.server.Close() }

// collector makes the metrics from the shops' state at the time of the scrape, so that a pod that is gone leaves no
// series behind.
type collector struct {
	shops   []*Shop
	users   *prometheus.Desc
	waiting *prometheus.Desc

	mu   sync.Mutex
	told []Scrape
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
	scrape := Scrape{Time: time.Now()}
	for _, shop := range c.shops {
		state, namespace := shop.State(), shop.options.Namespace
		scrape.Users = 0
		for pod, users := range state.PerPod {
			scrape.Users += users
			ch <- prometheus.MustNewConstMetric(c.users, prometheus.GaugeValue, float64(users), namespace, pod)
		}
		ch <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(state.Waiting), namespace)
	}
	if scrape.Users == 0 {
		return // nobody, or no pod to be told of
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, scrape)
}

func (c *collector) scrapes() []Scrape {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}
