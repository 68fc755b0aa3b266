// SPDX-License-Identifier: Apache-2.0

package divide_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/divide"
)

const tick = 10 * time.Second

// site is a simulated member: what is really there, and what the hub thinks of it.
type site struct {
	name                    string
	weight, capacity, quota int64 // pods that find a node; pods that are admitted
	least, most             *int64
	spec, ready             int64 // what the hub writes: replicas or, where an HPA of its own wants more, a floor
	wants                   int64 // that HPA
	waiting                 int   // ticks that pods have been waiting for a node
	reached, runs           bool  // by the hub; its pods
	refused, drain, suspend bool  // the last write; by an operator
	doomed                  bool  // it dies after it is seen and before it is written
	absent                  bool  // the workload is not to run there

	health    divide.Health
	since     time.Time
	bad, good int

	// For one decision after a write the hub may see nothing yet or, if it is not careful, what was before. Ready pods do
	// not dip even then, as long as those that are not ready end first.
	oldSpec, oldReady int64
	stale, unread     bool
	seen              int64 // spec, for the precondition of the write
}

// pods is how many there are.
func (s *site) pods() int64 { return max(s.spec, s.wants) }

// held is how many ready pods the hub's number keeps there.
func (s *site) held() int64 { return min(s.ready, s.spec) }

// answers: the hub would write it.
func (s *site) answers() bool {
	return s.health == divide.Healthy && s.reached && !s.suspend && !s.unread
}

// world is a hub and its members, moved tick by tick by a seeded chance.
type world struct {
	chance  *rand.Rand
	now     time.Time
	desired int64
	sites   []*site
	options divide.Options
	floors  bool // the members have HPAs of their own
	doubts  bool // the hub suspects itself, for other workloads' members
	careful bool // the hub stores its state before it writes, and says Seen only of what was read after that
	state   divide.State
	plan    divide.Plan
}

func newWorld(seed uint64, sites int) *world {
	w := &world{chance: rand.New(rand.NewPCG(seed, 7)), options: divide.Options{
		After: 30 * time.Second, ReturnAfter: time.Minute, StepPercent: 25, StepEvery: 20 * time.Second, CoolDown: time.Minute, AdoptFor: time.Minute, SettleFor: 20 * time.Second,
	}}
	w.now = noon.Add(time.Duration(w.chance.Int64N(int64(time.Second)))).In(time.FixedZone("", 8*3600))
	w.desired = w.chance.Int64N(100)
	for i := range sites {
		s := &site{name: fmt.Sprint("m", i), weight: 1 + w.chance.Int64N(50), capacity: 1000, quota: 1000, reached: true, runs: true, health: divide.Healthy, since: noon.Add(-time.Hour)}
		w.limits(s)
		w.sites = append(w.sites, s)
	}
	return w
}

func (w *world) limits(s *site) {
	if s.least, s.most = nil, nil; w.chance.IntN(4) == 0 {
		s.most = most(5 + w.chance.Int64N(60))
	}
	if w.chance.IntN(4) == 0 {
		s.least = most(w.chance.Int64N(10))
	}
}

func (w *world) observed() divide.Observed {
	o := divide.Observed{Replicas: w.desired, Options: w.options, Salt: "shop"}
	if w.doubts {
		o.HubSuspects = "most of all clusters are silent"
	}
	for _, s := range w.sites {
		if s.absent {
			continue
		}
		m := divide.Member{Name: s.name, Health: s.health, Since: s.since, Drain: s.drain, Suspend: s.suspend, Weight: s.weight, Min: s.least, Max: s.most}
		if m.Seen = s.reached && !s.unread; m.Seen {
			m.Replicas, m.Ready, m.Refused, m.Answers = s.spec, s.ready, s.refused, s.runs
			if s.stale {
				m.Replicas, m.Ready = s.oldSpec, s.oldReady
			}
			if s.waiting >= 3 {
				m.Stuck = max(s.spec-s.capacity, 0)
			}
		}
		s.seen, o.Members = m.Replicas, append(o.Members, m)
	}
	return o
}

// turn: pods start in a while where there is room, and end at once with their nodes.
func (w *world) turn() {
	for _, s := range w.sites {
		if s.ready = min(s.ready, s.placed()); s.ready < s.placed() {
			w.start(s, 8)
		}
		if s.waiting++; s.pods() <= s.capacity || !s.runs {
			s.waiting = 0
		}
	}
}

// placed is how many pods have a node that works.
func (s *site) placed() int64 {
	if !s.runs {
		return 0
	}
	return min(s.pods(), s.capacity)
}

func (w *world) start(s *site, fewer int64) {
	s.ready = max(s.ready, min(s.placed(), s.ready+w.chance.Int64N(fewer)))
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

// write sets spec.replicas if it is still what the hub has seen.
func (w *world) write(s *site, target int64) {
	if s.seen != s.spec {
		return
	}
	s.oldSpec, s.oldReady = s.spec, s.ready
	if s.refused = target > s.spec && target > s.quota; s.refused {
		return
	}
	before := s.pods()
	s.spec = target
	if ended := before - s.pods(); ended > 0 && w.options.Ordinals {
		s.ready -= min(s.ready, w.chance.Int64N(ended+1))
	}
	s.ready = min(s.ready, s.pods())
	if s.spec != s.oldSpec {
		s.stale = !w.careful && !w.options.Ordinals && w.chance.IntN(4) == 0
		s.unread = w.chance.IntN(4) == 0
	}
}

// happen lets something happen. Where pods end by themselves the hub sees it: a dip would not be its own.
func (w *world) happen() {
	s := w.sites[w.chance.IntN(len(w.sites))]
	switch w.chance.IntN(18) {
	case 0: // a partition: its pods go on
		s.reached = false
	case 1: // its nodes die under a live API
		s.runs, s.stale = false, false
	case 2: // it dies
		s.reached, s.runs, s.stale = false, false, false
	case 3, 4, 5: // it returns
		s.reached, s.runs = true, true
	case 6:
		s.capacity, s.stale = w.chance.Int64N(60), false
	case 7:
		s.capacity, s.quota = 1000, 1000
	case 8:
		s.quota = max(w.chance.Int64N(60), s.spec)
	case 9:
		s.drain = !s.drain && w.chance.IntN(3) == 0
	case 10:
		s.suspend = !s.suspend && w.chance.IntN(3) == 0
	case 11:
		s.doomed = true
	case 12:
		if w.floors {
			s.wants = w.chance.Int64N(60)
			s.ready, s.stale = min(s.ready, s.pods()), false
		}
	case 13:
		w.limits(s)
	case 14:
		s.weight = 1 + w.chance.Int64N(50)
	case 16:
		w.doubts = !w.doubts && w.chance.IntN(3) == 0
	case 15:
		s.absent = !s.absent && w.chance.IntN(3) == 0
	default:
		w.desired = w.chance.Int64N(120)
	}
}

// over: all members are well again.
func (w *world) over() {
	w.doubts = false
	for _, s := range w.sites {
		s.reached, s.runs, s.capacity, s.quota, s.wants = true, true, 1000, 1000, 0
		s.drain, s.suspend, s.doomed, s.absent = false, false, false, false
	}
}

func (w *world) pass(t require.TestingT, killed bool) {
	w.turn()
	w.probe()
	w.decide(t, killed)
	w.now = w.now.Add(tick)
}

// settle goes on until nothing more is to come and, if that is said, everything runs as wanted; or for so many ticks.
func (w *world) settle(t require.TestingT, ticks int, want map[string]int64) {
	for range ticks {
		if w.pass(t, false); w.quiet() && (want == nil || w.runsWell(want)) {
			return
		}
	}
}

// quiet: without another event nothing changes any more.
func (w *world) quiet() bool {
	for _, s := range w.sites {
		target, written := w.plan.Targets[s.name]
		waits := s.runs && s.pods() > s.capacity && s.waiting < 3
		judged := s.health == divide.Failed || s.health == divide.Healthy && s.reached && s.runs
		unwritten := !s.absent && s.answers() && (!written || target != s.spec)
		if s.ready != s.placed() || waits || !judged || unwritten || s.unread || s.stale {
			return false
		}
	}
	return w.plan.Next.IsZero()
}

// runsWell: everything runs as wanted, and nobody has anything else in mind.
func (w *world) runsWell(want map[string]int64) bool {
	for _, s := range w.sites {
		if s.spec != want[s.name] || s.ready != s.spec || !s.answers() || w.plan.Goals[s.name] != s.spec || w.state.Members[s.name].Away {
			return false
		}
	}
	return true
}

func (w *world) clusters() []divide.Cluster {
	out := make([]divide.Cluster, len(w.sites))
	for i, s := range w.sites {
		out[i] = divide.Cluster{Name: s.name, Weight: s.weight, Min: 1, Max: s.most}
		if s.least != nil {
			out[i].Min = *s.least
		}
	}
	return out
}

// restarted is the state as the hub finds it again.
func restarted(t require.TestingT, s divide.State) divide.State {
	text, err := json.Marshal(s)
	require.NoError(t, err)
	holds(t, !strings.ContainsAny(string(text), ".+"), "times are whole seconds in UTC", string(text))
	var out divide.State
	require.NoError(t, json.Unmarshal(text, &out))
	return out
}
