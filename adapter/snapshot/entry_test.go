// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/source"
)

func TestAValueIsUsableUpToMaxAgeAndNotBeyond(t *testing.T) {
	e := &Entry{Rule: podRule(t, `a`)}
	e.Publish(build(t, e.Rule, valueOf(1, "namespace", "shop", "pod", "a"), timeOf("t0", 30*time.Second, "namespace", "shop", "pod", "a")), Outcome{Time: now})
	r := &e.Table().Find(Object{"shop", "a"})[0]
	require.True(t, e.Usable(r, now.Add(30*time.Second)))
	require.NoError(t, e.Why(r, now.Add(30*time.Second)))
	require.False(t, e.Usable(r, now.Add(30*time.Second+time.Millisecond)))
	err := e.Why(r, now.Add(31*time.Second))
	require.ErrorIs(t, err, ErrStale)
	require.EqualError(t, err, "ClusterMetricRule/users: the value of metric online_users is stale: measured 1m1s ago, allowed are 1m0s")
}

func TestAFailureKeepsTheTableAndIsNamedOnceItIsTooOld(t *testing.T) {
	e := &Entry{Rule: podRule(t, `a`)}
	require.ErrorIs(t, e.Missing("pod a"), ErrNeverEvaluated)
	e.Fail(Outcome{Time: now, Err: errors.New("connection refused")})
	require.EqualError(t, e.Missing("pod a"), "ClusterMetricRule/users: metric online_users has no value yet: connection refused")
	e.Publish(build(t, e.Rule, valueOf(1, "namespace", "shop", "pod", "a"), timeOf("t0", 0)), Outcome{Time: now})
	e.Fail(Outcome{Time: now.Add(time.Minute), Err: errors.New("connection refused")})
	r := &e.Table().Find(Object{"shop", "a"})[0]
	require.True(t, e.Usable(r, now.Add(time.Minute)))
	require.ErrorContains(t, e.Why(r, now.Add(2*time.Minute)), "the last evaluation failed: connection refused")
	require.ErrorIs(t, e.Missing("pod z"), ErrNoValue)
	for i := range 2 * errorsKept {
		e.Fail(Outcome{Time: now.Add(time.Duration(i) * time.Second), Err: errors.New("x")})
	}
	require.Len(t, e.Failures(), errorsKept)
	require.Equal(t, now.Add((2*errorsKept-1)*time.Second), e.Failures()[0].Time)
}

func TestNaNIsNeverHandedOut(t *testing.T) {
	e := &Entry{Rule: podRule(t, `a`)}
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		e.Publish(build(t, e.Rule, valueOf(v, "namespace", "shop", "pod", "a")), Outcome{Time: now})
		r := &e.Table().Find(Object{"shop", "a"})[0]
		require.False(t, e.Usable(r, now))
		require.ErrorIs(t, e.Why(r, now), ErrNotFinite)
	}
}

func TestHoldForKeepsTheLastGoodValueWithItsOldTime(t *testing.T) {
	r := podRule(t, `a`)
	r.HoldFor = 5 * time.Minute
	e := &Entry{Rule: r}
	a := []string{"namespace", "shop", "pod", "a"}
	e.Publish(build(t, r, valueOf(7, a...), timeOf("t0", 10*time.Second, a...)), Outcome{Time: now})
	measured := now.Add(-10 * time.Second)

	gone := NewBuilder(r, now.Add(time.Minute), e.Table())
	empty, err := gone.Table("test")
	require.NoError(t, err)
	e.Publish(empty, Outcome{Time: now.Add(time.Minute)})
	row := e.Table().Find(Object{"shop", "a"})[0]
	require.Equal(t, 7.0, row.Value)
	require.True(t, row.Held)
	require.True(t, measured.Equal(row.Time))
	require.True(t, e.Usable(&row, measured.Add(6*time.Minute)))
	require.False(t, e.Usable(&row, measured.Add(6*time.Minute+time.Second)))

	nan := NewBuilder(r, now.Add(2*time.Minute), e.Table())
	require.NoError(t, nan.Add(valueOf(math.NaN(), a...)))
	table, err := nan.Table("test")
	require.NoError(t, err)
	e.Publish(table, Outcome{Time: now.Add(2 * time.Minute)})
	require.Equal(t, 7.0, e.Table().Find(Object{"shop", "a"})[0].Value, "NaN does not displace a held value")
	require.Len(t, e.Table().Rows(), 1)

	later := NewBuilder(r, measured.Add(6*time.Minute+time.Second), e.Table())
	empty, err = later.Table("test")
	require.NoError(t, err)
	e.Publish(empty, Outcome{})
	require.Empty(t, e.Table().Rows(), "held no longer than holdFor")
}

func TestWithoutHoldForAVanishedSeriesIsGoneAtOnce(t *testing.T) {
	e := &Entry{Rule: podRule(t, `a`)}
	e.Publish(build(t, e.Rule, valueOf(7, "namespace", "shop", "pod", "a")), Outcome{Time: now})
	e.Publish(build(t, e.Rule), Outcome{Time: now})
	require.Empty(t, e.Table().Find(Object{"shop", "a"}))
}

// sum(x) or vector(0) is 0 when the source is dead as when nothing waits. Only a guard can tell.
func TestAValueWithoutASampleNeedsAGuard(t *testing.T) {
	for _, guard := range []string{"", "up > 0"} {
		e := &Entry{Rule: compiled(t, rule.Rule{Key: rule.Key{Name: "q"}, Query: `sum(waiting) or vector(0)`, Guard: guard})}
		samples := []source.Sample{valueOf(0)}
		if guard != "" {
			samples = append(samples, series(1, rule.PartLabel, rule.PartGuard))
		}
		e.Publish(build(t, e.Rule, samples...), Outcome{Time: now})
		r := &e.Table().Rows()[0]
		require.Equal(t, guard != "", e.Usable(r, now))
		if guard == "" {
			require.ErrorIs(t, e.Why(r, now), ErrNoSample)
			require.True(t, e.Table().Newest().IsZero())
		}
	}
}

func TestALastGoodValueStandsInForASampleThatIsNone(t *testing.T) {
	e := &Entry{Rule: compiled(t, rule.Rule{Key: rule.Key{Name: "q"}, Query: `sum(waiting) or vector(0)`})}
	e.Publish(build(t, e.Rule, valueOf(40), timeOf("t0", 2*time.Second)), Outcome{Time: now})
	b := NewBuilder(e.Rule, now.Add(30*time.Second), e.Table())
	require.NoError(t, b.Add(valueOf(0)))
	table, err := b.Table("test")
	require.NoError(t, err)
	require.Equal(t, 40.0, table.Rows()[0].Value)
	require.True(t, now.Add(-2*time.Second).Equal(table.Rows()[0].Time))
}

// The HPA adds up external rows: one that vanishes must not lower the sum while its last value still counts.
func TestAVanishedExternalRowIsServedUntilItIsTooOld(t *testing.T) {
	e := &Entry{Rule: compiled(t, rule.Rule{Key: rule.Key{Name: "q"}, Query: `sum by (queue) (waiting)`})}
	e.Publish(build(t, e.Rule, valueOf(40, "queue", "a"), valueOf(2, "queue", "b"), timeOf("t0", 0)), Outcome{Time: now})
	for _, c := range []struct {
		after time.Duration
		rows  int
	}{{30 * time.Second, 2}, {60 * time.Second, 2}, {61 * time.Second, 1}} {
		b := NewBuilder(e.Rule, now.Add(c.after), e.Table())
		require.NoError(t, b.Add(valueOf(2, "queue", "b")))
		require.NoError(t, b.Add(series(float64(now.Add(c.after).UnixMilli())/1000, rule.PartLabel, "t0")))
		table, err := b.Table("test")
		require.NoError(t, err)
		require.Len(t, table.Rows(), c.rows, "after %s", c.after)
		e.Publish(table, Outcome{Time: now.Add(c.after)})
	}
}

// Behind a range a series that has stopped goes on having a value; its last good one stands until it is too old.
func TestHoldForAlsoHoldsRates(t *testing.T) {
	r := podRule(t, `sum by (namespace, pod) (rate(hits[5m]))`)
	r.HoldFor = 5 * time.Minute
	e := &Entry{Rule: r}
	a := []string{"namespace", "shop", "pod", "a"}
	e.Publish(build(t, r, valueOf(7, a...), timeOf("t0", 0, a...)), Outcome{Time: now})
	b := NewBuilder(r, now.Add(time.Minute), e.Table())
	require.NoError(t, b.Add(valueOf(6, a...)))
	require.NoError(t, b.Add(timeOf("t0", 6*time.Minute, a...))) // what the compiled query says of a dead series: beyond the limit
	table, err := b.Table("test")
	require.NoError(t, err)
	row := table.Find(Object{"shop", "a"})[0]
	require.Equal(t, 7.0, row.Value)
	require.True(t, now.Equal(row.Time))
}

func TestARefusedRuleAnswersForItsMetric(t *testing.T) {
	pod := schema.GroupResource{Resource: "pods"}
	broken := &rule.Rule{Key: rule.Key{Namespace: "shop", Name: "users"}, Metric: "online_users", Object: pods(), Refusal: errors.New("it does not parse")}
	cluster := compiled(t, rule.Rule{Key: rule.Key{Name: "users"}, Query: `a`, Object: pods()})
	c, _ := NewCatalog([]*rule.Rule{broken, cluster}, nil)
	e := c.Custom("shop", pod, "online_users")
	require.Equal(t, broken.Key, e.Rule.Key, "a typo does not hand the metric to the cluster's rule, which means something else")
	require.ErrorContains(t, e.Missing("pod a"), "MetricRule/shop/users is not in force, so metric online_users has no value: it does not parse")
	require.False(t, e.Cold(now))
}

func TestCatalog(t *testing.T) {
	pod := schema.GroupResource{Resource: "pods"}
	rules := []*rule.Rule{
		compiled(t, rule.Rule{Key: rule.Key{Name: "users"}, Query: `a`, Object: pods(), Created: now}),
		compiled(t, rule.Rule{Key: rule.Key{Namespace: "shop", Name: "users"}, Query: `a`, Object: pods(), Created: now}),
		compiled(t, rule.Rule{Key: rule.Key{Namespace: "shop", Name: "again"}, Query: `a`, Object: pods(), Created: now.Add(time.Second)}),
		compiled(t, rule.Rule{Key: rule.Key{Name: "external"}, Query: `a`, Created: now}),
	}
	c, conflicts := NewCatalog(rules, nil)
	require.Equal(t, map[rule.Key]rule.Key{{Namespace: "shop", Name: "again"}: {Namespace: "shop", Name: "users"}}, conflicts, "the older stays")
	require.Equal(t, rules[1].Key, c.Custom("shop", pod, "online_users").Rule.Key, "the namespace's own rule wins")
	require.Equal(t, rules[0].Key, c.Custom("blog", pod, "online_users").Rule.Key)
	require.Nil(t, c.Custom("blog", pod, "other"))
	require.Nil(t, c.Custom("blog", schema.GroupResource{Resource: "services"}, "online_users"))
	require.Equal(t, rules[3].Key, c.External("blog", "online_users").Rule.Key)

	c.Entry(rules[0].Key).Publish(build(t, rules[0], valueOf(1, "namespace", "shop", "pod", "a")), Outcome{Time: now})
	changed := *rules[1]
	changed.MaxAge = time.Hour
	next, _ := NewCatalog([]*rule.Rule{rules[0], &changed}, c)
	require.Same(t, c.Entry(rules[0].Key), next.Entry(rules[0].Key), "unchanged rules keep their values")
	require.Nil(t, next.Entry(rules[1].Key).Table(), "a changed rule does not answer with its old values")
	require.Nil(t, next.External("blog", "online_users"))
}

// Whatever the answer, a row is found by exactly its own object, and no row is younger than its object's oldest sample.
func TestTableProperties(t *testing.T) {
	r := podRule(t, `a + b`)
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder(r, now, nil)
		oldest := map[Object]time.Duration{}
		values := map[Object]int{}
		for range rapid.IntRange(0, 60).Draw(t, "series") {
			o := Object{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "ns"), rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "pod")}
			switch part := rapid.SampledFrom([]string{"v", "t0", "t1"}).Draw(t, "part"); part {
			case "v":
				values[o]++
				require.NoError(t, b.Add(valueOf(1, "namespace", o.Namespace, "pod", o.Name)))
			default:
				age := time.Duration(rapid.IntRange(0, 100).Draw(t, "age")) * time.Second
				oldest[o] = max(oldest[o], age)
				require.NoError(t, b.Add(timeOf(part, age, "namespace", o.Namespace, "pod", o.Name)))
			}
		}
		table, err := b.Table("test")
		require.NoError(t, err)
		rows := 0
		for o, n := range values {
			found := table.Find(o)
			if n > 1 {
				require.Empty(t, found)
				continue
			}
			require.Len(t, found, 1)
			rows++
			require.Equal(t, o, found[0].Object)
			if want, ok := oldest[o]; ok {
				require.GreaterOrEqual(t, now.Sub(found[0].Time), want)
			}
		}
		require.Len(t, table.Rows(), rows)
	})
}

// A table built on its predecessor is the table built on nothing, however objects come, go and change places.
func TestBuildingOnThePreviousTableChangesNothing(t *testing.T) {
	r := podRule(t, `a`)
	rapid.Check(t, func(t *rapid.T) {
		var previous *Table
		for range rapid.IntRange(1, 6).Draw(t, "evaluations") {
			var samples []Object
			for _, name := range rapid.SliceOfDistinct(rapid.IntRange(0, 12), rapid.ID).Draw(t, "pods") {
				samples = append(samples, Object{[]string{"a", "b"}[name%2], string(rune('a' + name))})
			}
			on, fresh := NewBuilder(r, now, previous), NewBuilder(r, now, nil)
			for i, o := range samples {
				extra := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "label")
				for _, b := range []*Builder{on, fresh} {
					require.NoError(t, b.Add(valueOf(float64(i), "namespace", o.Namespace, "pod", o.Name)))
					if extra != "" {
						require.NoError(t, b.Add(valueOf(1, "namespace", o.Namespace, "pod", o.Name, "l", extra)))
					}
					require.NoError(t, b.Add(timeOf("t0", time.Duration(i)*time.Second, "namespace", o.Namespace, "pod", o.Name)))
				}
			}
			got, err := on.Table("test")
			require.NoError(t, err)
			want, err := fresh.Table("test")
			require.NoError(t, err)
			require.Equal(t, want.rows, got.rows)
			require.Equal(t, want.spans, got.spans)
			require.True(t, maps.Equal(want.ordinals, got.ordinals))
			require.True(t, maps.Equal(want.namespaces, got.namespaces))
			previous = got
		}
	})
}

// A sample that is known to have been measured shows that something measures. A value that would be there all the same, with a
// time that goes on with the clock, does not.
func TestSampled(t *testing.T) {
	a := []string{"namespace", "shop", "pod", "a"}
	both := []source.Sample{valueOf(1, a...), timeOf("t0", 7*time.Second, a...)}
	never := time.Time{}
	for name, test := range map[string]struct {
		rule    rule.Rule
		samples []source.Sample
		want    time.Time
	}{
		"the newest of all": {rule.Rule{Query: `a`, Object: pods()}, append(slices.Clone(both),
			valueOf(1, "namespace", "shop", "pod", "b"), timeOf("t0", 3*time.Second, "namespace", "shop", "pod", "b")), now.Add(-3 * time.Second)},
		"nothing":             {rule.Rule{Query: `a`, Object: pods()}, nil, never},
		"not a number":        {rule.Rule{Query: `a`, Object: pods()}, []source.Sample{valueOf(math.NaN(), a...), both[1]}, never},
		"a constant":          {rule.Rule{Query: `vector(1)`}, []source.Sample{valueOf(1)}, never},
		"the time itself":     {rule.Rule{Query: `time()`}, []source.Sample{valueOf(1)}, never},
		"an unknown age":      {rule.Rule{Query: `sum(max_over_time(a[1m:]))`}, []source.Sample{valueOf(1)}, never},
		"a value without it":  {rule.Rule{Query: `sum(a) or vector(0)`}, []source.Sample{valueOf(0)}, never},
		"in spite of a guard": {rule.Rule{Query: `sum(a) or vector(0)`, Guard: `up > 0`}, []source.Sample{valueOf(0), series(1, rule.PartLabel, rule.PartGuard)}, never},
		"beyond maxAge":       {rule.Rule{Query: `sum(rate(a[5m]))`}, []source.Sample{valueOf(1), timeOf("t0", time.Minute+time.Second)}, never},
		"at maxAge":           {rule.Rule{Query: `sum(rate(a[5m]))`}, []source.Sample{valueOf(1), timeOf("t0", time.Minute)}, now.Add(-time.Minute)},
		"of the future":       {rule.Rule{Query: `sum(a)`}, []source.Sample{valueOf(1), timeOf("t0", -time.Hour)}, never},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Entry{Rule: compiled(t, test.rule)}
			require.Equal(t, test.want.UTC(), e.Sampled(build(t, e.Rule, test.samples...)).UTC())
		})
	}

	e := &Entry{Rule: compiled(t, rule.Rule{Query: `sum(a)`})}
	first := build(t, e.Rule, valueOf(1), timeOf("t0", 7*time.Second))
	held, err := NewBuilder(e.Rule, now.Add(10*time.Second), first).Table("test")
	require.NoError(t, err)
	require.Len(t, held.Rows(), 1)
	require.Zero(t, e.Sampled(held), "what is held was said before")
}
