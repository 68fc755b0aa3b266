// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/file" // *_sd_configs register themselves; static_configs always work
	_ "github.com/prometheus/prometheus/discovery/http"
	_ "github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
	"github.com/prometheus/prometheus/util/logging"
	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/promapi"
)

// Engine scrapes, stores and evaluates. It implements source.Source.
type Engine struct {
	options Options
	db      *tsdb.DB
	queries *promql.Engine
	targets *discovery.Manager
	scrapes *scrape.Manager
	config  configFile
	api     http.Handler

	// gate is held by every evaluation; Close takes it for itself, because a query in a closed storage reads memory that
	// is no longer mapped.
	gate    sync.RWMutex
	closed  bool
	stop    context.CancelFunc
	running errgroup.Group
	close   func() error // once
}

// New reads the configuration and the data of an earlier run, and begins to scrape. Scraping ends with ctx; the caller
// also calls Close.
func New(ctx context.Context, o Options) (*Engine, error) {
	o, err := o.defaulted()
	if err != nil {
		return nil, err
	}
	e := &Engine{options: o}
	if err := e.config.load(o.ScrapeConfigFile, o.ScrapeSampleLimit); err != nil {
		return nil, err
	}
	logger := slog.New(logr.ToSlogHandler(klog.Background().WithName("embedded").V(2))) // information at -v=2, warnings always
	if err := e.openStorage(logger); err != nil {
		return nil, err
	}
	if err := e.start(ctx, logger); err != nil {
		return nil, errors.Join(err, e.queries.Close(), e.db.Close())
	}
	return e, nil
}

func (e *Engine) openStorage(logger *slog.Logger) error {
	o := e.options
	if err := os.MkdirAll(o.DataDir, 0o750); err != nil {
		return fmt.Errorf("the data directory of the embedded engine: %w", err)
	}
	storage := tsdb.DefaultOptions()
	storage.RetentionDuration = o.Retention.Milliseconds()
	storage.MaxBytes = o.RetentionBytes
	storage.WALCompression = compression.Snappy
	storage.StripeSize = 1 << 10 // for up to some 100,000 series; the default is for tens of millions
	db, err := tsdb.Open(o.DataDir, logger, o.Registerer, storage, nil)
	if err != nil {
		return fmt.Errorf("the embedded engine cannot open its data directory %s (does another process use it?): %w", o.DataDir, err)
	}
	tracker, err := promql.NewActiveQueryTracker(o.DataDir, o.QueryConcurrency, logger)
	if err != nil {
		return errors.Join(fmt.Errorf("the embedded engine's data directory: %w", err), db.Close())
	}
	e.db = db
	e.queries = promapi.NewEngine(promapi.EngineOptions{MaxSamples: o.QueryMaxSamples, Timeout: o.QueryTimeout, Lookback: 5 * time.Minute, Tracker: tracker})
	e.api = promapi.New(e.queries, db)
	return nil
}

// start wires discovery to scraping, as Prometheus does.
func (e *Engine) start(ctx context.Context, logger *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	e.stop = cancel
	metrics, err := discovery.CreateAndRegisterSDMetrics(e.options.Registerer)
	if err != nil {
		cancel()
		return fmt.Errorf("service discovery: %w", err)
	}
	e.targets = discovery.NewManager(ctx, logger, e.options.Registerer, metrics, discovery.Name("embedded"), discovery.Updatert(time.Second))
	opts := &scrape.Options{DiscoveryReloadInterval: model.Duration(time.Second), DiscoveryReloadOnStartup: true}
	e.scrapes, err = scrape.NewManager(opts, logger, logging.NewJSONFileLogger, nil, e.db, e.options.Registerer)
	if err == nil {
		err = e.apply(e.config.current)
	}
	if err != nil {
		cancel()
		return fmt.Errorf("scraping: %w", err)
	}
	e.running.Go(e.targets.Run)
	e.running.Go(func() error { return e.scrapes.Run(e.targets.SyncCh()) })
	e.running.Go(func() error { e.watch(ctx); return nil })
	e.close = sync.OnceValue(e.shutdown)
	return nil
}

// Close ends scraping, waits for it and for running evaluations, and closes the storage. Evaluations after it fail.
func (e *Engine) Close() error { return e.close() }

func (e *Engine) shutdown() error {
	e.stop()         // no new targets, no reload
	e.scrapes.Stop() // no new samples
	err := e.running.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil // how the discovery manager says that it was told to stop
	}
	e.gate.Lock()
	defer e.gate.Unlock()
	e.closed = true
	return errors.Join(err, e.queries.Close(), e.db.Close())
}

// enter begins an evaluation; the caller calls leave at its end. It fails after Close.
func (e *Engine) enter() (leave func(), err error) {
	e.gate.RLock()
	if e.closed {
		e.gate.RUnlock()
		return nil, fmt.Errorf("%w: the embedded engine is closed", source.ErrUnreachable)
	}
	return e.gate.RUnlock, nil
}
