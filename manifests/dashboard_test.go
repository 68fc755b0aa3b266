// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/manifests"
)

// panel is what a query needs of Grafana's format.
type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct{ X, Y, W, H int }
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// foreignMetrics are those of the libraries that our programs are built with.
var foreignMetrics = []string{"up", "leader_election_master_status", "workqueue_depth", "process_resident_memory_bytes"}

// ownMetrics are the names of metrics in the sources of adapter and scaler.
func ownMetrics(t *testing.T) map[string]bool {
	t.Helper()
	name := regexp.MustCompile(`"(plimsoll_[a-z_]+)"`)
	found := map[string]bool{}
	for _, folder := range []string{"../adapter", "../scaler"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, match := range name.FindAllSubmatch(text, -1) {
				found[string(match[1])] = true
			}
			return err
		})
		require.NoError(t, err)
	}
	for _, foreign := range foreignMetrics {
		found[foreign] = true
	}
	return found
}

// requireKnown fails if an expression does not parse or names a metric that nobody has.
func requireKnown(t *testing.T, known map[string]bool, expr, where string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	require.NoError(t, err, where)
	for _, selector := range parser.ExtractSelectors(parsed) {
		for _, matcher := range selector {
			if matcher.Name == model.MetricNameLabel {
				require.True(t, known[strings.TrimSuffix(matcher.Value, "_bucket")], "%s names %s, which nothing has", where, matcher.Value)
			}
		}
	}
}

// Every panel and every alert asks for metrics that exist, in PromQL that parses; panels do not lie on each other.
func TestDashboardAndAlertsNameMetricsThatExist(t *testing.T) {
	known := ownMetrics(t)
	for name, one := range alerts(t) {
		requireKnown(t, known, one.expr, name)
	}
	text, err := manifests.Files.ReadFile("components/dashboard/plimsoll.json")
	require.NoError(t, err)
	var dashboard struct {
		UID    string  `json:"uid"`
		Panels []panel `json:"panels"`
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	require.NotEmpty(t, dashboard.UID)
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range dashboard.Panels {
		require.False(t, ids[p.ID], "%s has the id of another panel", p.Title)
		ids[p.ID] = true
		require.True(t, p.Type == "row" || len(p.Targets) > 0, "%s asks nothing", p.Title)
		for _, target := range p.Targets {
			requireKnown(t, known, target.Expr, p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], "%s lies on it", p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
	}
}
