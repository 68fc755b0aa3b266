// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// readKind tells reads apart in metrics.
type readKind int

const (
	kindPods readKind = iota
	kindObject
	kindExternal
	kinds
)

func (k readKind) labels() (api, kind string) {
	switch k {
	case kindPods:
		return "custom", "pods"
	case kindObject:
		return "custom", "object"
	}
	return "external", "external"
}

// customKind is pods for reads by selector, as the HPA's metric type has it.
func customKind(q *customRead) readKind {
	if q.selector != nil {
		return kindPods
	}
	return kindObject
}

// Metrics are the server's own metrics.
type Metrics struct {
	reads   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	reviews *prometheus.CounterVec
	lookups *prometheus.CounterVec

	// Resolved once: the fast path does not look labels up.
	fastReads   [kinds]prometheus.Counter
	readSeconds [kinds]prometheus.Observer
	hits        prometheus.Counter
	misses      prometheus.Counter
}

// NewMetrics registers the metrics on reg.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_reads_total",
			Help: "Reads of metrics by API, kind, status code and path: fast, or library for everything that the fast path leaves to custom-metrics-apiserver.",
		}, []string{"api", "kind", "code", "path"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plimsoll_read_duration_seconds", Help: "Time from a read's authorization to its answer, without the network.",
			Buckets: prometheus.ExponentialBuckets(0.000002, 4, 11),
		}, []string{"api", "kind"}),
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_subject_access_reviews_total", Help: "SubjectAccessReviews sent to the API server, by result: allowed, refused, error.",
		}, []string{"result"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_authorization_lookups_total", Help: "Questions to the authorization cache, by result: hit, miss.",
		}, []string{"result"}),
	}
	for k := range kinds {
		api, kind := k.labels()
		m.fastReads[k] = m.reads.WithLabelValues(api, kind, "200", "fast")
		m.readSeconds[k] = m.seconds.WithLabelValues(api, kind)
	}
	m.hits, m.misses = m.lookups.WithLabelValues("hit"), m.lookups.WithLabelValues("miss")
	for _, c := range []prometheus.Collector{m.reads, m.seconds, m.reviews, m.lookups} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Metrics) fast(k readKind, err error, d time.Duration) {
	if err == nil {
		m.fastReads[k].Inc()
	} else {
		m.count(k, err, "fast")
	}
	m.readSeconds[k].Observe(d.Seconds())
}

func (m *Metrics) library(k readKind, err error, d time.Duration) {
	m.count(k, err, "library")
	m.readSeconds[k].Observe(d.Seconds())
}

func (m *Metrics) count(k readKind, err error, path string) {
	api, kind := k.labels()
	m.reads.WithLabelValues(api, kind, strconv.Itoa(code(err)), path).Inc()
}

func code(err error) int {
	if err == nil {
		return http.StatusOK
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return int(status.Status().Code)
	}
	return http.StatusInternalServerError
}
