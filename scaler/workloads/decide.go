// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"math"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// unbounded is the maximum of a workload without an HPA: only windows and overrides set one.
const unbounded = math.MaxInt32

// lostWithin is how long after a decision the number of before counts as that of a write that was cut short. Later it
// is somebody else's.
const lostWithin = time.Minute

// waitStep is how often a ramp that waits for other targets looks at them.
const waitStep = 5 * time.Second

// Decide decides the number of replicas: Result.Bounds.Min. It depends on nothing but the workload and the time, and
// changes neither. The user's own number is the base. Without an HPA nobody else decides, so the floor is the number:
//   - a window's minReplicas raises it and never lowers it;
//   - a window's replicas, and a maxReplicas below the user's own number, lower it in steps, with hardMax at once;
//   - what ends sinks on its ramp, or in steps; an override acts at once.
func (w *Workload) Decide(now time.Time) situation.Outcome {
	s := w.Around
	out := situation.Outcome{Adoption: w.adopt(now), Record: s.Record}
	base := out.Adoption.Base
	obs := s.Observations()
	obs.BaseMin, obs.BaseMax = base.Min, base.Max
	obs.Self = schedule.Target{Kind: w.Key.Kind, Name: w.Key.Name}
	out.Schedule = schedule.Evaluate(s.Rules(), obs, now)
	contributions := asCounts(bounds.FromWindows(out.Schedule), base.Min)
	if o := s.Override(); o != nil && o.Active(now) {
		out.Override = o
		contributions = append(contributions, o.Contribution())
	}
	out.Leave = w.leave(out.Adoption.Change)
	live := bounds.Bounds{Min: w.Replicas(), Max: unbounded}
	state := w.seeded(out.Adoption)
	out.Result = bounds.Evaluate(bounds.Input{
		Now: minutes(state.Tail, now), Base: base, Contributions: contributions, State: state,
		Observed: bounds.Observed{Paused: s.PausedBy != "" || s.Unreadable, Live: live},
	})
	if out.Leave == "" {
		out.Record = record.Record{Base: asRecord(base.Min), State: kept(out.Result.State, s.Record.State), Released: out.Schedule.Released}
	}
	out.Next = w.next(&out, now)
	return out
}

// adopt compares the number of replicas with the record.
func (w *Workload) adopt(now time.Time) bounds.Adoption {
	live := bounds.Bounds{Min: w.Replicas(), Max: unbounded}
	state := w.Around.Record.State
	if state.Applied == nil {
		return bounds.Adopt(live, live, state, now)
	}
	base := bounds.Bounds{Min: w.Around.Record.Base.Min, Max: unbounded}
	state.Applied = &bounds.Bounds{Min: state.Applied.Min, Max: unbounded}
	if w.Previous != nil && live.Min == *w.Previous && live != *state.Applied {
		// The record is written before the number, so one of the two writes is missing, or somebody undid it.
		if now.Before(state.Since.Add(lostWithin)) {
			return bounds.Adopt(*state.Applied, base, state, now)
		}
		live = base
	}
	return bounds.Adopt(live, base, state, now)
}

func (w *Workload) leave(change bounds.Change) string {
	s := w.Around
	switch {
	case w.Refused != "":
		return w.Refused
	case s.Unreadable:
		return "the record in its annotations cannot be read"
	case s.PausedBy != "":
		return "paused by " + s.PausedBy
	case change == bounds.Contested:
		return "somebody else writes its replicas back"
	}
	return ""
}

// asCounts turns what windows ask of an HPA into what they ask of a number of replicas.
func asCounts(contributions []bounds.Contribution, base int32) []bounds.Contribution {
	for i := range contributions {
		c := &contributions[i]
		if c.Exact || c.MinReplicas == nil && c.MaxReplicas == nil {
			continue
		}
		want := base
		if c.MinReplicas != nil {
			want = max(want, *c.MinReplicas)
		}
		if c.MaxReplicas != nil {
			want = min(want, max(*c.MaxReplicas, 1))
		}
		if c.MinReplicas == nil && want == base {
			continue // a maximum that nothing reaches
		}
		c.MinReplicas, c.RaiseOnly = &want, want >= base
	}
	return contributions
}

// seeded is the state in which the user's own number was applied, so that a lower one is reached in steps.
func (w *Workload) seeded(a bounds.Adoption) bounds.State {
	state := a.State
	if state.Applied == nil {
		own := a.Base
		state.Applied, state.FloorBy = &own, bounds.Source{Kind: w.Key.Kind, Name: w.Key.Name}
	}
	return state
}

// kept is the state to keep: only the number counts, so a maximum that moves above it is no change.
func kept(state, before bounds.State) bounds.State {
	if state.Applied == nil {
		return state
	}
	applied := asRecord(state.Applied.Min)
	state.Applied = &applied
	if old := before.Applied; old != nil && old.Min == state.Applied.Min {
		state.Since = before.Since
	}
	return state
}

// asRecord is a number of replicas as a record has it: bounds, whose maximum is 1 at least.
func asRecord(replicas int32) bounds.Bounds {
	return bounds.Bounds{Min: replicas, Max: max(replicas, 1)}
}

// minutes lets a number that decays sink once a minute, not with every look at it.
func minutes(tail *bounds.Tail, now time.Time) time.Time {
	if tail == nil || now.Before(tail.Since) {
		return now
	}
	return tail.Since.Add(now.Sub(tail.Since).Truncate(time.Minute))
}

// next is when the outcome may change although nobody changes an object.
func (w *Workload) next(out *situation.Outcome, now time.Time) time.Time {
	next := out.Schedule.Next
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	if o := w.Around.Override(); o != nil {
		sooner(o.Since)
		sooner(o.Until)
	}
	for _, revert := range out.Adoption.State.Reverts {
		sooner(revert.Add(bounds.RevertWindow))
	}
	if tail := out.Result.State.Tail; tail != nil {
		sooner(minutes(tail, now).Add(time.Minute))
	}
	for i := range out.Schedule.Active {
		if len(out.Schedule.Active[i].Waiting) > 0 {
			sooner(now.Add(waitStep))
		}
	}
	return next
}
