// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"k8s.io/klog/v2"
)

// configFile is the scrape configuration as it was read last.
type configFile struct {
	content []byte         // read last, good or bad
	current *config.Config // the last good one

	mu  sync.Mutex
	err error // why content is not current; nil if it is
}

// load reads the file and checks it. It has no effect on current if the file is bad.
func (c *configFile) load(path string, sampleLimit uint) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the scrape configuration: %w", err)
	}
	c.content = content
	// The discarded messages are about variables of the environment that the file names and that are not set.
	next, err := config.LoadFile(path, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("the scrape configuration %s: %w", path, err)
	}
	scrapes, err := next.GetScrapeConfigs()
	if err != nil {
		return fmt.Errorf("the scrape configuration %s: %w", path, err)
	}
	for _, s := range scrapes {
		if s.SampleLimit == 0 {
			s.SampleLimit = sampleLimit
		}
	}
	if n := ignored(next); len(n) > 0 {
		klog.InfoS("The embedded engine scrapes only; sections of its configuration have no effect", "file", path, "sections", n)
	}
	c.current = next
	return nil
}

// ignored lists the sections of a complete prometheus.yml that are not acted upon.
func ignored(c *config.Config) []string {
	var sections []string
	for name, present := range map[string]bool{
		"rule_files":   len(c.RuleFiles) > 0,
		"alerting":     len(c.AlertingConfig.AlertmanagerConfigs) > 0,
		"remote_write": len(c.RemoteWriteConfigs) > 0,
		"remote_read":  len(c.RemoteReadConfigs) > 0,
	} {
		if present {
			sections = append(sections, name)
		}
	}
	return sections
}

// ConfigError says why the configuration file in its present form is not in use; nil if it is. The engine goes on with
// the last good one.
func (e *Engine) ConfigError() error {
	e.config.mu.Lock()
	defer e.config.mu.Unlock()
	return e.config.err
}

func (c *configFile) report(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// watch reads the file again and again: a mounted ConfigMap changes by a link, which notifications miss.
func (e *Engine) watch(ctx context.Context) {
	ticker := time.NewTicker(e.options.ReloadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			e.reloadIfChanged()
		}
	}
}

func (e *Engine) reloadIfChanged() {
	path := e.options.ScrapeConfigFile
	content, err := os.ReadFile(path)
	if err == nil && bytes.Equal(content, e.config.content) {
		return
	}
	before := e.config.current
	if err == nil {
		err = e.config.load(path, e.options.ScrapeSampleLimit)
	}
	if err == nil {
		if err = e.apply(e.config.current); err != nil {
			e.config.current = before
			err = fmt.Errorf("the scrape configuration %s: %w", path, err)
			if again := e.apply(before); again != nil {
				err = fmt.Errorf("%w; and the one before it cannot be used again: %w", err, again)
			}
		}
	}
	known := e.ConfigError()
	e.config.report(err)
	switch {
	case err == nil:
		klog.InfoS("Scrape configuration reloaded", "file", path)
	case known == nil || known.Error() != err.Error():
		klog.ErrorS(err, "The scrape configuration has an error; the last good one stays in use")
	}
}

// apply tells scraping first, because it must know a job before the job's targets come.
func (e *Engine) apply(c *config.Config) error {
	if err := e.scrapes.ApplyConfig(c); err != nil {
		return err
	}
	scrapes, err := c.GetScrapeConfigs()
	if err != nil {
		return err
	}
	jobs := make(map[string]discovery.Configs, len(scrapes))
	for _, s := range scrapes {
		jobs[s.JobName] = s.ServiceDiscoveryConfigs
	}
	return e.targets.ApplyConfig(jobs)
}
