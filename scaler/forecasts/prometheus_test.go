// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	grafana "github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// promServer is a Prometheus of its own packages behind the paths of query.plimsoll.dev, on loopback.
type promServer struct {
	db       *tsdb.DB
	server   *httptest.Server
	down     atomic.Bool
	requests atomic.Int64
	atOnce   atomic.Int64 // requests now
	most     atomic.Int64 // at the same time, so far
}

var proxied = regexp.MustCompile(`^/apis/query\.plimsoll\.dev/v1alpha1/namespaces/[a-z0-9-]+/sources/default/proxy(/api/v1/.*)$`)

func newProm(t testing.TB) *promServer {
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	require.NoError(t, err)
	db.DisableCompactions() // two weeks in memory are read faster than written to blocks
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	read := parser.NewParser(parser.Options{})
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: slog.New(slog.DiscardHandler), MaxSamples: 1_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: read,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
	})
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	registry := prometheus.NewRegistry()
	router := route.New().WithPrefix("/api/v1")
	apiv1.NewAPI(engine, db, nil, nil, nil,
		func(context.Context) apiv1.ScrapePoolsRetriever { return nil },
		func(context.Context) apiv1.TargetRetriever { return nil },
		func(context.Context) apiv1.AlertmanagerRetriever { return nil },
		func() config.Config { return config.DefaultConfig }, nil, apiv1.GlobalURLOptions{},
		func(next http.HandlerFunc) http.HandlerFunc { return next },
		nil, "", false, false, 0, slog.New(slog.DiscardHandler),
		func(context.Context) apiv1.RulesRetriever { return nil },
		0, 0, 0, false, grafana.MustCompile(`^\b$`), nil, nil, nil, nil, registry, registry, nil,
		false, nil, false, false, false, false, 0, false, false, nil, nil, apiv1.OpenAPIOptions{}, read).Register(router)
	p := &promServer{db: db}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		p.most.Store(max(p.most.Load(), p.atOnce.Add(1)))
		defer p.atOnce.Add(-1)
		path := proxied.FindStringSubmatch(r.URL.Path)
		if p.down.Load() || path == nil {
			http.Error(w, "service unavailable", http.StatusServiceUnavailable)
			return
		}
		r.URL.Path, r.URL.RawPath = path[1], ""
		router.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

func (p *promServer) config() *rest.Config { return &rest.Config{Host: p.server.URL} }

// push adds samples of a series, one every step.
func (p *promServer) push(t testing.TB, series string, from, to time.Time, step time.Duration, value func(time.Time) float64) {
	name, pairs, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	builder := labels.NewScratchBuilder(4)
	builder.Add("__name__", name)
	for _, pair := range strings.Split(pairs, ",") {
		if key, text, ok := strings.Cut(pair, "="); ok {
			builder.Add(key, strings.Trim(text, `"`))
		}
	}
	builder.Sort()
	all := builder.Labels()
	a := p.db.Appender(context.Background())
	for at := from; !at.After(to); at = at.Add(step) {
		_, err := a.Append(0, all, at.UnixMilli(), value(at))
		require.NoError(t, err)
	}
	require.NoError(t, a.Commit())
}
