// SPDX-License-Identifier: Apache-2.0

package rule

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func pods() *Object {
	return &Object{Resource: schema.GroupResource{Resource: "pods"}, Namespaced: true, NamespaceLabel: "namespace", NameLabel: "pod"}
}

func TestCompileCombinesValuesTimesAndGuard(t *testing.T) {
	for _, c := range []struct {
		name  string
		rule  Rule
		expr  string
		times []Time
	}{
		{
			name: "pods", rule: Rule{Query: `sum by (namespace, pod) (online_users)`, Object: pods()},
			expr:  `label_replace(sum by (namespace, pod) (online_users), "__plimsoll_part__", "v", "", "") or label_replace(min by (namespace, pod) (timestamp(online_users)), "__plimsoll_part__", "t0", "", "")`,
			times: []Time{{Part: "t0"}},
		},
		{
			name: "external scalar without a selector", rule: Rule{Query: `7`},
			expr: `label_replace(vector(7), "__plimsoll_part__", "v", "", "")`,
		},
		{
			name: "offset", rule: Rule{Query: `orders offset 5m`},
			expr:  `label_replace(orders offset 5m, "__plimsoll_part__", "v", "", "") or label_replace(min by () (timestamp(orders offset 5m)), "__plimsoll_part__", "t0", "", "")`,
			times: []Time{{Part: "t0", Offset: 5 * time.Minute}},
		},
		{
			name: "the same selector twice is asked for once", rule: Rule{Query: `a / (a + 1)`},
			expr:  `label_replace(a / (a + 1), "__plimsoll_part__", "v", "", "") or label_replace(min by () (timestamp(a)), "__plimsoll_part__", "t0", "", "")`,
			times: []Time{{Part: "t0"}},
		},
		{
			name: "range", rule: Rule{Query: `sum(rate(hits[5m]))`, MaxAge: time.Minute},
			expr:  `label_replace(sum(rate(hits[5m])), "__plimsoll_part__", "v", "", "") or label_replace((min by () (timestamp(hits)) or min by () (present_over_time(hits[5m]) * 0 + (time() - 61))), "__plimsoll_part__", "t0", "", "")`,
			times: []Time{{Part: "t0"}},
		},
		{
			name: "scoped, with a guard that filters", rule: Rule{Key: Key{"shop", "r"}, Query: `orders`, Guard: `avg(up) > 0.8`},
			expr:  `label_replace(orders{namespace="shop"}, "__plimsoll_part__", "v", "", "") or label_replace(min by () (timestamp(orders{namespace="shop"})), "__plimsoll_part__", "t0", "", "") or label_replace(count(avg(up{namespace="shop"}) > 0.8), "__plimsoll_part__", "g", "", "")`,
			times: []Time{{Part: "t0"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Compile(c.rule)
			require.NoError(t, err)
			require.Equal(t, c.expr, got.Expr)
			require.Equal(t, c.times, got.Times)
			require.Empty(t, got.AgeUnknown)
			_, err = parser.NewParser(parser.Options{}).ParseExpr(got.Expr)
			require.NoError(t, err, "the combined query parses")
		})
	}
}

func TestCompileSaysWhyTheAgeIsUnknown(t *testing.T) {
	for query, why := range map[string]string{
		`max_over_time(sum(orders)[5m:30s])`: "stands in a subquery",
		`orders @ 1700000000`:                "has a fixed time",
		`orders @ end()`:                     "has a fixed time",
		`sum by (pod) ({__name__=~"a|b"})`:   "names no single metric",
	} {
		t.Run(query, func(t *testing.T) {
			got, err := Compile(Rule{Query: query})
			require.NoError(t, err)
			require.Contains(t, got.AgeUnknown, why)
			require.Empty(t, got.Times)
			require.NotContains(t, got.Expr, "timestamp(")
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct{ query, guard, says string }{
		{`sum by (`, "", `query "sum by (" does not parse`},
		{`orders[5m]`, "", "is of type range vector; write one that yields an instant vector"},
		{`"text"`, "", "is of type string"},
		{`orders`, `up >`, `guard "up >" does not parse`},
		{`orders`, `up[5m]`, "is of type range vector; write a condition such as"},
		{``, "", "does not parse"},
	} {
		t.Run(c.query+c.guard, func(t *testing.T) {
			_, err := Compile(Rule{Query: c.query, Guard: c.guard})
			require.ErrorIs(t, err, ErrInvalid)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestGuardBool(t *testing.T) {
	for guard, want := range map[string]bool{
		`up > 0`:                  false,
		`(up > 0)`:                false,
		`up > bool 0`:             true,
		`up`:                      true,
		`1 < bool 2`:              true,
		`up > 0 and up < 10`:      false,
		`errors == 0 and up == 1`: false,
		`up > 0 or vector(0)`:     true,
	} {
		got, err := Compile(Rule{Query: "a", Guard: guard})
		require.NoError(t, err)
		require.Equal(t, want, got.GuardBool, guard)
	}
}

func TestSameIgnoresGeneration(t *testing.T) {
	a, err := Compile(Rule{Key: Key{"shop", "r"}, Generation: 1, Query: "a", Object: pods()})
	require.NoError(t, err)
	b, err := Compile(Rule{Key: Key{"shop", "r"}, Generation: 2, Query: "a", Object: pods()})
	require.NoError(t, err)
	require.True(t, a.Same(b))
	b.MaxAge = time.Second
	require.False(t, a.Same(b))
}

func FuzzCompile(f *testing.F) {
	for _, q := range []string{
		`sum by (namespace, pod) (online_users)`, `avg(up{job="shop"}) > 0.8`, `histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))`,
		`a / on (pod) group_left (x) b offset -1m`, `sum(x) or vector(0)`, `max_over_time(x[1h:1m] @ start())`, `{"a.b", pod!~"x.*"}`, `-x ^ 2 % 3`,
		`label_replace(x, "namespace", "other", "", "")`, `count_values("v", x)`, `topk(5, x)`, `absent_over_time(x[5m])`, `sort_by_label(x, "a")`,
	} {
		f.Add(q, "shop")
	}
	f.Fuzz(func(t *testing.T, query, namespace string) {
		r, err := Compile(Rule{Key: Key{namespace, "r"}, Query: query, MaxAge: time.Minute, Object: pods()})
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr); err != nil {
			t.Fatalf("%q compiles to %q, which does not parse: %v", query, r.Expr, err)
		}
	})
}

func TestLabelsWithDotsAndSlashesAreQuoted(t *testing.T) {
	o := pods()
	o.NameLabel = "app.kubernetes.io/name"
	got, err := Compile(Rule{Query: `sum by (namespace, "app.kubernetes.io/name") (a)`, Object: o})
	require.NoError(t, err)
	require.Contains(t, got.Expr, `min by (namespace, "app.kubernetes.io/name") (timestamp(a))`)
}

func TestAbsenceHasNoSampleToAskFor(t *testing.T) {
	got, err := Compile(Rule{Query: `absent(a) * 10`})
	require.NoError(t, err)
	require.Empty(t, got.Times)
	require.Empty(t, got.AgeUnknown)
}
