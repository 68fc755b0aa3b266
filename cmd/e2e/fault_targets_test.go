// SPDX-License-Identifier: Apache-2.0

//go:build faults

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The application hangs while Prometheus is up: values end, nothing is scaled, and all comes back.
func TestFaultExporterHangs(t *testing.T) {
	s := newStage(t)
	reads := s.read(t, 2, 50*time.Millisecond)
	resume := s.exporter.Hang()
	defer resume()
	hung := time.Now()
	for _, rule := range []string{s.users, s.orders} {
		s.says(t, "", rule, v1alpha1.ReasonNoData, "no series")
	}
	time.Sleep(time.Until(hung.Add(2 * maxAge))) // long enough for several of the HPA's periods
	reads.requireErrorsSince(t, hung.Add(maxAge+2*time.Second), "no value")
	resume()
	s.comesBack(t, s.realSource)
	reads.requireAnswered(t)
	reads.stop()
	s.stillScales(t)
}

// Half of the targets are gone: a sum would be halved, but the rule has a guard.
func TestFaultHalfTheTargetsGone(t *testing.T) {
	s := newStage(t)
	first, second := stacktest.NewExporter(), stacktest.NewExporter()
	t.Cleanup(first.Close)
	t.Cleanup(second.Close)
	for _, e := range []*stacktest.Exporter{first, second} {
		e.Set("", func() string { return "half_users 20" })
	}
	s.scrape(t, "pair", first, second)
	s.apply(t, s.ns, `
apiVersion: plimsoll.dev/v1alpha1
kind: ClusterMetricRule
metadata: {name: orders-$NS}
spec: {query: 'sum(half_users)', guard: 'avg(up{job="pair"}) > 0.8', interval: 2s, maxAge: 6s}
`)
	s.says(t, "", s.orders, v1alpha1.ReasonWorking, "1 series")
	s.isWell(t)
	reads := s.read(t, 2, 50*time.Millisecond) // 40, as the orders were, or an error

	resume := second.Hang()
	defer resume()
	hung := time.Now()
	s.says(t, "", s.orders, v1alpha1.ReasonGuardFailed, `avg(up{job="pair"}) > 0.8`)
	time.Sleep(time.Until(hung.Add(2 * maxAge)))
	orders := func(r read) bool { return r.path == s.questions()[1].path && r.err == nil }
	require.Empty(t, reads.since(hung.Add(maxAge+2*time.Second), orders), "values that ought to be errors")
	resume()
	s.says(t, "", s.orders, v1alpha1.ReasonWorking, "1 series")
	s.isWell(t)
	reads.requireAnswered(t)
	reads.stop() // taking the targets away again is no fault
}

// scrape adds a job to Prometheus' configuration, until the test ends.
func (s *stage) scrape(t *testing.T, job string, targets ...*stacktest.Exporter) {
	t.Helper()
	file := s.prometheusConfig()
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	after := string(before) + fmt.Sprintf("- job_name: %s\n  static_configs:\n", job)
	for _, e := range targets {
		after += fmt.Sprintf("  - targets: [%q]\n", e.Address())
	}
	write := func(content []byte) {
		require.NoError(t, os.WriteFile(file, content, 0o600))
		response, err := http.Post(s.realSource+"/-/reload", "", nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, "reload of Prometheus")
	}
	t.Cleanup(func() { write(before) })
	write([]byte(after))
	// A target that was never scraped yet has no up either: the guard's average would hold over the others alone.
	stacktest.Eventually(t, "a scrape of every target of "+job, func() error {
		got, err := s.prometheusCount(fmt.Sprintf("up{job=%q} == 1", job))
		if err == nil && got != len(targets) {
			err = fmt.Errorf("%d of %d targets are up", got, len(targets))
		}
		return err
	})
}

// prometheusCount is the number of series that the cluster's Prometheus answers to a query.
func (s *stage) prometheusCount(query string) (int, error) {
	response, err := http.Get(s.realSource + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Data struct {
			Result []json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("answer of Prometheus to %q: %w", query, err)
	}
	return len(answer.Data.Result), nil
}

// prometheusConfig is the file that newWorld wrote.
func (s *stage) prometheusConfig() string {
	return filepath.Join(filepath.Dir(s.Dir), "prometheus.yaml")
}
