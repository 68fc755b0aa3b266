// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// everything accepts all of PromQL's grammar, also what is experimental: the scope must hold for any dialect.
func everything() parser.Parser {
	return parser.NewParser(parser.Options{
		EnableExperimentalFunctions:  true,
		ExperimentalDurationExpr:     true,
		EnableExtendedRangeSelectors: true,
		EnableBinopFillModifiers:     true,
	})
}

func TestScopeQuery(t *testing.T) {
	for query, want := range map[string]string{
		`up`:                                   `up{namespace="shop"}`,
		`1`:                                    `1`,
		`"up"`:                                 `"up"`,
		`{__name__=~"a.*"}`:                    `{__name__=~"a.*",namespace="shop"}`,
		`up{namespace="other"}`:                `up{namespace="other",namespace="shop"}`,
		`up{namespace!="shop"}`:                `up{namespace!="shop",namespace="shop"}`,
		`sum by (pod) (rate(a[5m] offset 1m))`: `sum by (pod) (rate(a{namespace="shop"}[5m] offset 1m))`,
		`max_over_time(rate(a[1m])[1h:1m])`:    `max_over_time(rate(a{namespace="shop"}[1m])[1h:1m])`,
		`topk(scalar(b), a)`:                   `topk(scalar(b{namespace="shop"}), a{namespace="shop"})`,
		`a and on (pod) (b unless c)`:          `a{namespace="shop"} and on (pod) (b{namespace="shop"} unless c{namespace="shop"})`,
		`-a @ end()`:                           `-a{namespace="shop"} @ end()`,
		`absent(a)`:                            `absent(a{namespace="shop"})`,
		`sort_by_label(a, "x")`:                `sort_by_label(a{namespace="shop"}, "x")`,
		`{"a} or {b"}`:                         `{__name__="a} or {b",namespace="shop"}`,
		`a{x="\"} or secret{y=\""}`:            `a{namespace="shop",x="\"} or secret{y=\""}`,
		`label_replace(a, "n", "$1", "x", "(.*)")`: `label_replace(a{namespace="shop"}, "n", "$1", "x", "(.*)")`,
	} {
		got, err := ScopeQuery(everything(), query, "namespace", "shop")
		require.NoError(t, err, query)
		require.Equal(t, want, got, query)
	}
}

func TestScopeRefuses(t *testing.T) {
	for _, query := range []string{
		`info(a)`,
		`sum(info(a, {__name__="secret_info"}))`,
		`max_over_time(info(a)[1h:1m])`,
	} {
		_, err := ScopeQuery(everything(), query, "namespace", "shop")
		require.ErrorIs(t, err, ErrNotScopable, query)
	}
	_, err := ScopeQuery(everything(), `a`, "namespace", "")
	require.ErrorIs(t, err, ErrNotScopable)
	_, err = ScopeQuery(everything(), `sum(`, "namespace", "shop")
	require.ErrorContains(t, err, "parse error")
}

// expressions draws PromQL from a grammar that nests every kind of node that can hold a selector.
func expressions() *rapid.Generator[string] {
	selector := rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom([]string{`up`, `a:b`, `{__name__!=""}`, `{"q} or {x"}`, `up{namespace="other"}`, `up{namespace=~".*"}`, `up{x="}\""}`}).Draw(t, "name")
		return name
	})
	var grow func(depth int) *rapid.Generator[string]
	grow = func(depth int) *rapid.Generator[string] {
		if depth == 0 {
			return selector
		}
		return rapid.Custom(func(t *rapid.T) string {
			a := grow(depth-1).Draw(t, "a")
			shape := rapid.SampledFrom([]string{
				"%s", "sum by (pod) (%s)", "(%s) + on (pod) group_left () up", "up unless (%s)", "-(%s)", "abs(%s)",
				"max_over_time((%s)[1h:1m])", "topk(scalar(%s), up)", "count_values(\"v\", %s)", "vector(scalar(%s))",
				"label_replace(%s, \"namespace\", \"x\", \"\", \"\")", "(%s) > bool 1", "timestamp(%s)",
				"quantile_over_time(scalar(%s), up[5m])", "histogram_quantile(0.9, %s)", "min_over_time((%s)[5m:] @ start() offset 1m)",
			}).Draw(t, "shape")
			return fmt.Sprintf(shape, a)
		})
	}
	return rapid.Custom(func(t *rapid.T) string {
		return grow(rapid.IntRange(0, 5).Draw(t, "depth")).Draw(t, "expr")
	})
}

// recorder is a storage that is empty and remembers by which matchers it was asked.
type recorder struct{ asked [][]*labels.Matcher }

func (r *recorder) Querier(_, _ int64) (storage.Querier, error) { return r, nil }

func (r *recorder) Select(_ context.Context, _ bool, _ *storage.SelectHints, m ...*labels.Matcher) storage.SeriesSet {
	r.asked = append(r.asked, m)
	return storage.EmptySeriesSet()
}

func (*recorder) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (*recorder) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (*recorder) Close() error { return nil }

// TestScopeLeavesNoSelectorOut asks the real engine: whatever the expression, the storage is never asked for series
// of another namespace.
func TestScopeLeavesNoSelectorOut(t *testing.T) {
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: everything(),
		NoStepSubqueryIntervalFn: func(int64) int64 { return 60_000 }})
	rapid.Check(t, func(t *rapid.T) {
		query := expressions().Draw(t, "query")
		if _, err := everything().ParseExpr(query); err != nil {
			t.Skip("not PromQL: " + query)
		}
		text, err := ScopeQuery(everything(), query, "namespace", "shop")
		require.NoError(t, err, query)
		require.GreaterOrEqual(t, strings.Count(text, `namespace="shop"`), 1)

		store := &recorder{}
		q, err := engine.NewInstantQuery(context.Background(), store, nil, text, time.Unix(1000, 0))
		require.NoError(t, err, text)
		defer q.Close()
		q.Exec(context.Background()) // fails for topk(NaN, ...), after every selector has been looked up
		require.NotEmpty(t, store.asked, text)
		for _, matchers := range store.asked {
			require.True(t, hasMatcher(matchers, "namespace", "shop"), "%s asked for %v", text, matchers)
		}
	})
}

// FuzzScope: any text that parses is refused or comes out with the matcher on every selector, and never panics.
func FuzzScope(f *testing.F) {
	for _, seed := range []string{`up`, `sum by (pod) (rate(a{b="c"}[5m:1m] offset 1m))`, `topk(scalar(b), a)`, `info(a)`, `{"a} or {b"}`, `a @ end() * on(x) group_left(y) b`, `a{x=~"\"}"}[1h:5m]`, `max_over_time(a[step()])`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		text, err := ScopeQuery(everything(), query, "namespace", "shop")
		if err != nil {
			return
		}
		expr, err := everything().ParseExpr(text)
		require.NoError(t, err)
		for _, matchers := range parser.ExtractSelectors(expr) {
			require.True(t, hasMatcher(matchers, "namespace", "shop"), "%q became %q", query, text)
		}
	})
}
