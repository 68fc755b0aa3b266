// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// metrics shows what the last look saw.
type metrics struct {
	reserved, free *prometheus.Desc
	latency        *latency

	mu   sync.Mutex
	rows []metricsRow
}

type metricsRow struct {
	member         string
	reserved, free fit.Resources
}

func newMetrics(l *latency) *metrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"member", "resource"}, nil)
	}
	return &metrics{
		latency:  l,
		reserved: desc("plimsoll_headroom_reserved", "What a member keeps for a surge: cpu in cores, memory in bytes. In observation, what it would keep."),
		free:     desc("plimsoll_headroom_free", "What the nodes of a member that count have left, the reserve included: cpu in cores, memory in bytes."),
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.reserved
	out <- m.free
	m.latency.surges.Describe(out)
	m.latency.pods.Describe(out)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	rows := m.rows
	m.mu.Unlock()
	for _, row := range rows {
		for desc, amounts := range map[*prometheus.Desc]fit.Resources{m.reserved: row.reserved, m.free: row.free} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(amounts["cpu"])/1000, row.member, "cpu")
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(amounts["memory"]), row.member, "memory")
		}
	}
	m.latency.surges.Collect(out)
	m.latency.pods.Collect(out)
}

// show replaces what is shown. A cluster that is not known is left out.
func (m *metrics) show(w *world) {
	var rows []metricsRow
	for _, s := range w.scenes {
		for _, one := range s.rows {
			if one.reserve != nil {
				rows = append(rows, metricsRow{one.cluster.Name, s.reserved(one), one.reserve.Base.Free})
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows = rows
}
