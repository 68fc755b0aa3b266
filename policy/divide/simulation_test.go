// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
)

// Whatever happens to members and hub the invariants hold at every step (world.decide); once it is over with some
// members still down, the others have what was asked for ready, as far as they can hold it; and when all are back the
// division is the one that it would be without any history.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 6).Draw(t, "members"))
		if w.chance.IntN(5) == 0 {
			w.options.Failover = divide.Never
		}
		for range rapid.IntRange(5, 60).Draw(t, "ticks") {
			if w.chance.IntN(4) == 0 {
				w.happen()
			}
			if w.chance.IntN(10) > 0 { // else the hub is down
				w.pass(t, w.chance.IntN(10) == 0)
			} else {
				w.pods()
				w.now = w.now.Add(tick)
			}
		}
		w.settle(t, 60)
		if w.options.Failover == divide.Move {
			w.requireDemandMet(t)
		}
		for _, s := range w.sites {
			s.reached, s.runs, s.capacity, s.quota, s.drain = true, true, 1000, 1000, false
		}
		want := divided(t, w.desired, w.clusters(), "shop").Seats
		for range 300 {
			if w.pass(t, false); w.runsWell(want) {
				break
			}
		}
		w.settle(t, 8) // and it stays
		w.requireDemandMet(t)
		for _, s := range w.sites {
			require.Equal(t, want[s.name], s.spec, "%+v", w.plan)
		}
	})
}

func (w *world) settle(t require.TestingT, ticks int) {
	for range ticks {
		w.pass(t, false)
	}
}

func (w *world) runsWell(want map[string]int64) bool {
	for _, s := range w.sites {
		if s.spec != want[s.name] || s.ready != s.spec {
			return false
		}
	}
	return true
}

func (w *world) clusters() []divide.Cluster {
	out := make([]divide.Cluster, len(w.sites))
	for i, s := range w.sites {
		out[i] = divide.Cluster{Name: s.name, Weight: s.weight, Min: 1, Max: s.most}
	}
	return out
}

// requireDemandMet: the members that work have ready what was asked for, as far as they have room.
func (w *world) requireDemandMet(t require.TestingT) {
	ready, room := int64(0), int64(0)
	for _, s := range w.sites {
		if s.health != divide.Healthy {
			continue
		}
		ready += s.ready
		if s.drain {
			continue
		}
		limit := s.capacity
		if s.quota < 1000 { // raises are refused as a whole: what a quota would let through belongs in Max
			limit = min(limit, s.spec)
		}
		if s.most != nil {
			limit = min(limit, *s.most)
		}
		room += limit
	}
	require.GreaterOrEqual(t, ready, min(w.desired, room), "%+v", w.plan)
}

// One member fails and returns, dead or only cut off: the survivors are raised once, by what it had, and lowered once;
// nothing moves twice, and the total of ready replicas in the survivors never falls below what they had.
func TestNoDoubleMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(3, 6).Draw(t, "members"))
		w.desired = rapid.Int64Range(10, 200).Draw(t, "replicas")
		for _, s := range w.sites {
			s.most = nil
		}
		start, failing := divided(t, w.desired, w.clusters(), "shop").Seats, w.sites[0]
		for _, s := range w.sites {
			s.spec, s.ready = start[s.name], start[s.name]
		}
		w.settle(t, 3)
		require.True(t, w.runsWell(start))
		failing.reached, failing.runs = false, rapid.Bool().Draw(t, "its pods go on")
		raised, total, falls := int64(0), w.ready(failing), map[string]bool{}
		for i := range 150 {
			if i > 50 && w.runsWell(start) {
				break
			}
			if i == 30 {
				failing.reached, failing.runs = true, true
			}
			before := map[string]int64{}
			for _, s := range w.sites {
				before[s.name] = s.spec
			}
			w.pass(t, false)
			for _, s := range w.sites[1:] {
				change := s.spec - before[s.name]
				require.False(t, falls[s.name] && change > 0, "%s is raised after it was lowered", s.name)
				falls[s.name] = falls[s.name] || change < 0
				raised += max(change, 0)
			}
			require.GreaterOrEqual(t, w.ready(failing), total, "at tick %d", i)
		}
		require.Equal(t, start[failing.name], raised, "what moved is what it had")
		for _, s := range w.sites {
			require.Equal(t, start[s.name], s.spec, "the old division is back")
		}
	})
}

// ready is the total in all but one.
func (w *world) ready(but *site) int64 {
	sum := int64(0)
	for _, s := range w.sites {
		if s != but {
			sum += s.ready
		}
	}
	return sum
}
