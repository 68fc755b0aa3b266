// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/source"
)

var now = time.Unix(1_800_000_000, 0)

// series writes a sample from label pairs: series(3.5, "pod", "a", ...).
func series(value float64, pairs ...string) source.Sample {
	s := source.Sample{Value: value}
	for i := 0; i < len(pairs); i += 2 {
		s.Labels = append(s.Labels, source.Label{Name: pairs[i], Value: pairs[i+1]})
	}
	return s
}

func valueOf(value float64, pairs ...string) source.Sample {
	return series(value, append([]string{rule.PartLabel, rule.PartValue}, pairs...)...)
}

// timeOf is a selector's sample time, age before now.
func timeOf(part string, age time.Duration, pairs ...string) source.Sample {
	return series(float64(now.Add(-age).UnixMilli())/1000, append([]string{rule.PartLabel, part}, pairs...)...)
}

func compiled(t testing.TB, r rule.Rule) *rule.Rule {
	t.Helper()
	if r.MaxAge == 0 {
		r.MaxAge = time.Minute
	}
	if r.Metric == "" {
		r.Metric = "online_users"
	}
	c, err := rule.Compile(r)
	require.NoError(t, err)
	return c
}

func podRule(t testing.TB, query string) *rule.Rule {
	return compiled(t, rule.Rule{Key: rule.Key{Name: "users"}, Query: query, Object: pods()})
}

func pods() *rule.Object {
	return &rule.Object{Resource: schema.GroupResource{Resource: "pods"}, Namespaced: true, NamespaceLabel: "namespace", NameLabel: "pod"}
}

func build(t testing.TB, r *rule.Rule, samples ...source.Sample) *Table {
	t.Helper()
	b := NewBuilder(r, now, nil)
	for _, s := range samples {
		require.NoError(t, b.Add(s))
	}
	table, err := b.Table("test")
	require.NoError(t, err)
	return table
}

func TestTableCarriesEachObjectsOwnTime(t *testing.T) {
	r := podRule(t, `sum by (namespace, pod) (online_users)`)
	table := build(t, r,
		timeOf("t0", 20*time.Second, "namespace", "shop", "pod", "b"), // times may come before values
		valueOf(3, "namespace", "shop", "pod", "a"),
		valueOf(4, "namespace", "shop", "pod", "b"),
		valueOf(5, "namespace", "blog", "pod", "a"),
		timeOf("t0", 5*time.Second, "namespace", "shop", "pod", "a"),
		timeOf("t0", 7*time.Second, "namespace", "blog", "pod", "a"),
	)
	require.Equal(t, 3, table.Objects())
	for object, want := range map[Object]Row{
		{"shop", "a"}: {Value: 3, Time: now.Add(-5 * time.Second)},
		{"shop", "b"}: {Value: 4, Time: now.Add(-20 * time.Second)},
		{"blog", "a"}: {Value: 5, Time: now.Add(-7 * time.Second)},
	} {
		rows := table.Find(object)
		require.Len(t, rows, 1)
		require.Equal(t, want.Value, rows[0].Value)
		require.True(t, want.Time.Equal(rows[0].Time), "%v: %v", object, rows[0].Time)
	}
	require.Empty(t, table.Find(Object{"shop", "c"}))
	require.Len(t, table.InNamespace("shop"), 2)
	require.Empty(t, table.InNamespace("none"))
	require.True(t, table.Oldest().Equal(now.Add(-20*time.Second)))
	require.True(t, table.Newest().Equal(now.Add(-5*time.Second)))
}

func TestTimeIsTheOldestSampleThatCanHaveCounted(t *testing.T) {
	two := `sum by (namespace, pod) (a) + on (pod) group_left () b`
	for _, c := range []struct {
		name, query string
		times       []source.Sample
		age         time.Duration
	}{
		{"the older of two selectors", two, []source.Sample{
			timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "a"), timeOf("t1", 9*time.Second, "namespace", "shop", "pod", "a"),
		}, 9 * time.Second},
		{"series without the namespace count for the pod", two, []source.Sample{
			timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "a"), timeOf("t1", 30*time.Second, "pod", "a"), timeOf("t1", 50*time.Second, "pod", "z"),
		}, 30 * time.Second},
		{"series without any name count for all", two, []source.Sample{
			timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "a"), timeOf("t1", 40*time.Second),
		}, 40 * time.Second},
		{"a selector that names only others may have been joined", two, []source.Sample{
			timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "a"), timeOf("t1", 40*time.Second, "namespace", "tools", "pod", "exporter"),
		}, 40 * time.Second},
		{"another pod's samples do not count where the selector names the pod", two, []source.Sample{
			timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "a"), timeOf("t0", 40*time.Second, "namespace", "shop", "pod", "b"),
		}, 3 * time.Second},
		{"pods that have gone do not make a joined selector old", two, []source.Sample{
			timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "a"),
			timeOf("t1", 90*time.Second, "namespace", "tools", "pod", "gone"), timeOf("t1", 5*time.Second, "namespace", "tools", "pod", "exporter"),
		}, 5 * time.Second},
		{"but if all have", two, []source.Sample{
			timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "a"), timeOf("t1", 90*time.Second, "namespace", "tools", "pod", "gone"),
		}, 90 * time.Second},
		{"nothing names the pod: the oldest of all", two, []source.Sample{
			timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "x"), timeOf("t1", 40*time.Second, "namespace", "shop", "pod", "b"),
		}, 40 * time.Second},
		{"an offset is not age", `sum by (namespace, pod) (a offset 5m)`, []source.Sample{
			timeOf("t0", 302*time.Second, "namespace", "shop", "pod", "a"),
		}, 2 * time.Second},
		{"a sample from the future is not younger than now", `a`, []source.Sample{
			timeOf("t0", -time.Hour, "namespace", "shop", "pod", "a"),
		}, 0},
		{"a constant is as old as its evaluation", `vector(1)`, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := build(t, podRule(t, c.query), append(c.times, valueOf(1, "namespace", "shop", "pod", "a"))...)
			require.Equal(t, c.age, now.Sub(table.Find(Object{"shop", "a"})[0].Time))
		})
	}
}

func TestExternalValueIsAsOldAsItsOldestSample(t *testing.T) {
	r := compiled(t, rule.Rule{Key: rule.Key{Name: "q"}, Query: `sum by (queue) (waiting)`})
	table := build(t, r, valueOf(3, "queue", "a"), valueOf(4, "queue", "b"), timeOf("t0", 12*time.Second))
	rows := table.Find(Object{})
	require.Len(t, rows, 2)
	require.Equal(t, "a", rows[0].Get("queue"))
	require.Equal(t, 12*time.Second, now.Sub(rows[1].Time))
}

func TestWhatDoesNotBecomeARow(t *testing.T) {
	r := compiled(t, rule.Rule{Key: rule.Key{Namespace: "shop", Name: "users"}, Query: `online_users`, Object: pods()})
	table := build(t, r,
		valueOf(1, "namespace", "shop", "pod", "a"),
		valueOf(2, "namespace", "bank", "pod", "a"), // forged with label_replace
		valueOf(3, "pod", "b"),                      // without a namespace: the rule's own
		valueOf(4, "namespace", "shop"),
		valueOf(math.NaN(), "namespace", "shop", "pod", "c"),
		valueOf(5, "__name__", "x", "namespace", "shop", "pod", "d"), valueOf(6, "__name__", "y", "namespace", "shop", "pod", "d"),
	)
	require.Len(t, table.Find(Object{"shop", "a"}), 1)
	require.Len(t, table.Find(Object{"shop", "b"}), 1)
	require.Empty(t, table.Find(Object{"bank", "a"}))
	require.Empty(t, table.Find(Object{"shop", "d"}), "two series for one object: neither is right")
	require.Equal(t, Dropped{
		OtherNamespace: 1, OtherNamespaceExample: `{namespace="bank", pod="a"}`,
		NoObject: 1, NoObjectExample: `{namespace="shop"}`,
		Duplicates: 2, DuplicateExample: "2 series for shop/d",
		NotFinite: 1, NotFiniteExample: `{namespace="shop", pod="c"}`,
	}, table.Dropped)
	require.Equal(t, 7, table.Series)
}

func TestExternalSeriesOfAnotherNamespaceAreDropped(t *testing.T) {
	r := compiled(t, rule.Rule{Key: rule.Key{Namespace: "shop", Name: "q"}, Query: `waiting`})
	table := build(t, r, valueOf(1, "namespace", "bank"), valueOf(2, "namespace", "shop"), valueOf(3, "queue", "x"))
	require.Len(t, table.Rows(), 2)
	require.Equal(t, 1, table.Dropped.OtherNamespace)
}

func TestTooManySeriesIsAnError(t *testing.T) {
	r := compiled(t, rule.Rule{Key: rule.Key{Name: "q"}, Query: `waiting`, MaxSeries: 2})
	b := NewBuilder(r, now, nil)
	require.NoError(t, b.Add(valueOf(1, "queue", "a")))
	require.NoError(t, b.Add(valueOf(1, "queue", "b")))
	require.ErrorIs(t, b.Add(valueOf(1, "queue", "c")), source.ErrTooManySeries)
}

func TestUnknownPartIsABadAnswer(t *testing.T) {
	b := NewBuilder(podRule(t, `a`), now, nil)
	require.ErrorIs(t, b.Add(timeOf("t7", 0)), source.ErrBadAnswer)
}

func TestGuard(t *testing.T) {
	for _, c := range []struct {
		guard string
		rows  []source.Sample
		holds bool
	}{
		{`avg(up) > 0.8`, nil, false},
		{`avg(up) > 0.8`, []source.Sample{series(1, rule.PartLabel, rule.PartGuard)}, true},
		{`sum(errors) < 5`, []source.Sample{series(0, rule.PartLabel, rule.PartGuard)}, true},
		{`sum(errors) < bool 5`, []source.Sample{series(0, rule.PartLabel, rule.PartGuard)}, false},
		{`sum(errors) < bool 5`, []source.Sample{series(1, rule.PartLabel, rule.PartGuard)}, true},
	} {
		b := NewBuilder(compiled(t, rule.Rule{Key: rule.Key{Name: "q"}, Query: `waiting`, Guard: c.guard}), now, nil)
		for _, s := range c.rows {
			require.NoError(t, b.Add(s))
		}
		_, err := b.Table("test")
		require.Equal(t, !c.holds, errors.Is(err, ErrGuard), c.guard)
	}
}

func TestANamespacedRuleDescribesNoOtherNamespace(t *testing.T) {
	r := compiled(t, rule.Rule{Key: rule.Key{Namespace: "shop", Name: "q"}, Query: `waiting`, Object: &rule.Object{
		Resource: schema.GroupResource{Resource: "namespaces"}, NameLabel: "namespace",
	}})
	table := build(t, r, valueOf(1, "namespace", "bank"), valueOf(2, "namespace", "shop"))
	require.Empty(t, table.Find(Object{Name: "bank"}))
	require.Len(t, table.Find(Object{Name: "shop"}), 1)
	require.Equal(t, 1, table.Dropped.OtherNamespace)
}

func TestLabelledFindsTheRowsOfAnExternalMetric(t *testing.T) {
	r := compiled(t, rule.Rule{Key: rule.Key{Name: "q"}, Query: `vector(1)`})
	var samples []source.Sample
	for i := range 3 * fewRows {
		samples = append(samples, valueOf(float64(i), "app", string(rune('a'+i%26)), "shard", strconv.Itoa(i)))
	}
	table := build(t, r, samples...)
	positions, ok := table.Labelled("app", "c")
	require.True(t, ok)
	require.Len(t, positions, 4)
	for _, p := range positions {
		require.Equal(t, "c", table.Rows()[p].Get("app"))
	}
	positions, ok = table.Labelled("app", "none")
	require.True(t, ok)
	require.Empty(t, positions)
	_, ok = build(t, r, samples[:fewRows]...).Labelled("app", "c")
	require.False(t, ok)
}
