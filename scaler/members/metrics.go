// SPDX-License-Identifier: Apache-2.0

package members

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// metrics shows the members as they are when they are scraped; what is forgotten vanishes.
type metrics struct {
	state, nodes, readyNodes, freeCPU, freeMemory, answered *prometheus.Desc

	duration *prometheus.HistogramVec
	failures *prometheus.CounterVec
	suspect  prometheus.Gauge

	mu   sync.Mutex
	rows map[string]row
}

// row is one member.
type row struct {
	state        v1alpha1.MemberState
	nodes, ready int
	free         fit.Resources // nil: not known yet
	answered     time.Time
}

func newMetrics() *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"member"}, labels...), nil)
	}
	return &metrics{
		state:      desc("plimsoll_member_state", "1 for the state of a member: Healthy, Suspect or Failed.", "state"),
		nodes:      desc("plimsoll_member_nodes", "Nodes of a member."),
		readyNodes: desc("plimsoll_member_ready_nodes", "Ready nodes of a member."),
		freeCPU:    desc("plimsoll_member_free_cpu_cores", "Cores that the member's nodes that count have left, the reserve included."),
		freeMemory: desc("plimsoll_member_free_memory_bytes", "Memory that the member's nodes that count have left, the reserve included."),
		answered:   desc("plimsoll_member_last_answer_timestamp_seconds", "When the member's API server last answered that it is ready."),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plimsoll_member_probe_duration_seconds", Help: "How long probes of a member took, connecting included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"member"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_member_probe_failures_total", Help: "Probes of a member that failed, by cause.",
		}, []string{"member", "cause"}),
		suspect: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "plimsoll_hub_suspects_itself", Help: "1 while so many members are silent at once that it is rather the hub's own network.",
		}),
		rows: map[string]row{},
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.state, m.nodes, m.readyNodes, m.freeCPU, m.freeMemory, m.answered} {
		out <- d
	}
	m.duration.Describe(out)
	m.failures.Describe(out)
	m.suspect.Describe(out)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.duration.Collect(out)
	m.failures.Collect(out)
	m.suspect.Collect(out)
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, r := range m.rows {
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{name}, labels...)...)
		}
		for _, state := range []v1alpha1.MemberState{v1alpha1.MemberHealthy, v1alpha1.MemberSuspect, v1alpha1.MemberFailed} {
			gauge(m.state, boolean(r.state == state), string(state))
		}
		if !r.answered.IsZero() {
			gauge(m.answered, float64(r.answered.Unix()))
		}
		if r.free != nil {
			gauge(m.nodes, float64(r.nodes))
			gauge(m.readyNodes, float64(r.ready))
			gauge(m.freeCPU, float64(r.free[cpu])/1000)
			gauge(m.freeMemory, float64(r.free[memory]))
		}
	}
}

// probed counts a probe.
func (m *metrics) probed(member string, took time.Duration, cause health.Cause) {
	m.duration.WithLabelValues(member).Observe(took.Seconds())
	if cause != health.OK {
		m.failures.WithLabelValues(member, string(cause)).Inc()
	}
}

// show keeps what is known of a member; snapshot nil: what its nodes have is as it was, or not its to be counted.
func (m *metrics) show(member string, s *v1alpha1.MemberClusterStatus, snapshot *capacity.Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[member]
	r.state, r.answered = s.State, at(s.LastAnswerTime)
	switch {
	case snapshot == nil && s.Nodes == nil:
		r.free = nil
	case snapshot != nil:
		r.nodes, r.ready, r.free = snapshot.Total, snapshot.Ready, sum(snapshot).base.Free
	}
	m.rows[member] = r
}

func (m *metrics) doubt(suspect bool) { m.suspect.Set(boolean(suspect)) }

func (m *metrics) forget(member string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, member)
	m.duration.DeletePartialMatch(prometheus.Labels{"member": member})
	m.failures.DeletePartialMatch(prometheus.Labels{"member": member})
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
