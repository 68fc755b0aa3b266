// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/divide"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// healthy is a member of weight 10 that has been so for an hour and runs what it shall.
func healthy(name string, replicas, ready int64) divide.Member {
	return divide.Member{Name: name, Health: divide.Healthy, Since: noon.Add(-time.Hour), Weight: 10, Seen: true, Replicas: replicas, Ready: ready}
}

func down(m divide.Member, health divide.Health, ago time.Duration) divide.Member {
	m.Health, m.Since, m.Seen, m.Replicas, m.Ready = health, noon.Add(-ago), false, 0, 0
	return m
}

// ran is the state after decisions that left members with some replicas each.
func ran(replicas int64, kept map[string]divide.Kept) divide.State {
	return divide.State{Replicas: replicas, Members: kept}
}

func threeOf(n int64) map[string]divide.Kept {
	return map[string]divide.Kept{"a": {Replicas: n, Seen: n}, "b": {Replicas: n, Seen: n}, "c": {Replicas: n, Seen: n}}
}

func reasons(p divide.Plan) []divide.Reason {
	out := make([]divide.Reason, 0, len(p.Notes))
	for _, n := range p.Notes {
		out = append(out, n.Reason)
	}
	return out
}

func TestDecide(t *testing.T) {
	type targets = map[string]int64
	a, b, c := healthy("a", 10, 10), healthy("b", 10, 10), healthy("c", 10, 10)
	with := func(m divide.Member, change func(*divide.Member)) divide.Member {
		change(&m)
		return m
	}
	away := func(a, b int64, c divide.Kept) divide.State {
		return ran(30, map[string]divide.Kept{"a": {Replicas: a, Seen: a}, "b": {Replicas: b, Seen: b}, "c": c})
	}
	returned := func(ago time.Duration, replicas, ready int64) divide.Member {
		return with(healthy("c", replicas, ready), func(m *divide.Member) { m.Since = noon.Add(-ago) })
	}
	for _, test := range []struct {
		name     string
		replicas int64
		members  []divide.Member
		state    divide.State
		options  func(*divide.Options)
		unread   string // Observed.Unmeasured
		targets  targets
		reasons  []divide.Reason
		next     time.Duration // after noon; 0: no need
	}{
		{name: "nothing to do", replicas: 30, members: []divide.Member{a, b, c}, state: ran(30, threeOf(10)), targets: targets{"a": 10, "b": 10, "c": 10}},
		{name: "up", replicas: 36, members: []divide.Member{a, b, c}, state: ran(30, threeOf(10)), targets: targets{"a": 12, "b": 12, "c": 12}},
		{name: "down", replicas: 24, members: []divide.Member{a, b, c}, state: ran(30, threeOf(10)), targets: targets{"a": 8, "b": 8, "c": 8}},
		{name: "off", replicas: 0, members: []divide.Member{a, b, c}, state: ran(30, threeOf(10)), targets: targets{"a": 0, "b": 0, "c": 0}},
		{name: "the minimums need more", replicas: 1, members: []divide.Member{a, b, c}, state: ran(30, threeOf(10)), targets: targets{"a": 1, "b": 1, "c": 1},
			reasons: []divide.Reason{divide.MinimumRaised}},
		{name: "a number that cannot be", replicas: -1, members: []divide.Member{a, b, c}, state: ran(30, threeOf(10)), reasons: []divide.Reason{divide.Invalid}},
		{name: "a member named twice", replicas: 3, members: []divide.Member{a, a, c}, state: ran(30, threeOf(10)), reasons: []divide.Reason{divide.Invalid}},
		{name: "suspect: up goes to the others", replicas: 36, members: []divide.Member{a, b, down(c, divide.Suspect, 10*time.Second)}, state: ran(30, threeOf(10)),
			targets: targets{"a": 13, "b": 13}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "suspect: nothing is lowered", replicas: 3, members: []divide.Member{a, b, down(c, divide.Suspect, time.Hour)}, state: ran(30, threeOf(10)),
			targets: targets{"a": 10, "b": 10}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "healthy and not seen is silent", replicas: 3, members: []divide.Member{a, b, with(c, func(m *divide.Member) { m.Seen = false })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 10, "b": 10}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "never seen: nobody is raised for it", replicas: 30, members: []divide.Member{a, b, with(c, func(m *divide.Member) { m.Seen = false })},
			state: ran(30, map[string]divide.Kept{"a": {Replicas: 10, Seen: 10}, "b": {Replicas: 10, Seen: 10}}), targets: targets{"a": 10, "b": 10}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "written and not read since: it has what was written", replicas: 60, members: []divide.Member{healthy("a", 20, 10), healthy("b", 20, 10), with(c, func(m *divide.Member) { m.Seen = false })},
			state: away(20, 20, divide.Kept{Replicas: 20, Seen: 10}), targets: targets{"a": 20, "b": 20}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "a raise that a silent member may not have got goes to the others", replicas: 60, members: []divide.Member{healthy("a", 20, 10), healthy("b", 20, 10), down(c, divide.Suspect, time.Second)},
			state: away(20, 20, divide.Kept{Replicas: 20, Seen: 10}), targets: targets{"a": 25, "b": 25}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "a reduction that a silent member may have got", replicas: 30, members: []divide.Member{a, b, down(c, divide.Suspect, time.Second)},
			state: away(10, 10, divide.Kept{Replicas: 4, Seen: 10}), targets: targets{"a": 13, "b": 13}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "written on its way back and not read since: nobody is raised for it", replicas: 30,
			members: []divide.Member{with(a, func(m *divide.Member) { m.Since = noon.Add(-time.Minute) }), with(b, func(m *divide.Member) { m.Since, m.Seen, m.Replicas = noon.Add(-time.Minute), false, 0 })},
			state:   ran(30, map[string]divide.Kept{"a": {Replicas: 10, Seen: 10, Away: true}, "b": {Replicas: 20, Seen: 18, Away: true}}),
			targets: targets{"a": 10}, reasons: []divide.Reason{divide.Returning}, next: 4 * time.Minute},
		{name: "drained, written and not read since: it keeps what nobody takes", replicas: 30,
			members: []divide.Member{with(a, func(m *divide.Member) { m.Max = most(10) }), with(b, func(m *divide.Member) { m.Drain, m.Seen, m.Replicas = true, false, 0 })},
			state:   ran(30, map[string]divide.Kept{"a": {Replicas: 10, Seen: 10}, "b": {Replicas: 20, Seen: 20}}),
			targets: targets{"a": 10}, reasons: []divide.Reason{divide.Drained}},
		{name: "suspended: as suspect, well or not", replicas: 36, members: []divide.Member{a, b, with(c, func(m *divide.Member) { m.Suspend = true })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 13, "b": 13}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "suspended: never failed over", replicas: 3, members: []divide.Member{a, b, with(down(c, divide.Failed, time.Hour), func(m *divide.Member) { m.Suspend = true })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 10, "b": 10}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "suspended: no reason for the hub to suspect itself", replicas: 30, members: []divide.Member{a, with(down(b, divide.Failed, time.Hour), func(m *divide.Member) { m.Suspend = true }), with(down(c, divide.Failed, time.Hour), func(m *divide.Member) { m.Suspend = true })},
			state: ran(30, threeOf(10)), targets: targets{"a": 10}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "suspended after its seats moved: they are with the others", replicas: 24, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), with(c, func(m *divide.Member) { m.Suspend = true })},
			state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10, Away: true}), targets: targets{"a": 15, "b": 15}, reasons: []divide.Reason{divide.ScaleDownFrozen}},
		{name: "suspended and drained: its seats move", replicas: 30, members: []divide.Member{a, b, with(c, func(m *divide.Member) { m.Suspend, m.Drain = true, true })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 15, "b": 15}, reasons: []divide.Reason{divide.Drained}},
		{name: "what starts is kept while others lack as much", replicas: 30, members: []divide.Member{healthy("a", 10, 8), healthy("b", 20, 9), c}, state: away(10, 20, divide.Kept{Replicas: 10, Seen: 10}),
			targets: targets{"a": 10, "b": 12, "c": 10}, reasons: []divide.Reason{divide.WaitingForReady}},
		{name: "what waits for a node is not", replicas: 30, members: []divide.Member{healthy("a", 10, 8), with(healthy("b", 20, 9), func(m *divide.Member) { m.Stuck = 9 }), c}, state: away(10, 20, divide.Kept{Replicas: 10, Seen: 10}),
			targets: targets{"a": 10, "b": 11, "c": 10}, reasons: []divide.Reason{divide.Capped, divide.WaitingForReady}, next: 5 * time.Minute},
		{name: "off while pods start", replicas: 0, members: []divide.Member{healthy("a", 10, 0), healthy("b", 10, 2)}, state: ran(20, threeOf(10)), targets: targets{"a": 0, "b": 0}},
		{name: "pods that are not ready end first", replicas: 30, members: []divide.Member{healthy("a", 20, 12), b, c}, state: away(20, 10, divide.Kept{Replicas: 10, Seen: 10}),
			targets: targets{"a": 10, "b": 10, "c": 10}},
		{name: "a reduction that was not taken is written again", replicas: 24, members: []divide.Member{healthy("a", 8, 8), healthy("b", 8, 8), c}, state: away(8, 8, divide.Kept{Replicas: 8, Seen: 10}),
			targets: targets{"a": 8, "b": 8, "c": 8}},
		{name: "a reduction that was not taken is not written while others lack as much", replicas: 24, members: []divide.Member{healthy("a", 8, 8), healthy("b", 8, 6), c},
			state: away(8, 8, divide.Kept{Replicas: 8, Seen: 10}), targets: targets{"a": 8, "b": 8, "c": 10}, reasons: []divide.Reason{divide.WaitingForReady}},
		{name: "ordinals: any pods may end", replicas: 30, members: []divide.Member{healthy("a", 20, 12), b, c}, state: away(20, 10, divide.Kept{Replicas: 10, Seen: 10}),
			options: func(o *divide.Options) { o.Ordinals = true }, targets: targets{"a": 18, "b": 10, "c": 10}, reasons: []divide.Reason{divide.WaitingForReady}},
		{name: "floors: what is ready above them does not count", replicas: 30, members: []divide.Member{healthy("a", 15, 40), healthy("b", 15, 15), healthy("c", 10, 6)}, state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10}),
			targets: targets{"a": 10, "b": 14, "c": 10}, reasons: []divide.Reason{divide.WaitingForReady}},
		{name: "failed, not for long enough", replicas: 30, members: []divide.Member{a, b, down(c, divide.Failed, 40*time.Second)}, state: ran(30, threeOf(10)),
			targets: targets{"a": 10, "b": 10}, reasons: []divide.Reason{divide.ScaleDownFrozen, divide.FailoverWaits}, next: 20 * time.Second},
		{name: "failed over", replicas: 30, members: []divide.Member{a, b, down(c, divide.Failed, time.Minute)}, state: ran(30, threeOf(10)),
			targets: targets{"a": 15, "b": 15}, reasons: []divide.Reason{divide.FailedOver}},
		{name: "failed over: fewer are not acted on", replicas: 12, members: []divide.Member{a, b, down(c, divide.Failed, time.Minute)}, state: ran(30, threeOf(10)),
			targets: targets{"a": 15, "b": 15}, reasons: []divide.Reason{divide.ScaleDownFrozen, divide.FailedOver}},
		{name: "failed over: fewer are acted on after a while where it is said", replicas: 12, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), down(c, divide.Failed, time.Hour)},
			state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10, Away: true}), options: func(o *divide.Options) { o.FreezeFor = 30 * time.Minute },
			targets: targets{"a": 6, "b": 6}, reasons: []divide.Reason{divide.FailedOver}},
		{name: "failed, but answers again", replicas: 30, members: []divide.Member{a, b, with(down(c, divide.Failed, time.Hour), func(m *divide.Member) { m.Answers = true })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 10, "b": 10}, reasons: []divide.Reason{divide.ScaleDownFrozen, divide.FailoverWaits}},
		{name: "failed, answers again, and a cap would lower others", replicas: 30, members: []divide.Member{healthy("a", 13, 13), healthy("b", 10, 10), with(down(c, divide.Failed, time.Hour), func(m *divide.Member) { m.Answers = true })},
			state: away(13, 10, divide.Kept{Replicas: 7, Seen: 7}), targets: targets{"a": 13, "b": 11}, reasons: []divide.Reason{divide.ScaleDownFrozen, divide.FailoverWaits}},
		{name: "failed over, and answers again", replicas: 30, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), with(down(c, divide.Failed, time.Hour), func(m *divide.Member) { m.Answers = true })},
			state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10, Away: true}), targets: targets{"a": 15, "b": 15}, reasons: []divide.Reason{divide.FailedOver}},
		{name: "failover never", replicas: 30, members: []divide.Member{a, b, down(c, divide.Failed, time.Hour)}, state: ran(30, threeOf(10)),
			options: func(o *divide.Options) { o.Failover = divide.Never }, targets: targets{"a": 10, "b": 10}, reasons: []divide.Reason{divide.FailoverNever}},
		{name: "two of three: the third is raised, nothing is lowered", replicas: 12, members: []divide.Member{a, down(b, divide.Failed, time.Minute), down(c, divide.Failed, time.Minute)}, state: ran(30, threeOf(10)),
			targets: targets{"a": 30}, reasons: []divide.Reason{divide.HubSuspectsItself, divide.ScaleDownFrozen, divide.FailedOver, divide.FailedOver}},
		{name: "all silent: nothing is written", replicas: 12, members: []divide.Member{down(a, divide.Failed, time.Minute), down(b, divide.Failed, time.Minute)}, state: ran(30, threeOf(15)),
			targets: targets{}, reasons: []divide.Reason{divide.HubSuspectsItself, divide.ScaleDownFrozen, divide.Unplaced, divide.FailedOver, divide.FailedOver}},
		{name: "back, not for long enough", replicas: 30, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), returned(time.Minute, 10, 10)},
			state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10, Away: true}), targets: targets{"a": 15, "b": 15, "c": 10}, reasons: []divide.Reason{divide.Returning}, next: 4 * time.Minute},
		{name: "back and empty: in steps", replicas: 30, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), returned(5*time.Minute, 10, 0)},
			state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10, Away: true}), targets: targets{"a": 15, "b": 15, "c": 3},
			reasons: []divide.Reason{divide.WaitingForReady, divide.WaitingForReady, divide.FailingBack}, next: time.Minute},
		{name: "back, a step ready, others lowered", replicas: 30, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), returned(6*time.Minute, 3, 3)},
			state: away(15, 15, divide.Kept{Replicas: 3, Seen: 3, Away: true, Stage: 3, StageSince: noon.Add(-time.Minute)}), targets: targets{"a": 12, "b": 15, "c": 6},
			reasons: []divide.Reason{divide.WaitingForReady, divide.FailingBack}, next: time.Minute},
		{name: "back with all its pods", replicas: 30, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), returned(5*time.Minute, 10, 10)},
			state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10, Away: true}), targets: targets{"a": 10, "b": 10, "c": 10}, reasons: []divide.Reason{divide.FailedBack}},
		{name: "back too early, but the others are full", replicas: 30, members: []divide.Member{with(healthy("a", 12, 12), func(m *divide.Member) { m.Max = most(12) }), with(healthy("b", 12, 12), func(m *divide.Member) { m.Max = most(12) }), returned(time.Minute, 0, 0)},
			state: away(12, 12, divide.Kept{Away: true}), targets: targets{"a": 12, "b": 12, "c": 6}, reasons: []divide.Reason{divide.Returning}, next: 4 * time.Minute},
		{name: "failed again on its way back", replicas: 30, members: []divide.Member{healthy("a", 13, 13), healthy("b", 14, 14), down(c, divide.Failed, time.Minute)},
			state: away(13, 14, divide.Kept{Replicas: 3, Seen: 3, Away: true, Stage: 3, StageSince: noon}), targets: targets{"a": 15, "b": 15}, reasons: []divide.Reason{divide.FailedOver}},
		{name: "pods that wait: seats go on, and others are awaited", replicas: 30, members: []divide.Member{a, b, with(healthy("c", 10, 6), func(m *divide.Member) { m.Stuck = 4 })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 12, "b": 12, "c": 6}, reasons: []divide.Reason{divide.Capped}, next: 5 * time.Minute},
		{name: "a raise refused", replicas: 36, members: []divide.Member{a, b, with(c, func(m *divide.Member) { m.Refused = true })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 13, "b": 13, "c": 10}, reasons: []divide.Reason{divide.Capped}, next: 5 * time.Minute},
		{name: "a cap holds, and again is longer", replicas: 30, members: []divide.Member{a, b, with(healthy("c", 10, 6), func(m *divide.Member) { m.Stuck = 4 })},
			state:   away(10, 10, divide.Kept{Replicas: 10, Seen: 10, Cap: &divide.Cap{Replicas: 6, Until: noon.Add(-time.Minute), Times: 1}}),
			targets: targets{"a": 12, "b": 12, "c": 6}, reasons: []divide.Reason{divide.Capped}, next: 10 * time.Minute},
		{name: "after a while without it is a new series", replicas: 30, members: []divide.Member{a, b, with(healthy("c", 10, 6), func(m *divide.Member) { m.Stuck = 4 })},
			state:   away(10, 10, divide.Kept{Replicas: 10, Seen: 10, Cap: &divide.Cap{Replicas: 6, Until: noon.Add(-5 * time.Minute), Times: 3}}),
			targets: targets{"a": 12, "b": 12, "c": 6}, reasons: []divide.Reason{divide.Capped}, next: 5 * time.Minute},
		{name: "a cap outlasts the waiting pods", replicas: 30, members: []divide.Member{healthy("a", 12, 12), healthy("b", 12, 12), healthy("c", 6, 6)},
			state:   away(12, 12, divide.Kept{Replicas: 6, Seen: 6, Cap: &divide.Cap{Replicas: 6, Until: noon.Add(time.Minute), Times: 1}}),
			targets: targets{"a": 12, "b": 12, "c": 6}, reasons: []divide.Reason{divide.Capped}, next: time.Minute},
		{name: "more pods that wait lower a cap", replicas: 30, members: []divide.Member{healthy("a", 12, 12), healthy("b", 12, 12), with(healthy("c", 6, 4), func(m *divide.Member) { m.Stuck = 2 })},
			state:   away(12, 12, divide.Kept{Replicas: 6, Seen: 6, Cap: &divide.Cap{Replicas: 6, Until: noon.Add(time.Minute), Times: 1}}),
			targets: targets{"a": 13, "b": 13, "c": 4}, reasons: []divide.Reason{divide.Capped}, next: time.Minute},
		{name: "a cap's end gives it its seats again", replicas: 30, members: []divide.Member{healthy("a", 12, 12), healthy("b", 12, 12), healthy("c", 6, 6)},
			state:   away(12, 12, divide.Kept{Replicas: 6, Seen: 6, Cap: &divide.Cap{Replicas: 6, Until: noon, Times: 1}}),
			targets: targets{"a": 12, "b": 12, "c": 10}, reasons: []divide.Reason{divide.WaitingForReady, divide.WaitingForReady}},
		{name: "pods that wait where nobody else takes them stay", replicas: 30,
			members: []divide.Member{with(a, func(m *divide.Member) { m.Max = most(10) }), with(b, func(m *divide.Member) { m.Max = most(11) }), with(healthy("c", 10, 6), func(m *divide.Member) { m.Stuck = 4 })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 10, "b": 11, "c": 9}, reasons: []divide.Reason{divide.Capped}, next: 5 * time.Minute},
		{name: "drained", replicas: 30, members: []divide.Member{a, b, with(c, func(m *divide.Member) { m.Drain = true })}, state: ran(30, threeOf(10)),
			targets: targets{"a": 15, "b": 15, "c": 10}, reasons: []divide.Reason{divide.Drained, divide.WaitingForReady}},
		{name: "drained, others ready", replicas: 30, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 13), with(c, func(m *divide.Member) { m.Drain = true })}, state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10}),
			targets: targets{"a": 15, "b": 15, "c": 2}, reasons: []divide.Reason{divide.Drained, divide.WaitingForReady}},
		{name: "drained and silent freezes nothing", replicas: 24, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), with(down(c, divide.Suspect, time.Hour), func(m *divide.Member) { m.Drain = true })}, state: away(15, 15, divide.Kept{Replicas: 10, Seen: 10}),
			targets: targets{"a": 12, "b": 12}, reasons: []divide.Reason{divide.Drained}},
		{name: "all drained: they keep what nobody takes", replicas: 30, members: []divide.Member{with(a, func(m *divide.Member) { m.Drain = true }), with(b, func(m *divide.Member) { m.Drain = true })},
			state: ran(30, threeOf(10)), targets: targets{"a": 10, "b": 10}, reasons: []divide.Reason{divide.Unplaced, divide.Drained, divide.Drained}},
		{name: "found running before anybody asked", replicas: 1, members: []divide.Member{a, b, healthy("c", 4, 4)}, targets: targets{"a": 10, "b": 10, "c": 8},
			reasons: []divide.Reason{divide.Adopting, divide.WaitingForReady, divide.WaitingForReady}, next: 10 * time.Minute},
		{name: "found, and an HPA begins with its minReplicas", replicas: 18, members: []divide.Member{a, b, healthy("c", 4, 4)},
			state:   divide.State{Replicas: 24, Adoption: &divide.Adoption{Asked: 1, Found: 24, Until: noon.Add(time.Minute)}, Members: map[string]divide.Kept{"a": {Replicas: 10, Seen: 10}, "b": {Replicas: 10, Seen: 10}, "c": {Replicas: 4, Seen: 4}}},
			targets: targets{"a": 10, "b": 10, "c": 8}, reasons: []divide.Reason{divide.Adopting, divide.WaitingForReady, divide.WaitingForReady}, next: time.Minute},
		{name: "found, and fewer are asked for", replicas: 18, members: []divide.Member{a, b, healthy("c", 4, 4)},
			state:   divide.State{Replicas: 24, Adoption: &divide.Adoption{Asked: 19, Found: 24, Until: noon.Add(time.Minute)}, Members: map[string]divide.Kept{"a": {Replicas: 10, Seen: 10}, "b": {Replicas: 10, Seen: 10}, "c": {Replicas: 4, Seen: 4}}},
			targets: targets{"a": 6, "b": 8, "c": 6}, reasons: []divide.Reason{divide.WaitingForReady}},
		{name: "found, and the HPA cannot read its metrics", replicas: 18, members: []divide.Member{a, b, healthy("c", 4, 4)}, unread: "HPA shop of the hub has not read its metrics",
			state:   divide.State{Replicas: 24, Adoption: &divide.Adoption{Asked: 1, Found: 24, Until: noon.Add(-time.Hour)}, Members: map[string]divide.Kept{"a": {Replicas: 10, Seen: 10}, "b": {Replicas: 10, Seen: 10}, "c": {Replicas: 4, Seen: 4}}},
			targets: targets{"a": 10, "b": 10, "c": 8}, reasons: []divide.Reason{divide.Adopting, divide.WaitingForReady, divide.WaitingForReady}},
		{name: "found, and nobody has asked for so many in ten minutes", replicas: 18, members: []divide.Member{a, b, healthy("c", 4, 4)},
			state:   divide.State{Replicas: 24, Adoption: &divide.Adoption{Asked: 1, Found: 24, Until: noon}, Members: map[string]divide.Kept{"a": {Replicas: 10, Seen: 10}, "b": {Replicas: 10, Seen: 10}, "c": {Replicas: 4, Seen: 4}}},
			targets: targets{"a": 6, "b": 8, "c": 6}, reasons: []divide.Reason{divide.WaitingForReady}},
		{name: "back without a failover, and the number asked for lacks its demand", replicas: 20, members: []divide.Member{a, b, returned(time.Minute, 10, 10)}, state: ran(30, threeOf(10)),
			options: func(o *divide.Options) { o.Failover = divide.Never }, targets: targets{"a": 10, "b": 10, "c": 10}, reasons: []divide.Reason{divide.ScaleDownFrozen}, next: time.Minute},
		{name: "back without a failover, and others have what was asked for meanwhile: it gets none of that for a moment", replicas: 12, members: []divide.Member{healthy("a", 13, 13), healthy("b", 13, 13), returned(time.Minute, 4, 4)},
			state: away(13, 13, divide.Kept{Replicas: 4, Seen: 4}), targets: targets{"a": 13, "b": 13, "c": 4}, reasons: []divide.Reason{divide.ScaleDownFrozen}, next: time.Minute},
		{name: "back, and the number asked for lacks its demand", replicas: 20, members: []divide.Member{healthy("a", 15, 15), healthy("b", 15, 15), with(healthy("c", 0, 0), func(m *divide.Member) { m.Since = noon.Add(-2*time.Minute + time.Second) })},
			state: away(15, 15, divide.Kept{Away: true}), targets: targets{"a": 15, "b": 15, "c": 0}, reasons: []divide.Reason{divide.ScaleDownFrozen, divide.Returning}, next: time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			options := divide.DefaultOptions()
			if test.options != nil {
				test.options(&options)
			}
			p := divide.Decide(divide.Observed{Replicas: test.replicas, Members: test.members, Unmeasured: test.unread, Options: options}, test.state, noon)
			require.Equal(t, test.targets, p.Targets, "%+v", p.Notes)
			require.Equal(t, test.reasons, slices.Clip(append([]divide.Reason(nil), reasons(p)...)), "%+v", p.Notes)
			if test.next == 0 {
				require.Zero(t, p.Next)
			} else {
				require.Equal(t, noon.Add(test.next), p.Next)
			}
			if len(test.reasons) == 1 && test.reasons[0] == divide.Invalid {
				require.Equal(t, test.state, p.State)
				return
			}
			reversed := slices.Clone(test.members)
			slices.Reverse(reversed)
			require.Equal(t, p, divide.Decide(divide.Observed{Replicas: test.replicas, Members: reversed, Unmeasured: test.unread, Options: options}, test.state, noon), "the members' order")
		})
	}
}

func TestWhatIf(t *testing.T) {
	o := divide.Observed{Replicas: 30, Members: []divide.Member{healthy("a", 10, 10), healthy("b", 10, 10), healthy("c", 10, 10)}, Options: divide.DefaultOptions()}
	twice := o
	twice.Replicas *= 2
	require.Equal(t, map[string]int64{"a": 20, "b": 20, "c": 20}, divide.Decide(twice, ran(30, threeOf(10)), noon).Goals)
	o.Members[2].Health, o.Members[2].Since = divide.Failed, time.Time{}
	require.Equal(t, map[string]int64{"a": 15, "b": 15, "c": 0}, divide.Decide(o, ran(30, threeOf(10)), noon).Goals)
}

// A member with everything that can be kept of it.
func TestStateIsSmall(t *testing.T) {
	size := func(k divide.Kept) int {
		text, err := json.Marshal(divide.State{Members: map[string]divide.Kept{"": k}})
		require.NoError(t, err)
		empty, err := json.Marshal(divide.State{Members: map[string]divide.Kept{}})
		require.NoError(t, err)
		return len(text) - len(empty)
	}
	most := int64(divide.MaxReplicas)
	require.LessOrEqual(t, size(divide.Kept{Replicas: 100, Seen: 100}), 35)
	require.LessOrEqual(t, size(divide.Kept{
		Replicas: most, Seen: most, Away: true, Stage: most, StageSince: noon, Cap: &divide.Cap{Replicas: most, Until: noon, Times: 4},
	}), 200)
}
