// SPDX-License-Identifier: Apache-2.0

package schedule

import "time"

// evaluationHorizon is how far ahead Evaluate looks for the next change.
const evaluationHorizon = 24 * time.Hour

// Decision is what all windows of a target come to at one instant.
type Decision struct {
	At   time.Time
	Next time.Time // nothing changes in [At, Next) while the observations stay the same; at most a day after At

	Min *int32 // nil: the HPA's own minReplicas
	Max *int32 // nil: the HPA's own maxReplicas
	// MinBy and MaxBy are indices in Active of the windows that decided; -1: none.
	MinBy, MaxBy int
	HardMax      bool // of the window that decided Max
	// Clash says that the two deciding windows contradict each other: the one's floor is above the other's maximum.
	Clash Clash

	Active   []Active     // every window that is on, ramps or waits, by start
	Released []Occurrence // hand back in Observations.Released
}

// Clash is how a floor above a maximum was settled.
type Clash int

// The kinds of a Clash.
const (
	NoClash      Clash = iota
	FloorLowered       // the maximum has the higher priority, so the floor was lowered to it
	MaxRaised          // the floor has the same or higher priority, so the maximum was raised to it
)

// Active is one window that matters now.
type Active struct {
	Schedule string
	Window   string
	Reason   string
	Priority int32
	Phase    Phase

	Start, End time.Time     // the interval, half-open
	RampDown   time.Duration // after End
	Zone       *time.Location
	Moved      bool // the local start does not exist, so Start is the next instant that does

	Min  *int32 // the floor now, ramps included; nil: it says nothing about the floor
	Full *int32 // the floor when the ramp is over
	Max  *int32 // nil: it says nothing about the maximum now
	// Exact says that Full is the exact number of replicas.
	Exact   bool
	HardMax bool
	// RaiseOnly says that Min counts only where it is above what others ask for: in ramps.
	RaiseOnly bool
	// NoTarget says that the window has a demand but the HPA's target for one replica is not known.
	NoTarget bool
	Waiting  []Target // for these

	full, min, max int32 // what the pointers point to
}

// Evaluate decides for one target. It depends on nothing but its arguments. Times count in whole seconds.
func Evaluate(rules []*Schedule, obs Observations, now time.Time) Decision {
	lead := obs.leadSeconds()
	line := newTimeline(rules, lead, now.Unix(), now.Add(evaluationHorizon).Unix())
	return line.decide(&obs, now.Unix())
}

// decide evaluates at an instant of [l.from, l.to).
func (l *timeline) decide(obs *Observations, now int64) Decision {
	d := Decision{At: time.Unix(now, 0).UTC(), MinBy: -1, MaxBy: -1}
	lead, next := obs.leadSeconds(), min(l.to, now+int64(evaluationHorizon/time.Second))
	for _, s := range l.near(now) {
		if s.start-l.ahead >= next {
			break
		}
		w := &l.rules[s.rule].windows[s.window]
		g := w.stageAt(s, lead, now)
		if g.next != 0 {
			next = min(next, g.next)
		}
		if g.phase != 0 {
			next = min(next, l.activate(&d, s, g, obs, now))
		}
	}
	d.Next = time.Unix(next, 0).UTC()
	d.merge(obs)
	return d
}

// activate adds an interval to the decision. It returns when the wait ends, if it waits.
func (l *timeline) activate(d *Decision, s span, g stage, obs *Observations, now int64) int64 {
	rule := l.rules[s.rule]
	w := &rule.windows[s.window]
	key := Occurrence{rule.name, w.Name, s.start}
	targets, until := w.waiting(s, obs, obs.leadSeconds(), min(now, s.end-1))
	waits := len(targets) > 0 && !obs.Released[key]
	if waits && g.phase == RampDown {
		return endOfTime // it waited until its end, so there is nothing to lower
	}
	d.Active = append(d.Active, Active{
		Schedule: rule.name, Window: w.Name, Reason: w.Reason, Priority: rule.priority, Phase: g.phase,
		Start: time.Unix(s.start, 0).UTC(), End: time.Unix(s.end, 0).UTC(), Zone: rule.zone, Moved: s.moved,
		RampDown: time.Duration(w.rampDown) * time.Second, Exact: w.Replicas != nil, HardMax: w.HardMax, RaiseOnly: g.phase != On,
	})
	a := &d.Active[len(d.Active)-1]
	if waits {
		a.Phase, a.RaiseOnly, a.Waiting = Waiting, true, targets
		return until
	}
	if len(w.After) > 0 {
		d.Released = append(d.Released, key)
	}
	a.ask(w, g, obs)
	return endOfTime
}

// ask sets what the window asks for at this stage.
func (a *Active) ask(w *window, g stage, obs *Observations) {
	floor := true
	switch {
	case w.MinReplicas != nil:
		a.full = *w.MinReplicas
	case w.Replicas != nil:
		a.full = *w.Replicas
	case w.DemandMilli != nil && obs.PerReplicaMilli > 0:
		a.full = replicasFor(*w.DemandMilli, obs.PerReplicaMilli)
	default:
		floor, a.NoTarget = false, w.DemandMilli != nil
	}
	if floor {
		a.min = g.level(obs.BaseMin, a.full)
		a.Min, a.Full = &a.min, &a.full
	}
	switch {
	case w.MaxReplicas != nil:
		a.max, a.Max = *w.MaxReplicas, &a.max
	case w.Replicas != nil:
		a.max, a.Max = *w.Replicas, &a.max
	}
	// In a ramp a higher maximum makes room for the floor; a lower one holds from start to end only.
	if a.RaiseOnly && a.Max != nil && a.max <= obs.BaseMax {
		a.Max = nil
	}
}
