// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/divide"
)

// holds fails the test unless ok. It looks for the caller, which is dear, only then.
func holds(t require.TestingT, ok bool, what string, about ...any) {
	if !ok {
		require.Fail(t, what, about...)
	}
}

// decide makes a plan, holds it against the invariants and writes it; sometimes only a part, before it is killed.
func (w *world) decide(t require.TestingT, killed bool) {
	o := w.observed()
	p := divide.Decide(o, w.state, w.now)
	w.requireNoSurprise(t, o, p)
	died := false
	for _, s := range w.sites {
		if s.doomed && s.answers() {
			s.reached, s.runs, died = false, w.chance.IntN(2) == 0, true
			s.ready = min(s.ready, s.placed())
		}
		s.doomed, s.stale, s.unread = false, false, false
	}
	early := !killed || w.chance.IntN(2) == 0
	if early && w.careful {
		w.state = p.State
	}
	before, goals, after := int64(0), int64(0), int64(0)
	for _, s := range w.sites {
		if target, written := p.Targets[s.name]; written && s.reached {
			w.start(s, 3) // some more have become ready by now
			before, goals = before+s.held(), goals+p.Goals[s.name]
			if !killed || (early || !w.careful) && w.chance.IntN(2) == 0 {
				w.write(s, target)
			}
			after += s.held()
		}
	}
	if !died {
		holds(t, after >= min(before, goals), "ready replicas do not dip", "%d after %d, of %d: %+v", after, before, goals, p)
	}
	if early {
		w.state = p.State
	}
	if killed {
		for _, s := range w.sites {
			s.stale, s.unread = false, false // after a restart it reads afresh
		}
		again := restarted(t, w.state)
		require.Equal(t, w.state, again)
		w.state = again
	}
	w.plan = p
}

// requireNoSurprise: what must hold of every plan.
func (w *world) requireNoSurprise(t require.TestingT, o divide.Observed, p divide.Plan) {
	silent, waver, failing, asked := false, false, 0, 0
	for _, m := range o.Members {
		_, written := p.Targets[m.Name]
		quiet := m.Health != divide.Healthy || !m.Seen || m.Suspend
		goal := p.Goals[m.Name]
		holds(t, quiet != written, "all that answer are written, and no silent one")
		holds(t, goal >= 0 && (m.Max == nil || m.Drain || goal <= *m.Max), "goals are within the limits")
		if m.Drain {
			continue
		}
		before, after := w.state.Members[m.Name], p.State.Members[m.Name]
		if m.Answers && m.Health == divide.Failed {
			holds(t, before.Away || !after.Away, "a failed member that answers again does not fail over")
		}
		if m.Suspend {
			holds(t, before.Away == after.Away, "a suspended member neither fails over nor back")
		} else if asked++; m.Health != divide.Healthy {
			failing++
		}
		silent = silent || quiet
		failed := m.Health == divide.Failed && !m.Suspend
		waver = waver || quiet && !after.Away && (!failed || o.Options.Failover == divide.Move)
	}
	holds(t, p.Replicas >= o.Replicas, "what is asked for is divided")
	doubts := o.HubSuspects != ""
	holds(t, !silent && !doubts || p.Replicas >= w.state.Replicas, "while a member is silent or the hub suspects itself the number is not lowered")
	if waver || doubts || 2*failing > asked {
		for _, m := range o.Members {
			if target, written := p.Targets[m.Name]; written {
				holds(t, target >= m.Replicas, "nothing is lowered while a member may have failed or the hub suspects itself")
			}
		}
	}
}

// requireDemandMet: the members that work have ready what was asked for, besides what silent ones may still have, as far
// as they have room.
func (w *world) requireDemandMet(t require.TestingT) {
	ready, room, elsewhere := int64(0), int64(0), int64(0)
	for _, s := range w.sites {
		kept, known := w.state.Members[s.name]
		switch {
		case s.absent:
		case s.health == divide.Healthy && !s.suspend:
			ready += s.held()
			if !s.drain {
				room += s.room()
			}
		case s.drain || kept.Away && kept.StageSince.IsZero():
		case known && w.careful:
			elsewhere += s.spec
		default:
			return // nobody knows what it has
		}
	}
	require.GreaterOrEqual(t, ready, min(w.desired-elsewhere, room), "%+v", w.plan)
}

// room is how many it can have.
func (s *site) room() int64 {
	limit := s.capacity
	if s.quota < 1000 { // raises are refused as a whole: what a quota would let through belongs in Max
		limit = min(limit, s.spec)
	}
	if s.most != nil {
		limit = min(limit, *s.most)
	}
	return limit
}
