// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// FuzzExposition lets an application expose anything: what gets into the storage must come out of a query as it went in,
// one sample for each set of labels, and nothing may panic. Every input is stored an hour after the one before, so that
// inputs do not see each other.
func FuzzExposition(f *testing.F) {
	f.Add("online_users{namespace=\"shop\",pod=\"a\"} 31.5\n", false)
	f.Add("# HELP online_users People.\n# TYPE online_users gauge\nonline_users 1e300\nonline_users{pod=\"\\\"\\n\"} -Inf 1700000000000\n", false)
	f.Add("# TYPE requests histogram\nrequests_bucket{le=\"+Inf\"} 3\nrequests_sum 1\nrequests_count 3\n", false)
	f.Add("# TYPE orders counter\norders_total{a=\"b\"} 17 1520879607.789 # {id=\"x\"} 0.5\n# EOF\n", true)
	f.Add("{\"quoted.name\",a=\"b\"} NaN\n", false)
	dir := f.TempDir()
	file := filepath.Join(dir, "scrape.yml")
	require.NoError(f, os.WriteFile(file, []byte(noTargets), 0o600))
	e, err := New(f.Context(), Options{ScrapeConfigFile: file, DataDir: filepath.Join(dir, "data")})
	require.NoError(f, err)
	f.Cleanup(func() { _ = e.Close() })
	at := time.Now()
	f.Fuzz(func(t *testing.T, text string, openMetrics bool) {
		at = at.Add(time.Hour)
		stored := store(t, e, parserOf(text, openMetrics), at)
		got := 0
		err := e.Instant(t.Context(), source.Query{Expr: `{__name__=~".+"}`, Time: at, Lookback: time.Minute}, func(s source.Sample) error {
			got++
			require.NotEmpty(t, s.Labels)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, stored, got)
	})
}

func parserOf(text string, openMetrics bool) textparse.Parser {
	if openMetrics {
		return textparse.NewOpenMetricsParser([]byte(text), labels.NewSymbolTable())
	}
	return textparse.NewPromParser([]byte(text), labels.NewSymbolTable(), false)
}

// store appends what the parser reads, as a scrape does, and returns the number of series with a value.
func store(t *testing.T, e *Engine, p textparse.Parser, at time.Time) int {
	appender := e.db.Appender(t.Context())
	seen := map[string]bool{}
	for {
		entry, err := p.Next()
		if err != nil { // the end, or a mistake, at which a scrape gives up
			break
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := p.Series()
		var set labels.Labels
		p.Labels(&set)
		if _, err := appender.Append(0, set, at.UnixMilli(), value); err == nil {
			seen[set.String()] = true
		}
	}
	require.NoError(t, appender.Commit())
	return len(seen)
}
