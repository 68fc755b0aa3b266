// SPDX-License-Identifier: Apache-2.0

// Package promapi serves the read-only part of Prometheus' HTTP API with Prometheus' own handlers, in front of any query
// engine and storage.
package promapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// New returns the handler of /api/v1/query, query_range, series, labels and label/<name>/values. Everything else is 404.
func New(engine promql.QueryEngine, db storage.SampleAndChunkQueryable) http.Handler {
	router := route.New().WithPrefix("/api/v1")
	prometheusAPI(engine, db).Register(router)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := source.Endpoint(r.URL.Path); !ok {
			http.NotFound(w, r)
			return
		}
		router.ServeHTTP(w, r)
	})
}

// prometheusAPI gives the endpoints that are served what they need, and those that are not served nothing.
func prometheusAPI(engine promql.QueryEngine, db storage.SampleAndChunkQueryable) *apiv1.API {
	noOrigin := regexp.MustCompile(`^\b$`) // no browser of another site may read
	metrics := prometheus.NewRegistry()
	return apiv1.NewAPI(engine, db, nil, nil, nil,
		func(context.Context) apiv1.ScrapePoolsRetriever { return nil },
		func(context.Context) apiv1.TargetRetriever { return nil },
		func(context.Context) apiv1.AlertmanagerRetriever { return nil },
		func() config.Config { return config.DefaultConfig },
		nil, apiv1.GlobalURLOptions{},
		func(next http.HandlerFunc) http.HandlerFunc { return next },
		nil, "", false, false, 0,
		slog.New(slog.DiscardHandler), // failures to answer are the callers': they hung up
		func(context.Context) apiv1.RulesRetriever { return nil },
		0, 0, 0, false, noOrigin, nil, nil, nil, nil,
		metrics, metrics, nil,
		false, nil, false, false, false, false,
		0, false, false, nil, nil, apiv1.OpenAPIOptions{}, NewParser())
}

// EngineOptions bound the queries of an engine.
type EngineOptions struct {
	MaxSamples int           // samples one query may hold in memory
	Timeout    time.Duration // of one query
	Lookback   time.Duration // for queries that do not say
	Tracker    promql.QueryTracker
}

// NewEngine returns a PromQL engine that behaves as a Prometheus server's.
func NewEngine(o EngineOptions) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger:                   slog.New(slog.DiscardHandler),
		MaxSamples:               o.MaxSamples,
		Timeout:                  o.Timeout,
		LookbackDelta:            o.Lookback,
		ActiveQueryTracker:       o.Tracker,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() }, // Prometheus' default evaluation_interval
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		Parser:                   NewParser(),
	})
}

// NewParser returns the parser of PromQL as it is without experimental features.
func NewParser() parser.Parser { return parser.NewParser(parser.Options{}) }
