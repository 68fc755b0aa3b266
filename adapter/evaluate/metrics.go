// SPDX-License-Identifier: Apache-2.0

package evaluate

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// Metrics are the adapter's own metrics about rules. Gauges are computed when they are scraped, from what is in force.
type Metrics struct {
	evaluations *prometheus.CounterVec
	seconds     prometheus.Histogram

	store   *snapshot.Store
	readers func(*snapshot.Catalog) map[rule.Key]int
	now     func() time.Time
}

var ruleLabels = []string{"kind", "namespace", "rule"}

var (
	ageDesc     = prometheus.NewDesc("plimsoll_rule_value_age_seconds", "Time since the oldest value of the rule was measured.", ruleLabels, nil)
	freshDesc   = prometheus.NewDesc("plimsoll_rule_fresh", "1 if the rule's newest value may be served, 0 if it is too old or missing.", ruleLabels, nil)
	successDesc = prometheus.NewDesc("plimsoll_rule_last_success_timestamp_seconds", "Unix time of the rule's last good evaluation.", ruleLabels, nil)
	seriesDesc  = prometheus.NewDesc("plimsoll_rule_series", "Series in the rule's last good answer.", ruleLabels, nil)
	objectsDesc = prometheus.NewDesc("plimsoll_rule_objects", "Objects that have a value.", ruleLabels, nil)
	readersDesc = prometheus.NewDesc("plimsoll_rule_readers", "HorizontalPodAutoscalers that name the rule's metric.", ruleLabels, nil)
	demandDesc  = prometheus.NewDesc("plimsoll_rule_demanded", "1 while the rule is evaluated at every interval, 0 while it rests.", ruleLabels, nil)
)

// NewMetrics registers the metrics on reg.
func NewMetrics(reg prometheus.Registerer, store *snapshot.Store, readers func(*snapshot.Catalog) map[rule.Key]int) (*Metrics, error) {
	m := &Metrics{
		evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_evaluations_total", Help: "Evaluations by rule and result: OK, or the reason of the failure.",
		}, append(ruleLabels, "result")),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "plimsoll_evaluation_duration_seconds", Help: "Duration of evaluations, from the query to the table.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		store: store, readers: readers, now: time.Now,
	}
	return m, reg.Register(m)
}

func (m *Metrics) observe(k rule.Key, o snapshot.Outcome) {
	result := Cause(o.Err)
	if o.Err == nil {
		result = "OK"
	}
	kind, ns, name := labelsOf(k)
	m.evaluations.WithLabelValues(kind, ns, name, result).Inc()
	m.seconds.Observe(o.Duration.Seconds())
}

// forget drops the counters of a rule that is gone, so that rules which come and go do not fill memory.
func (m *Metrics) forget(k rule.Key) {
	kind, ns, name := labelsOf(k)
	m.evaluations.DeletePartialMatch(prometheus.Labels{"kind": kind, "namespace": ns, "rule": name})
}

func labelsOf(k rule.Key) (kind, namespace, name string) {
	if k.Namespace == "" {
		return "ClusterMetricRule", "", k.Name
	}
	return "MetricRule", k.Namespace, k.Name
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.evaluations.Describe(ch)
	m.seconds.Describe(ch)
	for _, d := range []*prometheus.Desc{ageDesc, freshDesc, successDesc, seriesDesc, objectsDesc, readersDesc, demandDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.evaluations.Collect(ch)
	m.seconds.Collect(ch)
	catalog, now := m.store.Catalog(), m.now()
	readers := m.readers(catalog)
	for _, e := range catalog.Entries() {
		m.collectEntry(ch, e, readers[e.Rule.Key], now)
	}
}

func (m *Metrics) collectEntry(ch chan<- prometheus.Metric, e *snapshot.Entry, readers int, now time.Time) {
	kind, ns, name := labelsOf(e.Rule.Key)
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, kind, ns, name)
	}
	gauge(readersDesc, float64(readers))
	gauge(demandDesc, truth(Demanded(e, readers, now)))
	t := e.Table()
	gauge(freshDesc, truth(t != nil && !t.Newest().IsZero() && now.Sub(t.Newest()) <= e.Limit()))
	if s := e.Success(); s != nil {
		gauge(successDesc, float64(s.Time.UnixMilli())/1000)
	}
	if t == nil {
		return
	}
	gauge(seriesDesc, float64(t.Series))
	gauge(objectsDesc, float64(t.Objects()))
	if !t.Oldest().IsZero() {
		gauge(ageDesc, now.Sub(t.Oldest()).Seconds())
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
