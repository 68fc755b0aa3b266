// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// metrics shows the FederatedScales as they are when they are scraped; what is forgotten vanishes.
type metrics struct {
	replicas, ready, goal *prometheus.Desc

	failovers *prometheus.CounterVec
	seconds   prometheus.Histogram

	mu   sync.Mutex
	rows map[types.NamespacedName][]v1alpha1.FederatedClusterStatus
}

func newMetrics() *metrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"namespace", "scale", "cluster"}, nil)
	}
	return &metrics{
		replicas: desc("plimsoll_federated_replicas", "Replicas (with divide: Bounds minReplicas) in a cluster, or when it was last seen."),
		ready:    desc("plimsoll_federated_ready", "Ready replicas in a cluster; 0 while it is Failed."),
		goal:     desc("plimsoll_federated_goal", "The share of a cluster."),
		failovers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_federated_failovers_total", Help: "How often the replicas of a failed cluster moved to others.",
		}, []string{"namespace", "scale"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "plimsoll_federated_failover_seconds", Help: "From the declaration that a cluster has failed until the others have their shares Ready.",
			Buckets: []float64{1, 2.5, 5, 10, 15, 30, 60, 90, 120, 180, 300, 600, 1800},
		}),
		rows: map[types.NamespacedName][]v1alpha1.FederatedClusterStatus{},
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.replicas, m.ready, m.goal} {
		out <- d
	}
	m.failovers.Describe(out)
	m.seconds.Describe(out)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.failovers.Collect(out)
	m.seconds.Collect(out)
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, rows := range m.rows {
		for i := range rows {
			for d, value := range map[*prometheus.Desc]int32{m.replicas: rows[i].Replicas, m.ready: rows[i].Ready, m.goal: rows[i].Goal} {
				out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), key.Namespace, key.Name, rows[i].Name)
			}
		}
	}
}

// show keeps what is known of a FederatedScale.
func (m *metrics) show(f *v1alpha1.FederatedScale, status *v1alpha1.FederatedScaleStatus) {
	m.failovers.WithLabelValues(f.Namespace, f.Name)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[client.ObjectKeyFromObject(f)] = status.Clusters
}

func (m *metrics) failover(f *v1alpha1.FederatedScale) {
	m.failovers.WithLabelValues(f.Namespace, f.Name).Inc()
}

func (m *metrics) took(d time.Duration) { m.seconds.Observe(d.Seconds()) }

func (m *metrics) forget(key types.NamespacedName) {
	m.failovers.DeleteLabelValues(key.Namespace, key.Name)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, key)
}
