// SPDX-License-Identifier: Apache-2.0

package upcoming

import (
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Plan is all that is planned for one HPA.
type Plan struct {
	Namespace, Name string

	Decided   bounds.Result // now
	Base      bounds.Bounds // the user's own
	FrozenAt  int32         // what a freeze has collected so far
	Replicas  int32         // now
	Schedules []*schedule.Schedule
	Observed  schedule.Observations
	Override  *record.Override // also one that begins later
	Forecasts []Forecast       // those that enforce
	PausedBy  string           // "" if nothing is paused
	Refused   string           // why the bounds are left alone altogether; ""
}

// Forecast is what a forecast asks for in the next hours.
type Forecast struct {
	Name   string
	Reason string
	Floor  int32 // now
	Lead   time.Duration
	Points []Point // by time
}

// Point is how many replicas a forecast expects to be needed from a time on.
type Point struct {
	Time     time.Time
	Replicas int32
}

// horizon is how long the last point of an outlook counts: as long as the one before it.
func (f Forecast) horizon() time.Time {
	last := f.Points[len(f.Points)-1].Time
	if len(f.Points) < 2 {
		return last
	}
	return last.Add(last.Sub(f.Points[len(f.Points)-2].Time))
}

// floor is the largest number of replicas that is expected within a lead time after t: pods take that long. It is not
// known after the outlook.
func (f Forecast) floor(t time.Time) (int32, bool) {
	if len(f.Points) == 0 {
		return f.Floor, true
	}
	if !t.Before(f.horizon()) {
		return 0, false
	}
	from := 0 // the point that holds at t; before the first one, the floor of now does
	for from < len(f.Points) && !f.Points[from].Time.After(t) {
		from++
	}
	floor := f.Floor
	if from > 0 {
		floor = f.Points[from-1].Replicas
	}
	for _, p := range f.Points[from:] {
		if p.Time.After(t.Add(f.Lead)) {
			break
		}
		floor = max(floor, p.Replicas)
	}
	return floor, true
}

// boundary is a time at which something begins or ends.
type boundary struct {
	at      time.Time
	causes  []Cause
	windows []schedule.Change
	other   bool // an override or a forecast has to do with it
}

// boundaries returns the times in (from, to), in their order.
func (p Plan) boundaries(from, to time.Time) []boundary {
	found := map[int64]*boundary{}
	at := func(t time.Time) *boundary {
		if !t.After(from) || !t.Before(to) {
			return &boundary{} // nobody looks at it
		}
		b := found[t.Unix()]
		if b == nil {
			b = &boundary{at: t}
			found[t.Unix()] = b
		}
		return b
	}
	for _, t := range schedule.Transitions(p.Schedules, p.Observed, from, to, limit) {
		b := at(t.At)
		b.windows = append(b.windows, t.Changes...)
	}
	if o := p.Override; o != nil {
		for event, t := range map[Event]time.Time{Begins: o.Since, Ends: o.Until} {
			b := at(t)
			b.other = true
			b.causes = append(b.causes, overrideCause(*o, event))
		}
	}
	for _, f := range p.Forecasts {
		f.mark(at)
	}
	var all []boundary
	for _, b := range found {
		all = append(all, *b)
	}
	slices.SortFunc(all, func(a, b boundary) int { return a.at.Compare(b.at) })
	return all
}

// limit bounds what is looked at for one HPA: a transition a minute for two days.
const limit = 2 * 24 * 60

func overrideCause(o record.Override, event Event) Cause {
	cause := Cause{Source: Source(o.Contribution().Source), Event: event, End: utc(o.Until), Reason: o.Reason}
	if !o.Since.IsZero() {
		cause.Start = utc(o.Since)
	}
	return cause
}

// mark tells the times at which the forecast's floor may change.
func (f Forecast) mark(at func(time.Time) *boundary) {
	source := Source{Kind: bounds.KindForecast, Name: f.Name}
	mark := func(t time.Time, event Event) {
		b := at(t)
		b.other = true
		if !slices.ContainsFunc(b.causes, func(c Cause) bool { return c.Source == source }) {
			b.causes = append(b.causes, Cause{Source: source, Event: event, Reason: f.Reason})
		}
	}
	for _, point := range f.Points {
		mark(point.Time.Add(-f.Lead), Expects)
		mark(point.Time, Expects)
	}
	if len(f.Points) > 0 {
		mark(f.horizon(), Unknown)
	}
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}
