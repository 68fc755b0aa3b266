// SPDX-License-Identifier: Apache-2.0

// Package embedded is a source without a Prometheus server: Prometheus' own service discovery, scraping, time series
// database and PromQL engine, driven by an ordinary prometheus.yml of which the sections global, scrape_configs and
// scrape_config_files count.
package embedded

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultRetention is how long samples are kept: longer than the ranges that rules for scaling look at, shorter than what
// deserves a Prometheus.
const DefaultRetention = 6 * time.Hour

// Options of the engine.
type Options struct {
	ScrapeConfigFile string        // in prometheus.yml's format; read again when it changes
	DataDir          string        // write-ahead log and blocks; one process at a time
	Retention        time.Duration // of samples; 0: DefaultRetention
	RetentionBytes   int64         // of blocks on disk; 0: 4 GiB
	// ScrapeSampleLimit is for scrape configs that set no sample_limit: a scrape with more samples fails. 0: 250,000.
	ScrapeSampleLimit uint
	QueryMaxSamples   int           // one query may hold in memory; 0: 20,000,000 (16 bytes each)
	QueryConcurrency  int           // queries evaluated at once: 8 for rules, the default of --concurrency, and 4 for the query API; 0: 12
	QueryTimeout      time.Duration // 0: 30 s
	ReloadInterval    time.Duration // how often ScrapeConfigFile is looked at; 0: 5 s
	// Registerer takes Prometheus' own metrics of scraping and storage; nil: none.
	Registerer prometheus.Registerer
}

// defaulted fills what is 0 and checks the rest.
func (o Options) defaulted() (Options, error) {
	if o.ScrapeConfigFile == "" || o.DataDir == "" {
		return o, errors.New("the embedded engine needs a scrape configuration file and a data directory")
	}
	fill(&o.Retention, DefaultRetention)
	fill(&o.RetentionBytes, 4<<30)
	fill(&o.ScrapeSampleLimit, 250_000)
	fill(&o.QueryMaxSamples, 20_000_000)
	fill(&o.QueryConcurrency, 12)
	fill(&o.QueryTimeout, 30*time.Second)
	fill(&o.ReloadInterval, 5*time.Second)
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Retention < 0 || o.RetentionBytes < 0 || o.QueryMaxSamples < 0 || o.QueryConcurrency < 0 || o.QueryTimeout < 0 || o.ReloadInterval < 0 {
		return o, errors.New("a limit of the embedded engine is negative")
	}
	return o, nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
