// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/cmd/stack"
)

// stage is what a demo plays on: a folder, and in it a cluster with an adapter and a scaler.
type stage struct {
	*stack.Stack
	dir       string
	temporary bool
	source    string // where the numbers come from, for the view
	samples   string // the folder of the engine's samples; "": a Prometheus server has them
}

// scrapeConfig is read by the adapter's own engine and by a Prometheus server alike. The shop says which pod each
// series is about, and the scaler which HPA, hence honor_labels. The scaler's are for `plimsoll report`; its address is in
// a file, as it starts after those who scrape.
const scrapeConfig = `global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
- job_name: shop
  honor_labels: true
  static_configs:
  - targets: [%q]
- job_name: scaler
  honor_labels: true
  scrape_interval: 5s
  file_sd_configs:
  - files: [%q]
  metric_relabel_configs:
  - {source_labels: [__name__], regex: plimsoll_.*, action: keep}
`

// adapterName is what the stage's one adapter is called, scalerName its one scaler.
const (
	adapterName = "adapter-0"
	scalerName  = "scaler-0"
)

// start starts a cluster on which pods take startup to be Ready, and nothing of Plimsoll that runs in it yet.
func start(ctx context.Context, o Options, shopAddress string, startup time.Duration) (*stage, error) {
	s := &stage{dir: o.Dir, temporary: o.Dir == "", source: "the adapter's own engine"}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	scrape := filepath.Join(s.dir, "scrape.yaml")
	if err := os.WriteFile(scrape, fmt.Appendf(nil, scrapeConfig, shopAddress, s.targets()), 0o600); err != nil {
		return nil, fmt.Errorf("write the scrape configuration: %w", err)
	}
	progress := &gate{out: o.Progress}
	defer context.AfterFunc(ctx, progress.shut)()
	options := stack.Options{
		ClusterOptions: stack.ClusterOptions{
			Name: "demo", Dir: s.dir, HPASyncPeriod: syncPeriod, Progress: progress,
			Arguments: []string{"--pod-ready-delay", startup.String(), "--component-arg", controllerArgument},
		},
		Direct: true, Adapters: -1,
	}
	if o.Prometheus {
		options.PrometheusConfig, s.source = scrape, "a Prometheus server"
	} else {
		options.ScrapeConfig, s.samples = scrape, filepath.Join(s.dir, "samples")
		options.AdapterArguments = []string{"--storage-dir=" + s.samples}
	}
	var err error
	if s.Stack, err = stack.Start(ctx, options); err == nil {
		return s, nil
	}
	if ctx.Err() != nil && s.temporary && !o.Keep {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return nil, fmt.Errorf("%w\nlogs are in %s", err, s.dir)
}

// install starts Plimsoll: the adapter, and the scaler.
func (s *stage) install(ctx context.Context) error {
	if err := s.StartAdapter(ctx, adapterName); err != nil {
		return err
	}
	if err := s.WaitAvailable(ctx); err != nil {
		return err
	}
	if err := s.StartScaler(ctx, scalerName); err != nil {
		return err
	}
	if err := os.WriteFile(s.targets(), fmt.Appendf(nil, `[{"targets": [%q]}]`, s.ScalerAddress(scalerName)), 0o600); err != nil {
		return fmt.Errorf("write the scrape configuration: %w", err)
	}
	return nil
}

// targets is the file with the scaler's address, for who scrapes it.
func (s *stage) targets() string { return filepath.Join(s.dir, "scaler.json") }

// makeDir makes the folder, and lets the client libraries log into it instead of across the view.
func (s *stage) makeDir() error {
	var err error
	if s.temporary {
		s.dir, err = os.MkdirTemp("", "plimsoll-demo-")
	} else if err = os.MkdirAll(s.dir, 0o700); err == nil {
		s.dir, err = filepath.Abs(s.dir)
	}
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	log, err := os.Create(filepath.Join(s.dir, "demo.log")) // open as long as we run
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	klog.LogToStderr(false)
	klog.SetOutput(log)
	return nil
}

// stop ends the cluster and the adapter. The folder stays if it is the user's or is to be kept.
func (s *stage) stop(keep bool) error {
	err := s.Stop()
	if s.temporary && !keep {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// gate lets progress through until it is shut: what a start that was interrupted has to say is of no interest.
type gate struct {
	out    io.Writer
	closed atomic.Bool
}

func (g *gate) shut() { g.closed.Store(true) }

// Write implements io.Writer.
func (g *gate) Write(p []byte) (int, error) {
	if g.closed.Load() {
		return len(p), nil
	}
	return g.out.Write(p)
}
