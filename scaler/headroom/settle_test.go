// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestSettle(t *testing.T) {
	type step struct {
		after  time.Duration
		wanted int64
		needed bool
		want   int64
	}
	for name, steps := range map[string][]step{
		"more at once":                      {{0, 3, false, 3}, {time.Second, 9, false, 9}},
		"fewer when that was enough":        {{0, 9, false, 9}, {time.Second, 5, false, 9}, {calm - time.Second, 5, false, 9}, {calm, 5, false, 5}},
		"a peak between counts":             {{0, 9, false, 9}, {time.Minute, 5, false, 9}, {2 * time.Minute, 7, false, 9}, {calm, 4, false, 7}, {calm + 2*time.Minute, 4, false, 4}},
		"at once if somebody needs room":    {{0, 9, false, 9}, {time.Second, 5, true, 5}, {2 * time.Second, 5, false, 5}},
		"a clock that was ahead is no past": {{time.Hour, 9, false, 9}, {0, 5, false, 5}},
		"none":                              {{0, 2, false, 2}, {time.Second, 0, true, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			k := &kept{}
			for _, s := range steps {
				require.Equal(t, s.want, k.settle(s.wanted, s.needed, noon.Add(s.after)), "after %s", s.after)
			}
		})
	}
}

// Never fewer than wanted now, and never more than was wanted within the calm.
func TestSettleStaysBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, now := &kept{}, noon
		type past struct {
			at    time.Time
			count int64
		}
		var all []past
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(1, int64(2*time.Minute)).Draw(t, "later")))
			count := rapid.Int64Range(0, 20).Draw(t, "wanted")
			all = append(all, past{now, count})
			most := int64(0)
			for _, p := range all {
				if now.Sub(p.at) < calm {
					most = max(most, p.count)
				}
			}
			got := k.settle(count, false, now)
			if got != most {
				t.Fatalf("%d is kept, and the most that was wanted within %s is %d", got, calm, most)
			}
		}
	})
}

func TestReshape(t *testing.T) {
	filling := func(count, fits, cpu, memory int64) reserve.Block {
		return reserve.Block{Shape: fit.Shape{Requests: fit.Resources{"cpu": cpu, "memory": memory}}, Count: count, Fits: fits}
	}
	for name, tc := range map[string]struct {
		old  fit.Resources
		b    reserve.Block
		want reserve.Block
	}{
		"as before":                  {fit.Resources{"cpu": 300, "memory": 200}, filling(4, 4, 300, 200), filling(4, 4, 300, 200)},
		"a little more":              {fit.Resources{"cpu": 300, "memory": 200}, filling(4, 4, 310, 205), filling(5, 5, 300, 200)},
		"much more of the same kind": {fit.Resources{"cpu": 300, "memory": 200}, filling(8, 8, 600, 400), filling(16, 16, 300, 200)},
		"another kind":               {fit.Resources{"cpu": 300, "memory": 200}, filling(4, 4, 300, 20), filling(4, 4, 300, 20)},
		"memory alone":               {fit.Resources{"cpu": 300, "memory": 200}, filling(4, 4, 0, 200), filling(4, 4, 0, 200)},
		"cpu is new":                 {fit.Resources{"memory": 200}, filling(4, 4, 300, 200), filling(4, 4, 300, 200)},
		"what fits is no more":       {fit.Resources{"cpu": 300, "memory": 200}, filling(8, 3, 600, 400), filling(16, 6, 300, 200)},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, reshape(tc.old, tc.b)) })
	}
}

// What is kept covers what is wanted, and what is said to fit is no more than what policy placed.
func TestReshapeCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := rapid.Int64Range(0, 5000)
		old := fit.Resources{"cpu": amount.Draw(t, "cpu was"), "memory": amount.Draw(t, "memory was")}
		b := reserve.Block{Shape: fit.Shape{Requests: fit.Resources{"cpu": amount.Draw(t, "cpu"), "memory": amount.Draw(t, "memory")}}}
		b.Count = rapid.Int64Range(1, 100).Draw(t, "count")
		b.Fits = rapid.Int64Range(0, b.Count).Draw(t, "fits")
		got := reshape(old, b)
		for _, name := range []string{"cpu", "memory"} {
			if got.Count*got.Shape.Requests[name] < b.Count*b.Shape.Requests[name] {
				t.Fatalf("%s: %v does not cover %v", name, got, b)
			}
		}
		if got.Fits > got.Count || got.Fits < 0 || b.Fits == b.Count != (got.Fits == got.Count) && b.Fits == b.Count {
			t.Fatalf("%v of %v", got, b)
		}
	})
}

func TestNames(t *testing.T) {
	require.Equal(t, "filling", nameOf(""))
	require.NotEqual(t, nameOf("a/b-c"), nameOf("a-b/c"))
	long := nameOf("shop/" + strings.Repeat("x", 250))
	require.LessOrEqual(t, len(long), 63)
	require.NotEqual(t, long, nameOf("shop/"+strings.Repeat("x", 251)))
	require.LessOrEqual(t, len(label(strings.Repeat("y", 253))), 63)
}
