// SPDX-License-Identifier: Apache-2.0

package upcoming

import (
	"math"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
)

// Changes returns what will change in [from, to), in its order. The first may have begun before. What the demand will
// be is not known, so it is left out: a maximum that follows the demand down is shown as the maximum that it follows
// to.
func (p Plan) Changes(from, to time.Time) []Change {
	if p.Refused != "" || !from.Before(to) {
		return nil
	}
	r := &reader{plan: p, windows: schedule.NewEvaluator(p.Schedules...), seen: map[schedule.Occurrence]bool{}}
	r.plan.Observed.AssumeReady = true
	all := append([]boundary{{at: from}}, p.boundaries(from, to)...)
	last := state{result: p.Decided}
	for _, w := range r.at(from).active {
		r.seen[occurrence(w)] = true
	}
	var changes []Change
	for i, b := range all {
		end, smooth := to, false
		if i+1 < len(all) {
			end = all[i+1].at
			smooth = all[i+1].continues(r.at(end.Add(-time.Second)))
		}
		change, after := r.segment(last, b, end, smooth)
		if change != nil {
			changes = append(changes, *change)
		}
		last = after
	}
	return changes
}

// reader evaluates one plan at any time.
type reader struct {
	plan    Plan
	windows *schedule.Evaluator
	seen    map[schedule.Occurrence]bool // the windows whose begin was told
}

// state is what holds at a time.
type state struct {
	result bounds.Result
	active []schedule.Active
}

// at evaluates the plan: all that is asked for at t, without what the demand and the past make of it.
func (r *reader) at(t time.Time) state {
	decision := r.windows.Evaluate(r.plan.Observed, t)
	in := bounds.Input{Now: t, Base: r.plan.Base, Contributions: bounds.FromWindows(decision)}
	if o := r.plan.Override; o != nil && o.Active(t) {
		in.Contributions = append(in.Contributions, o.Contribution())
		if o.NoScaleDown {
			in.Observed.Replicas, in.State.FrozenAt = r.plan.Replicas, r.plan.FrozenAt
		}
	}
	for _, f := range r.plan.Forecasts {
		if floor, known := f.floor(t); known {
			in.Contributions = append(in.Contributions, bounds.FromForecast(f.Name, f.Reason, floor, 0))
		}
	}
	return state{result: bounds.Evaluate(in), active: slices.Clone(decision.Active)}
}

// segment tells what changes at a boundary and until the next one; smooth says that the next one is but the end of a
// ramp. It returns what holds afterwards.
func (r *reader) segment(before state, b boundary, end time.Time, smooth bool) (*Change, state) {
	begin, after := r.at(b.at), r.at(end.Add(-time.Second))
	if smooth {
		after = r.at(end)
	}
	c := Change{
		Namespace: r.plan.Namespace, HPA: r.plan.Name, Time: b.at.UTC(), From: Bounds(before.result.Bounds), To: Bounds(after.result.Bounds),
		MinBy: Source(after.result.FloorBy), MaxBy: Source(after.result.MaxBy), PausedBy: r.plan.PausedBy,
		Causes: slices.Concat(windowCauses(b, begin, before), b.causes), Notes: NotesOf(after.result.Notes),
	}
	c.Overruled = r.overruled(b, after)
	if c.From == c.To && len(c.Overruled) == 0 {
		return nil, after
	}
	if begin.result.Bounds != after.result.Bounds {
		c.Gradual = true
		if smooth {
			c.Until = utc(end)
		}
	}
	c.Estimated = c.MinBy.Kind == bounds.KindForecast || before.result.FloorBy.Kind == bounds.KindForecast
	r.decay(&c, before, begin)
	return &c, after
}

// decay finds out whether the floor sinks slowly, because what asked for it is gone without a ramp.
func (r *reader) decay(c *Change, before, begin state) {
	old := before.result.Bounds
	if c.To.Min >= c.From.Min || c.Gradual || c.Estimated {
		return
	}
	if tail := before.result.State.Tail; tail != nil { // it has begun already
		c.Gradual, c.Until = true, utc(endOfTail(*tail, c.To.Min))
		c.Notes = NotesOf(before.result.Notes)
		return
	}
	var contributions []bounds.Contribution
	for _, a := range begin.active {
		contributions = append(contributions, bounds.FromWindow(a))
	}
	if o := r.plan.Override; o != nil && o.Active(c.Time) {
		contributions = append(contributions, o.Contribution())
	}
	result := bounds.Evaluate(bounds.Input{
		Now: c.Time, Base: r.plan.Base, Contributions: contributions, State: bounds.State{Applied: &old, FloorBy: before.result.FloorBy},
	})
	if !result.Has(bounds.Decaying) {
		return
	}
	c.Gradual, c.Until = true, utc(endOfTail(*result.State.Tail, c.To.Min))
	for _, n := range NotesOf(result.Notes) {
		if n.Reason == string(bounds.Decaying) {
			c.Notes = append(c.Notes, n)
		}
	}
}

// endOfTail is when a floor that sinks by bounds.DecayPerMinute has reached another one, to the minute.
func endOfTail(tail bounds.Tail, floor int32) time.Time {
	minutes := math.Log(float64(max(tail.From, 1))/float64(max(floor, 1))) / -math.Log(1-bounds.DecayPerMinute)
	return tail.Since.Add(time.Duration(math.Ceil(minutes)) * time.Minute)
}

// continues says whether the boundary only goes on with ramps that have begun before.
func (b boundary) continues(before state) bool {
	if b.other || len(b.windows) == 0 {
		return false
	}
	for _, c := range b.windows {
		i := slices.IndexFunc(before.active, func(a schedule.Active) bool {
			return a.Schedule == c.Schedule && a.Window == c.Window && a.Start.Equal(c.Start)
		})
		if i < 0 {
			return false
		}
		switch phase := before.active[i].Phase; {
		case phase == schedule.RampUp && (c.Phase == schedule.Lead || c.Phase == schedule.On):
		case phase == schedule.RampDown && c.Phase == 0:
		default:
			return false
		}
	}
	return true
}

// overruled are the windows that begin here and decide nothing.
func (r *reader) overruled(b boundary, after state) []Overruled {
	var found []Overruled
	for _, c := range b.windows {
		key := schedule.Occurrence{Schedule: c.Schedule, Window: c.Window, Start: c.Start.Unix()}
		if c.Phase == 0 || r.seen[key] {
			continue
		}
		r.seen[key] = true
		source := bounds.Source{Kind: bounds.KindSchedule, Name: c.Schedule, Part: c.Window}
		for _, v := range after.result.Verdicts {
			if v.Source == source && !v.Won && v.Why != "" {
				found = append(found, Overruled{Source: Source(source), Why: v.Why})
			}
		}
	}
	return found
}

func occurrence(a schedule.Active) schedule.Occurrence {
	return schedule.Occurrence{Schedule: a.Schedule, Window: a.Window, Start: a.Start.Unix()}
}

// windowCauses are the windows that begin, end or change their phase.
func windowCauses(b boundary, begin, before state) []Cause {
	var causes []Cause
	for _, c := range b.windows {
		cause := Cause{
			Source: Source{Kind: bounds.KindSchedule, Name: c.Schedule, Part: c.Window}, Event: Event(c.Phase.String()),
			Start: utc(c.Start), TimeZone: c.Zone.String(), LocalTime: b.at.In(c.Zone).Format("2006-01-02T15:04:05"),
		}
		for _, a := range slices.Concat(begin.active, before.active) {
			if a.Schedule == c.Schedule && a.Window == c.Window && a.Start.Equal(c.Start) {
				cause.End, cause.Reason = utc(a.End), a.Reason
				break
			}
		}
		causes = append(causes, cause)
	}
	return causes
}
