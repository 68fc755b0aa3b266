// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"testing"
	"time"

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
		w.options.Ordinals, w.floors, w.careful = w.chance.IntN(4) == 0, w.chance.IntN(4) == 0, w.chance.IntN(4) > 0
		for range rapid.IntRange(5, 60).Draw(t, "ticks") {
			if w.chance.IntN(4) == 0 {
				w.happen()
			}
			if w.chance.IntN(10) > 0 { // else the hub is down
				w.pass(t, w.chance.IntN(10) == 0)
			} else {
				w.turn()
				w.now = w.now.Add(tick)
			}
		}
		w.settle(t, 60, nil)
		w.requireDemandMet(t)
		w.over()
		want := divided(t, w.desired, w.clusters(), "shop").Seats
		w.settle(t, 300, want)
		for range 8 { // and it stays
			w.pass(t, false)
		}
		w.requireDemandMet(t)
		for _, s := range w.sites {
			require.Equal(t, want[s.name], s.spec, "%+v", w.plan)
		}
	})
}

// running is a world in which everything runs as it should.
func running(t *rapid.T, fewest int) (*world, map[string]int64) {
	w := newWorld(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(fewest, 6).Draw(t, "members"))
	w.desired = rapid.Int64Range(10, 200).Draw(t, "replicas")
	for _, s := range w.sites {
		s.least, s.most = nil, nil
	}
	start := divided(t, w.desired, w.clusters(), "shop").Seats
	for _, s := range w.sites {
		s.spec, s.ready = start[s.name], start[s.name]
	}
	w.settle(t, 3, nil)
	require.True(t, w.runsWell(start))
	return w, start
}

// One member fails and returns, dead or only cut off: the survivors are raised once, by what it had, and lowered once;
// nothing moves twice, and the total of ready replicas in the survivors never falls below what they had.
func TestNoDoubleMove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, start := running(t, 3)
		failing := w.sites[0]
		failing.reached, failing.runs = false, rapid.Bool().Draw(t, "its pods go on")
		raised, total, falls := int64(0), w.ready(failing), map[string]bool{}
		for i := range 150 {
			if i > 30 && w.runsWell(start) {
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
				holds(t, !falls[s.name] || change <= 0, "raised after it was lowered", s.name)
				falls[s.name] = falls[s.name] || change < 0
				raised += max(change, 0)
			}
			holds(t, w.ready(failing) >= total, "the survivors' ready replicas do not dip", "at tick %d", i)
		}
		require.Equal(t, start[failing.name], raised, "what moved is what it had")
		for _, s := range w.sites {
			require.Equal(t, start[s.name], s.spec, "the old division is back")
		}
	})
}

// Most members fail at once, dead or only cut off, while another number is asked for: nothing is lowered anywhere until
// they answer again; within a minute and a half the survivors have all that was asked for; and the old division comes back.
func TestMostAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, _ := running(t, 3)
		dead := rapid.IntRange(len(w.sites)/2+1, len(w.sites)-1).Draw(t, "fail")
		for _, s := range w.sites[:dead] {
			s.reached, s.runs = false, rapid.Bool().Draw(t, "its pods go on")
		}
		asked := w.desired
		w.desired = rapid.Int64Range(1, 200).Draw(t, "asked for now")
		for range int(90 * time.Second / tick) {
			before := map[string]int64{}
			for _, s := range w.sites {
				before[s.name] = s.spec
			}
			w.pass(t, false)
			for _, s := range w.sites {
				holds(t, s.spec >= before[s.name], "nothing is lowered", s.name)
			}
		}
		survivors := int64(0)
		for _, s := range w.sites[dead:] {
			survivors += s.spec
		}
		require.GreaterOrEqual(t, survivors, max(asked, w.desired))
		w.over()
		want := divided(t, w.desired, w.clusters(), "shop").Seats
		w.settle(t, 300, want)
		require.True(t, w.runsWell(want), "%+v", w.plan)
	})
}

// The hub is cut off from all members for a while, long enough to think that all have failed. Nothing is written then, and
// nothing when all answer again: they run what they shall.
func TestHubCutOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, start := running(t, 1)
		for _, s := range w.sites {
			s.reached = false
		}
		for range rapid.IntRange(1, 20).Draw(t, "ticks") {
			w.pass(t, false)
		}
		w.over()
		for range 20 {
			w.pass(t, false)
			for _, s := range w.sites {
				holds(t, s.spec == start[s.name], "written", "%+v", w.plan)
			}
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
