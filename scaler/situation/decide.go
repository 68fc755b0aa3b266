// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Decide decides the bounds at a time. It depends on nothing but the situation and the time, and does not change them.
// Times count in whole seconds, as in policy/schedule.
func (s *Situation) Decide(now time.Time) Outcome {
	now = now.Truncate(time.Second)
	out := Outcome{Adoption: s.adopt(now), Record: s.Record}
	base := out.Adoption.Base
	out.Schedule = schedule.Evaluate(s.Rules(), s.Observations(), now)
	contributions := bounds.FromWindows(out.Schedule)
	forecasts, problems, ofForecasts := s.fromForecasts(now)
	contributions, out.Problems = append(contributions, forecasts...), problems
	switch {
	case s.override == nil:
	case s.override.Active(now):
		out.Override = s.override
		contributions = append(contributions, s.override.Contribution())
	case s.override.TooLong(now):
		out.Problems = append(out.Problems, fmt.Sprintf("annotation %s is ignored: it would hold until %s, which is more than %d days ahead; let it end earlier",
			record.OverrideAnnotation, s.override.Until.UTC().Format(time.RFC3339), int(record.MaxOverride.Hours()/24)))
	}
	state := out.Adoption.State
	if out.Adoption.Change == bounds.Contested {
		state.Applied, state.Tail = nil, nil // what was applied is not in force, so nothing of it has to sink
	}
	out.Result = bounds.Evaluate(bounds.Input{
		Now: steps(state, now), Base: base, Contributions: contributions, Observed: s.observed(), State: state,
	})
	if out.Adoption.Change == bounds.Contested && out.Result.Bounds == LiveBounds(s.HPA) {
		out.Adoption.Change = bounds.Unchanged // nothing is wanted any more that somebody could write back
	}
	out.Leave = s.leave(out.Adoption.Change)
	if s.Unreadable && s.PausedBy == "" { // policy knows one word for bounds that stay as they are
		out.Result.Notes = nil
		for i := range out.Result.Verdicts {
			out.Result.Verdicts[i].Why = out.Leave
		}
	}
	if out.Result.State.Applied == nil {
		out.Result.State.Reverts = nil // nobody is argued with about the HPA's own bounds
	}
	if out.Leave == "" {
		out.Record = record.Record{Base: base, State: out.Result.State, Released: out.Schedule.Released, Owners: s.Record.Owners}
	}
	out.Next = s.next(&out, ofForecasts, now)
	return out
}

// leave says why the bounds are to be left alone.
func (s *Situation) leave(change bounds.Change) string {
	switch {
	case s.Owner != "":
		return s.Owner + " owns the HPA"
	case s.Unreadable:
		return "the record in its annotations cannot be read"
	case s.PausedBy != "":
		return "paused by " + s.PausedBy
	case change == bounds.Contested:
		return "somebody else writes them back"
	}
	return ""
}

func (s *Situation) observed() bounds.Observed {
	return bounds.Observed{
		Replicas: s.Replicas, Desired: s.HPA.Status.DesiredReplicas, Wanted: s.Wanted(),
		Paused: s.PausedBy != "" || s.Unreadable, Live: LiveBounds(s.HPA),
	}
}

// Wanted is what the HPA's metrics alone ask for; nil: unknown.
func (s *Situation) Wanted() *int32 {
	held := s.Record.State.Applied != nil && s.Replicas <= LiveBounds(s.HPA).Min
	return Wanted(s.HPA, s.Replicas, held)
}

// steps lets a floor that decays sink once a minute, not with every look at it.
func steps(state bounds.State, now time.Time) time.Time {
	if state.Tail == nil || now.Before(state.Tail.Since) {
		return now
	}
	return state.Tail.Since.Add(now.Sub(state.Tail.Since).Truncate(time.Minute))
}

// next is when the outcome may change although nobody changes an object. ofForecasts is when the age of a forecast
// changes whether it counts; zero: never.
func (s *Situation) next(out *Outcome, ofForecasts, now time.Time) time.Time {
	next := out.Schedule.Next
	sooner := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	sooner(ofForecasts)
	if s.override != nil {
		sooner(s.override.Since)
		sooner(s.override.Until)
		sooner(s.override.Until.Add(-record.MaxOverride))
	}
	for _, revert := range out.Result.State.Reverts {
		sooner(revert.Add(bounds.RevertWindow))
	}
	if tail := out.Result.State.Tail; tail != nil {
		sooner(steps(out.Result.State, now).Add(time.Minute))
	}
	if out.Result.Has(bounds.Restoring) || out.Result.Has(bounds.Decaying) {
		sooner(now.Add(time.Minute))
	}
	for i := range out.Schedule.Active {
		if len(out.Schedule.Active[i].Waiting) > 0 {
			sooner(now.Add(waitStep))
		}
	}
	return next
}

// waitStep is how often a ramp that waits for other targets looks at them.
const waitStep = 5 * time.Second

// Needed is how many replicas the HPA has or wants now; a maximum below it would cut.
func (s *Situation) Needed() int32 {
	needed := max(s.Replicas, s.HPA.Status.DesiredReplicas)
	if wanted := s.Wanted(); wanted != nil {
		needed = max(needed, *wanted)
	}
	return needed
}
