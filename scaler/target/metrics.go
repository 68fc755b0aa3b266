// SPDX-License-Identifier: Apache-2.0

package target

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// results of writes, the values of the label result of plimsoll_scaler_writes_total.
const (
	resultOK       = "ok"
	resultConflict = "conflict"
	resultError    = "error"
)

// metrics shows the HPAs as they are when they are scraped; what is forgotten vanishes.
type metrics struct {
	replicas, without, minimum, maximum, baseMin, baseMax, reverted *prometheus.Desc

	writes *prometheus.CounterVec

	mu   sync.Mutex
	rows map[types.NamespacedName]row
}

// row is one HPA.
type row struct {
	replicas     int32
	without      *int32
	bounds, base bounds.Bounds
	minBy, maxBy bounds.Source
	reverted     bool
}

func newMetrics() *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"namespace", "hpa"}, labels...), nil)
	}
	m := &metrics{
		replicas: desc("plimsoll_hpa_replicas", "Replicas that the HPA last asked for."),
		without:  desc("plimsoll_hpa_replicas_without", "Replicas that the HPA would aim at without Plimsoll; absent while that is unknown."),
		minimum:  desc("plimsoll_hpa_min_replicas", "The floor in force, and who asked for it.", "by_kind", "by"),
		maximum:  desc("plimsoll_hpa_max_replicas", "The maximum in force, and who asked for it.", "by_kind", "by"),
		baseMin:  desc("plimsoll_hpa_base_min_replicas", "The user's own minReplicas."),
		baseMax:  desc("plimsoll_hpa_base_max_replicas", "The user's own maxReplicas."),
		reverted: desc("plimsoll_hpa_reverted", "1 while somebody else writes the bounds back and Plimsoll leaves them alone."),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_scaler_writes_total", Help: "Changes of HPAs by their result: ok, conflict or error.",
		}, []string{"result"}),
		rows: map[types.NamespacedName]row{},
	}
	for _, result := range []string{resultOK, resultConflict, resultError} {
		m.writes.WithLabelValues(result)
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.replicas, m.without, m.minimum, m.maximum, m.baseMin, m.baseMax, m.reverted} {
		out <- d
	}
	m.writes.Describe(out)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.writes.Collect(out)
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, r := range m.rows {
		gauge := func(d *prometheus.Desc, value int32, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), append([]string{key.Namespace, key.Name}, labels...)...)
		}
		gauge(m.replicas, r.replicas)
		if r.without != nil {
			gauge(m.without, *r.without)
		}
		gauge(m.minimum, r.bounds.Min, r.minBy.Kind, nameOf(r.minBy))
		gauge(m.maximum, r.bounds.Max, r.maxBy.Kind, nameOf(r.maxBy))
		gauge(m.baseMin, r.base.Min)
		gauge(m.baseMax, r.base.Max)
		gauge(m.reverted, boolean(r.reverted))
	}
}

// show keeps what is known of an HPA.
func (m *metrics) show(s *situation.Situation, out *situation.Outcome) {
	r := row{
		replicas: s.HPA.Status.DesiredReplicas, without: out.Result.Without.Replicas, base: out.Adoption.Base,
		bounds: out.Result.Bounds, minBy: out.Result.FloorBy, maxBy: out.Result.MaxBy, reverted: out.Adoption.Change == bounds.Contested,
	}
	if out.Leave != "" {
		r.bounds, r.minBy, r.maxBy = situation.LiveBounds(s.HPA), s.Record.State.FloorBy, bounds.Source{}
		if r.bounds.Min == r.base.Min {
			r.minBy = bounds.Source{}
		}
	}
	for _, by := range []*bounds.Source{&r.minBy, &r.maxBy} {
		if by.Kind == "" || by.Kind == bounds.KindBase {
			*by = bounds.Source{Kind: bounds.KindBase, Name: s.HPA.Name}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[key(s.HPA)] = r
}

func (m *metrics) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, name)
}

// nameOf is the label by: the name, of a schedule with its window.
func nameOf(s bounds.Source) string {
	if s.Part == "" {
		return s.Name
	}
	return s.Name + "/" + s.Part
}

func boolean(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
