// SPDX-License-Identifier: Apache-2.0

package sourcetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// Start returns an empty source and the way to fill it.
type Start func(t *testing.T) (source.Source, Push)

// now is when everything happens. A fixed time keeps samples within one block of the database.
var now = time.UnixMilli(1_790_352_503_123)

// Run tries everything that source.Source promises.
func Run(t *testing.T, start Start) {
	for name, test := range map[string]func(*testing.T, source.Source, Push){
		"values":     values,
		"scalar":     scalar,
		"timestamps": timestamps,
		"lookback":   lookback,
		"stale":      stale,
		"refused":    refused,
		"partial":    partial,
		"maxSeries":  maxSeries,
		"contexts":   contexts,
		"concurrent": concurrent,
		"api":        api,
	} {
		t.Run(name, func(t *testing.T) {
			s, push := start(t)
			test(t, s, push)
		})
	}
}

// Sample is a series of an answer, with labels of its own.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Collect evaluates q and returns the whole answer, ordered by value.
func Collect(ctx context.Context, s source.Source, q source.Query) ([]Sample, error) {
	var all []Sample
	err := s.Instant(ctx, q, func(one source.Sample) error {
		labels := map[string]string{}
		for _, l := range one.Labels {
			labels[l.Name] = l.Value
		}
		all = append(all, Sample{labels, one.Value})
		return nil
	})
	slices.SortFunc(all, func(a, b Sample) int {
		switch {
		case a.Value < b.Value:
			return -1
		case a.Value > b.Value:
			return 1
		}
		return 0
	})
	return all, err
}

func query(expr string) source.Query {
	return source.Query{Expr: expr, Time: now, Lookback: time.Minute}
}

func values(t *testing.T, s source.Source, push Push) {
	push(now, 31.5, "__name__", "online_users", "namespace", "shop", "pod", "a")
	push(now, math.Inf(1), "__name__", "online_users", "namespace", "shop", "pod", "b \"quoted\"\n😀")
	push(now, -1e-300, "__name__", "online_users", "namespace", "other")
	got, err := Collect(t.Context(), s, query("online_users"))
	require.NoError(t, err)
	require.Equal(t, []Sample{
		{map[string]string{"__name__": "online_users", "namespace": "other"}, -1e-300},
		{map[string]string{"__name__": "online_users", "namespace": "shop", "pod": "a"}, 31.5},
		{map[string]string{"__name__": "online_users", "namespace": "shop", "pod": "b \"quoted\"\n😀"}, math.Inf(1)},
	}, got)

	got, err = Collect(t.Context(), s, query(`online_users{pod="a"} * NaN`))
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.True(t, math.IsNaN(got[0].Value))
	got, err = Collect(t.Context(), s, query("nothing_of_that_name"))
	require.NoError(t, err)
	require.Empty(t, got)
	require.NotEmpty(t, s.Name())
}

func scalar(t *testing.T, s source.Source, _ Push) {
	got, err := Collect(t.Context(), s, query("20 * 2.5"))
	require.NoError(t, err)
	require.Equal(t, []Sample{{map[string]string{}, 50}}, got)
}

func timestamps(t *testing.T, s source.Source, push Push) {
	push(now.Add(-7*time.Second), 1, "__name__", "m")
	got, err := Collect(t.Context(), s, query("timestamp(m)"))
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.InDelta(t, float64(now.Add(-7*time.Second).UnixMilli())/1000, got[0].Value, 0.0005)
}

func lookback(t *testing.T, s source.Source, push Push) {
	push(now.Add(-90*time.Second), 1, "__name__", "m")
	for lookback, series := range map[time.Duration]int{
		60 * time.Second:          0,
		89_999 * time.Millisecond: 0,
		90_001 * time.Millisecond: 1,
		10 * time.Minute:          1,
	} {
		q := query("m")
		q.Lookback = lookback
		got, err := Collect(t.Context(), s, q)
		require.NoError(t, err)
		require.Len(t, got, series, lookback)
	}
}

func stale(t *testing.T, s source.Source, push Push) {
	push(now.Add(-2*time.Second), 1, "__name__", "m")
	push(now.Add(-time.Second), math.Float64frombits(value.StaleNaN), "__name__", "m")
	got, err := Collect(t.Context(), s, query("m"))
	require.NoError(t, err)
	require.Empty(t, got)
}

func refused(t *testing.T, s source.Source, push Push) {
	push(now, 1, "__name__", "m", "a", "1")
	push(now, 1, "__name__", "m", "a", "2")
	for expr, text := range map[string]string{
		"sum(":                                  "parse error",
		"m[5m]":                                 "", // a matrix, or "must be Scalar or instant Vector": each source in its own words
		`"text"`:                                "string",
		"no_such_function(m)":                   "no_such_function",
		"m * on () m":                           "many-to-many",
		`label_replace(m, "a", "same", "", "")`: "same labelset",
	} {
		_, err := Collect(t.Context(), s, query(expr))
		require.ErrorIs(t, err, source.ErrRefused, expr)
		require.ErrorContains(t, err, text, expr)
	}
}

func partial(t *testing.T, s source.Source, push Push) {
	push(now, 1, "__name__", "m")
	_, err := Collect(t.Context(), s, query("quantile(2, m)"))
	require.ErrorIs(t, err, source.ErrPartial)
	require.ErrorContains(t, err, "quantile")
	got, err := Collect(t.Context(), s, query("rate(m[1m])")) // "might not be a counter" is information, not a warning
	require.NoError(t, err)
	require.Empty(t, got)
}

func maxSeries(t *testing.T, s source.Source, push Push) {
	for _, pod := range []string{"a", "b", "c"} {
		push(now, 1, "__name__", "m", "pod", pod)
	}
	q := query("m")
	q.MaxSeries = 3
	_, err := Collect(t.Context(), s, q)
	require.NoError(t, err)
	q.MaxSeries = 2
	_, err = Collect(t.Context(), s, q)
	require.ErrorIs(t, err, source.ErrTooManySeries)
}

func contexts(t *testing.T, s source.Source, push Push) {
	push(now, 1, "__name__", "m")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Collect(cancelled, s, query("m"))
	require.ErrorIs(t, err, context.Canceled)
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err = Collect(late, s, query("m"))
	require.ErrorIs(t, err, source.ErrTimeout)
	stop := errors.New("stop")
	err = s.Instant(t.Context(), query("m"), func(source.Sample) error { return stop })
	require.ErrorIs(t, err, stop)
}

func concurrent(t *testing.T, s source.Source, push Push) {
	push(now, 1, "__name__", "m", "pod", "a")
	push(now, 2, "__name__", "m", "pod", "b")
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			for range 20 {
				got, err := Collect(t.Context(), s, query("m"))
				if err != nil {
					return err
				}
				if len(got) != 2 || got[0].Labels["pod"] != "a" || got[1].Labels["pod"] != "b" {
					return errors.New("another evaluation's series")
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}
