// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/adapter/source/sourcetest"
)

const noTargets = "scrape_configs: []\n"

func open(t *testing.T, dir, config string) (*Engine, string) {
	file := filepath.Join(dir, "scrape.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	e, err := New(t.Context(), Options{ScrapeConfigFile: file, DataDir: filepath.Join(dir, "data"), ReloadInterval: 20 * time.Millisecond})
	require.NoError(t, err)
	return e, file
}

func TestEngineIsASource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) (source.Source, sourcetest.Push) {
		e, _ := open(t, t.TempDir(), noTargets)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		return e, sourcetest.Pusher(t, e.db)
	})
}

// exporter serves online_users for two pods, and counts scrapes.
func exporter(t *testing.T, scrapes *atomic.Int64) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		scrapes.Add(1)
		fmt.Fprint(w, "online_users{namespace=\"shop\",pod=\"a\"} 31.5\nonline_users{namespace=\"shop\",pod=\"b\"} 12\n")
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func scraping(job, target string) string {
	return fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: %s\n  static_configs: [{targets: [%q]}]\n", job, target)
}

func evaluate(t *testing.T, e *Engine, expr string) ([]sourcetest.Sample, error) {
	return sourcetest.Collect(t.Context(), e, source.Query{Expr: expr, Time: time.Now(), Lookback: 10 * time.Second})
}

func series(t *testing.T, e *Engine, expr string) []sourcetest.Sample {
	got, err := evaluate(t, e, expr)
	require.NoError(t, err)
	return got
}

// eventually waits until an expression has n series, and returns them: a scrape that fails makes them go again.
func eventually(t *testing.T, e *Engine, expr string, n int) []sourcetest.Sample {
	var found []sourcetest.Sample
	require.Eventually(t, func() bool {
		got, err := evaluate(t, e, expr)
		if err != nil || len(got) != n {
			return false
		}
		found = got
		return true
	}, 2*time.Minute, 20*time.Millisecond, "%s: %d series", expr, n)
	return found
}

// TestScrapesReloadsAndRemembers: a target is scraped; a broken file changes nothing and is reported; a new one takes
// effect; and what was scraped is there after a restart.
func TestScrapesReloadsAndRemembers(t *testing.T) {
	var first, second atomic.Int64
	dir := t.TempDir()
	e, file := open(t, dir, scraping("first", exporter(t, &first)))
	got := eventually(t, e, `online_users`, 2)
	require.Equal(t, 12.0, got[0].Value)
	require.Equal(t, "b", got[0].Labels["pod"])

	require.NoError(t, os.WriteFile(file, []byte("scrape_configs: [{job_name: 3s, nonsense: true}]"), 0o600))
	require.Eventually(t, func() bool { return e.ConfigError() != nil }, time.Minute, 5*time.Millisecond)
	require.ErrorContains(t, e.ConfigError(), "nonsense")
	before := first.Load()
	require.Eventually(t, func() bool { return first.Load() > before }, time.Minute, 20*time.Millisecond, "the last good configuration goes on")

	require.NoError(t, os.WriteFile(file, []byte(scraping("second", exporter(t, &second))), 0o600))
	eventually(t, e, `online_users{job="second"}`, 2)
	require.NoError(t, e.ConfigError())
	require.NoError(t, e.Close())
	require.NoError(t, e.Close(), "twice is once")
	_, err := sourcetest.Collect(t.Context(), e, source.Query{Expr: "up", Time: time.Now()})
	require.ErrorIs(t, err, source.ErrUnreachable)
	code, _ := sourcetest.Get(t, e.API(), "/api/v1/labels", nil)
	require.Equal(t, http.StatusServiceUnavailable, code)

	e, _ = open(t, dir, noTargets)
	require.Len(t, series(t, e, `last_over_time(online_users{job="second"}[1h])`), 2)
	require.NoError(t, e.Close())
}

// TestLockOfACrashedProcess: the lock file that a crash leaves behind blocks nothing; a living process does.
func TestLockOfACrashedProcess(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "lock"), nil, 0o600))
	e, file := open(t, dir, noTargets)
	_, err := New(t.Context(), Options{ScrapeConfigFile: file, DataDir: filepath.Join(dir, "data")})
	require.ErrorContains(t, err, "does another process use it?")
	require.NoError(t, e.Close())
}

// TestDamagedLogIsRepaired: a record cut short by a crash costs that record only.
func TestDamagedLogIsRepaired(t *testing.T) {
	dir := t.TempDir()
	e, _ := open(t, dir, noTargets)
	now := time.Now()
	sourcetest.Pusher(t, e.db)(now, 1, "__name__", "m")
	require.NoError(t, e.Close())
	segments, err := filepath.Glob(filepath.Join(dir, "data", "wal", "0*"))
	require.NoError(t, err)
	require.NotEmpty(t, segments)
	f, err := os.OpenFile(segments[len(segments)-1], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write([]byte{1, 0, 200, 1, 2, 3, 4, 5, 6})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	e, _ = open(t, dir, noTargets)
	require.NoError(t, e.Close())
}

func TestConfigurationErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "scrape.yml")
	write := func(s string) { require.NoError(t, os.WriteFile(file, []byte(s), 0o600)) }
	for content, text := range map[string]string{
		"scrape_configs: [{job_name: a, no_such_field: 1}]": "no_such_field",
		"scrape_configs: [{job_name: a}, {job_name: a}]":    "job name",
		"{": "yaml",
	} {
		write(content)
		_, err := New(t.Context(), Options{ScrapeConfigFile: file, DataDir: dir})
		require.ErrorContains(t, err, text)
		require.ErrorContains(t, err, file)
	}
	_, err := New(t.Context(), Options{DataDir: dir})
	require.ErrorContains(t, err, "needs a scrape configuration")
	_, err = New(t.Context(), Options{ScrapeConfigFile: file + "2", DataDir: dir})
	require.ErrorContains(t, err, "no such file")
	write(noTargets)
	_, err = New(t.Context(), Options{ScrapeConfigFile: file, DataDir: filepath.Join(file, "data")})
	require.ErrorContains(t, err, "data directory")
}

// TestLimits: a query that would hold too many samples is the query's fault; a scrape over its limit is not stored.
func TestLimits(t *testing.T) {
	var scrapes atomic.Int64
	dir := t.TempDir()
	file := filepath.Join(dir, "scrape.yml")
	require.NoError(t, os.WriteFile(file, []byte(scraping("job", exporter(t, &scrapes))), 0o600))
	e, err := New(t.Context(), Options{ScrapeConfigFile: file, DataDir: dir, ScrapeSampleLimit: 1, QueryMaxSamples: 20})
	require.NoError(t, err)
	eventually(t, e, `up == 0`, 1)
	require.Empty(t, series(t, e, "online_users"))
	push := sourcetest.Pusher(t, e.db)
	for i := range 30 {
		push(time.Now(), 1, "__name__", "m", "i", fmt.Sprint(i))
	}
	_, err = sourcetest.Collect(t.Context(), e, source.Query{Expr: "m", Time: time.Now().Add(time.Second), Lookback: time.Minute})
	require.ErrorIs(t, err, source.ErrRefused)
	require.ErrorContains(t, err, "too many samples")
	require.NoError(t, e.Close())
}
