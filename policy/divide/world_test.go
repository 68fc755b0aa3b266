// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/divide"
)

const tick = 10 * time.Second

// site is a simulated member: what is really there, and what the hub thinks of it.
type site struct {
	name                    string
	weight, capacity, quota int64 // pods that find a node; pods that are admitted
	most                    *int64
	spec, ready             int64
	waiting                 int   // ticks that pods have been waiting for a node
	reached, runs           bool  // by the hub; its pods
	refused, drain          bool  // the last write; by an operator
	specWhenSilent          int64 // that must not change while it is silent

	health    divide.Health
	since     time.Time
	bad, good int

	staleSpec, staleReady int64
	stale                 bool // the hub sees what was before its last write
}

// world is a hub and its members, moved tick by tick by a seeded chance.
type world struct {
	chance  *rand.Rand
	now     time.Time
	desired int64
	sites   []*site
	options divide.Options
	state   divide.State
	plan    divide.Plan
}

func newWorld(seed uint64, sites int) *world {
	w := &world{chance: rand.New(rand.NewPCG(seed, 7)), now: noon, options: divide.Options{
		After: 30 * time.Second, ReturnAfter: time.Minute, StepPercent: 25, StepEvery: 20 * time.Second, CoolDown: time.Minute, AdoptFor: time.Minute,
	}}
	w.desired = w.chance.Int64N(100)
	for i := range sites {
		s := &site{name: fmt.Sprint("m", i), weight: 1 + w.chance.Int64N(50), capacity: 1000, quota: 1000, reached: true, runs: true, health: divide.Healthy, since: noon.Add(-time.Hour)}
		if w.chance.IntN(4) == 0 {
			s.most = most(5 + w.chance.Int64N(60))
		}
		w.sites = append(w.sites, s)
	}
	return w
}

func (w *world) observed() divide.Observed {
	o := divide.Observed{Replicas: w.desired, Options: w.options, Salt: "shop"}
	for _, s := range w.sites {
		m := divide.Member{Name: s.name, Health: s.health, Since: s.since, Drain: s.drain, Weight: s.weight, Max: s.most}
		if m.Seen = s.reached; m.Seen {
			m.Replicas, m.Ready, m.Refused = s.spec, s.ready, s.refused
			if s.stale {
				m.Replicas, m.Ready = s.staleSpec, s.staleReady
			}
			if s.waiting >= 3 {
				m.Stuck = max(s.spec-s.capacity, 0)
			}
		}
		o.Members = append(o.Members, m)
	}
	return o
}

// pods start in a while where there is room, and end at once with their nodes.
func (w *world) pods() {
	for _, s := range w.sites {
		placed := min(s.spec, s.capacity)
		if !s.runs {
			placed = 0
		}
		if s.ready = min(s.ready, placed); s.ready < placed {
			s.ready = min(placed, s.ready+w.chance.Int64N(8))
		}
		if s.waiting++; s.spec <= s.capacity || !s.runs {
			s.waiting = 0
		}
	}
}

// probe is how the hub comes to think what it thinks.
func (w *world) probe() {
	for _, s := range w.sites {
		if s.reached && s.runs {
			s.bad, s.good = 0, s.good+1
			if s.health == divide.Suspect || s.health == divide.Failed && s.good >= 3 {
				s.health, s.since = divide.Healthy, w.now
			}
			continue
		}
		s.good, s.bad = 0, s.bad+1
		if s.health == divide.Healthy {
			s.health, s.since = divide.Suspect, w.now
		}
		if s.bad >= 3 {
			s.health = divide.Failed
		}
	}
}

// decide makes a plan, holds it against the invariants and writes it; sometimes only a part, before it is killed.
func (w *world) decide(t require.TestingT, killed bool) {
	o := w.observed()
	p := divide.Decide(o, w.state, w.now)
	silent, waver, unhealthy, all := false, false, 0, 0
	for _, m := range o.Members {
		if m.Drain {
			continue
		}
		all++
		if m.Health != divide.Healthy {
			unhealthy++
		}
		if m.Health != divide.Healthy || !m.Seen {
			silent = true
			_, known := w.state.Members[m.Name]
			waver = waver || m.Health != divide.Failed && (!known || !p.State.Members[m.Name].Away)
		}
	}
	require.GreaterOrEqual(t, p.Replicas, w.desired)
	if silent {
		require.GreaterOrEqual(t, p.Replicas, w.state.Replicas, "while a member is silent the number is not lowered")
	}
	before, goals, after := int64(0), int64(0), int64(0)
	for _, s := range w.sites {
		target, written := p.Targets[s.name]
		if s.health != divide.Healthy || !s.reached {
			require.False(t, written, "a silent member is not written")
			continue
		}
		require.True(t, written)
		seen := s.spec
		if s.stale {
			seen = s.staleSpec
		}
		if waver || 2*unhealthy > all {
			require.GreaterOrEqual(t, target, seen, "nothing is lowered while a member may have failed or the hub suspects itself")
		}
		before, goals = before+s.ready, goals+p.Goals[s.name]
		if killed && w.chance.IntN(2) == 0 || seen != s.spec {
			s.stale = false
			after += s.ready // not written, or refused as something else is there by now
			continue
		}
		s.write(target, !killed && w.chance.IntN(4) == 0) // after a restart it reads afresh
		after += s.ready
	}
	require.GreaterOrEqual(t, after, min(before, goals), "ready replicas do not dip: %+v", p)
	if !killed || w.chance.IntN(2) == 0 {
		w.state = p.State
	}
	w.plan = p
}

// write sets spec.replicas; pods that are not ready are the first to end.
func (s *site) write(target int64, stale bool) {
	s.staleSpec, s.staleReady, s.stale = s.spec, s.ready, stale && target != s.spec
	if s.refused = target > s.spec && target > s.quota; s.refused {
		s.stale = false
		return
	}
	s.spec = target
	s.ready = min(s.ready, s.spec)
}

// happen lets something happen.
func (w *world) happen() {
	s := w.sites[w.chance.IntN(len(w.sites))]
	switch w.chance.IntN(12) {
	case 0: // a partition: its pods go on
		s.reached = false
	case 1: // its nodes die under a live API
		s.runs = false
	case 2: // it dies
		s.reached, s.runs = false, false
	case 3, 4, 5: // it returns
		s.reached, s.runs = true, true
	case 6:
		s.capacity, s.stale = w.chance.Int64N(60), false // pods end by themselves: the dip would not be the hub's
	case 7:
		s.capacity, s.quota = 1000, 1000
	case 8:
		s.quota = max(w.chance.Int64N(60), s.spec)
	case 9:
		s.drain = !s.drain && w.chance.IntN(3) == 0
	default:
		w.desired = w.chance.Int64N(120)
	}
}

func (w *world) pass(t require.TestingT, killed bool) {
	for _, s := range w.sites {
		if s.health != divide.Healthy && s.specWhenSilent >= 0 {
			require.Equal(t, s.specWhenSilent, s.spec)
		}
	}
	w.pods()
	w.probe()
	for _, s := range w.sites {
		if s.specWhenSilent = -1; s.health != divide.Healthy {
			s.specWhenSilent = s.spec
		}
	}
	w.decide(t, killed)
	w.now = w.now.Add(tick)
}
