// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/forecasts/history"
	"github.com/plimsoll/plimsoll/scaler/forecasts/model"
)

// censoredMetric is read again after a restart: see loop.mark.
const censoredMetric = "plimsoll_forecast_censored"

// shown is what the metrics tell of one forecast.
type shown struct {
	demand, expected, upper float64
	coverage, err           float64
	lead                    time.Duration
	newest                  time.Time
	floor                   float64
	known                   bool // all of the above
	trusted, enforcing      float64
	asks                    bool
	censored                float64
}

func (e *entry) show(in *model.Input, v model.Verdict) {
	s := &shown{lead: in.Lead, asks: v.Asks, floor: float64(v.Floor), censored: one(e.censored), enforcing: one(v.Effective == v1alpha1.ForecastEnforcing)}
	if view := in.View; view != nil {
		s.known = true
		s.demand, s.expected, s.upper = view.Newest.Value, view.Expected.Value, view.Demand
		s.coverage, s.err, s.newest = view.Accuracy.Coverage, view.Accuracy.Error, view.Newest.Time
		s.trusted = one(v.Trusted)
	}
	e.shown.Store(s)
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// meters are the loop's metrics. The gauges are made from the entries when they are read, so that those of a deleted
// forecast vanish with it.
type meters struct {
	entries *entries
	now     func() time.Time
	queries *prometheus.CounterVec
	writes  *prometheus.CounterVec
	gauges  []gauge
}

type gauge struct {
	desc  *prometheus.Desc
	value func(*shown) (value float64, known bool)
}

func newMeters(s *entries, now func() time.Time) *meters {
	m := &meters{
		entries: s, now: now,
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_forecast_queries_total", Help: "Requests to the query API, by result: ok, invalid, refused, forbidden or unreachable.",
		}, []string{"result"}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_forecast_status_writes_total", Help: "Writes of the status of ScaleForecasts, by result: ok or error.",
		}, []string{"result"}),
	}
	add := func(name, help string, value func(*shown) (float64, bool)) {
		m.gauges = append(m.gauges, gauge{prometheus.NewDesc(name, help, []string{"namespace", "forecast"}, nil), value})
	}
	add("plimsoll_forecast_demand", "The newest value of the demand, in the unit of its query.", func(s *shown) (float64, bool) { return s.demand, s.known })
	add("plimsoll_forecast_expected", "The demand that is expected one lead time ahead.", func(s *shown) (float64, bool) { return s.expected, s.known })
	add("plimsoll_forecast_upper", "The bound of the demand up to one lead time ahead, which the floor is made from.", func(s *shown) (float64, bool) { return s.upper, s.known })
	add("plimsoll_forecast_floor_replicas", "The replicas that the forecast asks for, whether or not they are enforced.", func(s *shown) (float64, bool) { return s.floor, s.asks })
	add("plimsoll_forecast_enforcing", "1 while the floor counts.", func(s *shown) (float64, bool) { return s.enforcing, true })
	add("plimsoll_forecast_coverage_ratio", "Share of the demand's values at or under the bound, over about three days.", func(s *shown) (float64, bool) { return s.coverage, s.known })
	add("plimsoll_forecast_error_ratio", "Mean error as a share of the demand, over about three days.", func(s *shown) (float64, bool) { return s.err, s.known })
	add("plimsoll_forecast_trusted", "1 while the forecast is trusted.", func(s *shown) (float64, bool) { return s.trusted, s.known })
	add("plimsoll_forecast_lead_seconds", "How far ahead the floor looks.", func(s *shown) (float64, bool) { return s.lead.Seconds(), true })
	add("plimsoll_forecast_last_value_age_seconds", "Age of the newest value of the demand.", func(s *shown) (float64, bool) { return max(0, m.now().Sub(s.newest).Seconds()), s.known })
	add(censoredMetric, "1 if the newest value was not learned from, because replicas were held, short or missing.", func(s *shown) (float64, bool) { return s.censored, s.known })
	return m
}

// register adds the metrics to a registry.
func (m *meters) register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m, m.queries, m.writes} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("cannot register the metrics of the forecasts: %w", err)
		}
	}
	return nil
}

// Describe implements prometheus.Collector.
func (m *meters) Describe(out chan<- *prometheus.Desc) {
	for _, g := range m.gauges {
		out <- g.desc
	}
}

// Collect implements prometheus.Collector.
func (m *meters) Collect(out chan<- prometheus.Metric) {
	m.entries.each(func(key types.NamespacedName, s *shown) {
		for _, g := range m.gauges {
			if value, known := g.value(s); known {
				out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, key.Namespace, key.Name)
			}
		}
	})
}

func (m *meters) asked(err error) {
	result := "ok"
	var failed *history.Error
	switch {
	case errors.As(err, &failed):
		result = string(failed.Failure)
	case err != nil:
		result = "cancelled"
	}
	m.queries.WithLabelValues(result).Inc()
}

func (m *meters) wrote(err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.writes.WithLabelValues(result).Inc()
}
