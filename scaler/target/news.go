// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// The reasons of events on HPAs.
const (
	reasonHeld       = "BoundsHeld"
	reasonRising     = "BoundsRising"
	reasonSinking    = "BoundsSinking"
	reasonMax        = "MaxRaised"
	reasonRestoring  = "MaxRestoring"
	reasonRestored   = "BoundsRestored"
	reasonNewBase    = "NewBase"
	reasonReverted   = "Reverted"
	reasonContested  = "RevertedBy"
	reasonPaused     = "Paused"
	reasonOwned      = "TargetRefused"
	reasonCapped     = "FloorCapped"
	reasonNotReached = "FloorNotReached"
	reasonProblem    = "Ignored"
	reasonFailed     = "WriteFailed"
)

// news is one event. It is told once as long as its mark stays the same.
type news struct {
	topic   string // one piece of news at a time is current in each topic
	mark    string // what must change for the news to be new
	reason  string
	warning bool
	text    string

	by   bounds.Source // of the floor and the maximum: who asked for it
	both string        // of the floor: the text that tells of the maximum, too
}

func (n news) kind() string {
	if n.warning {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

// together makes one event of the news that one and the same holds the floor and the maximum.
func together(all []news) []news {
	floor := slices.IndexFunc(all, func(n news) bool { return n.topic == "floor" && n.both != "" })
	top := slices.IndexFunc(all, func(n news) bool { return n.topic == "max" && n.reason == reasonMax })
	if floor < 0 || top < 0 || all[floor].by != all[top].by {
		return all
	}
	all[floor].text = all[floor].both
	return slices.Delete(all, top, top+1)
}

// afterWrite is what a write is news of.
func afterWrite(s *situation.Situation, out *situation.Outcome, did done) []news {
	var all []news
	live, base, result := situation.LiveBounds(s.HPA), out.Adoption.Base, &out.Result
	switch {
	case out.Adoption.Change == bounds.Edited:
		all = append(all, news{topic: "edit", mark: fmt.Sprint(base), reason: reasonNewBase, text: fmt.Sprintf(
			"%d..%d are the HPA's own bounds from now on, as somebody has set them; %s", base.Min, base.Max, nowAndUntil(s, out))})
	case out.Adoption.Change == bounds.Reverted && did.bounds:
		all = append(all, news{topic: "revert", mark: fmt.Sprint(len(out.Adoption.State.Reverts)), reason: reasonReverted, warning: true, text: fmt.Sprintf(
			"%s has set the bounds back to %d..%d; they were written again (%d of at most %d times in %s). %s",
			strings.Join(writers(s.HPA), " or "), live.Min, live.Max, len(out.Adoption.State.Reverts), bounds.MaxReverts, bounds.RevertWindow, nowAndUntil(s, out))})
	}
	switch {
	case out.Record.State.Applied != nil:
		all = append(all, ofFloor(s, out), ofMax(out))
	case did.bounds || did.handedBack:
		all = append(all, news{topic: "floor", mark: "restored", reason: reasonRestored, text: fmt.Sprintf(
			"minReplicas %d and maxReplicas %d are the HPA's own again, and so are the fields", result.Bounds.Min, result.Bounds.Max)},
			news{topic: "max"})
	}
	return all
}

// ofFloor is the news of the floor: it rises, holds or sinks. The steps of a ramp are no news.
func ofFloor(s *situation.Situation, out *situation.Outcome) news {
	floor, base, by := out.Result.Bounds.Min, out.Adoption.Base, out.Result.FloorBy
	n := news{topic: "floor", by: by}
	window := active(out, by)
	switch {
	case by.Kind == bounds.KindBase || by.Kind == "":
		n.mark = "base"
		return n
	case sinks(out, by):
		why := "no longer asks for a floor"
		if asks(out, by) {
			why = "asks for a smaller floor"
		}
		n.mark, n.reason = "sinking "+by.String(), reasonSinking
		n.text = fmt.Sprintf("%s %s; minReplicas sinks from %d by %.0f %% a minute; to lower it now: kubectl plimsoll override hpa/%s --min %d --for 1h",
			by, why, out.Result.State.Tail.From, bounds.DecayPerMinute*100, s.HPA.Name, base.Min)
	case window != nil && window.Phase == schedule.RampDown:
		n.mark, n.reason = "ramp down "+by.String(), reasonSinking
		n.text = fmt.Sprintf("%s has ended; minReplicas sinks to %d until %s; to lower it now: kubectl plimsoll override hpa/%s --min %d --for 1h",
			by, base.Min, clock(window.End.Add(window.RampDown), window.Zone), s.HPA.Name, base.Min)
	case window != nil && window.Phase == schedule.RampUp && window.Full != nil:
		n.mark, n.reason = fmt.Sprintf("ramp up %s %d", by, *window.Full), reasonRising
		text := fmt.Sprintf("minReplicas rises in steps to %d, so that they are Ready at %s for %s", *window.Full, clock(window.Start, window.Zone), by)
		n.text = text + fmt.Sprintf("; the HPA's own %d is kept as base", base.Min)
		n.both = text + fmt.Sprintf(", with maxReplicas at %d; the HPA's own %d..%d are kept as base", out.Result.Bounds.Max, base.Min, base.Max)
	default:
		// A forecast's floor moves all the time; only who holds it is news.
		n.mark, n.reason = fmt.Sprintf("held %s %d", by, base.Min), reasonHeld
		if by.Kind != bounds.KindForecast {
			n.mark += fmt.Sprintf(" %d", floor)
		}
		n.text = nowAndUntil(s, out)
		if floor != base.Min {
			n.both = fmt.Sprintf("minReplicas held at %d by %s%s, maxReplicas at %d; the HPA's own %d..%d are kept as base%s",
				floor, by, until(out, by), out.Result.Bounds.Max, base.Min, base.Max, toLower(s, out, "minReplicas"))
		}
	}
	return n
}

// sinks says whether a floor sinks that somebody has asked for. That of a forecast that still asks for one rises and
// sinks all day, which is no news.
func sinks(out *situation.Outcome, by bounds.Source) bool {
	tail := out.Result.State.Tail
	return tail != nil && tail.By == by && !(by.Kind == bounds.KindForecast && asks(out, by))
}

// asks says whether who asked for a floor still asks for one.
func asks(out *situation.Outcome, by bounds.Source) bool {
	for _, v := range out.Result.Verdicts {
		if v.Source == by {
			return true
		}
	}
	return false
}

// ofMax is the news of the maximum.
func ofMax(out *situation.Outcome) news {
	top, base, by := out.Result.Bounds.Max, out.Adoption.Base, out.Result.MaxBy
	n := news{topic: "max", by: by}
	switch {
	case out.Result.Has(bounds.Restoring):
		n.mark, n.reason = "restoring", reasonRestoring
		n.text = fmt.Sprintf("maxReplicas stays at %d for now, because the HPA needs more than %d; it follows the demand down, so that nothing is cut", top, base.Max)
	case top != base.Max:
		n.mark, n.reason = fmt.Sprintf("%s %d", by, top), reasonMax
		n.text = fmt.Sprintf("maxReplicas held at %d by %s%s; the HPA's own %d is kept as base", top, by, until(out, by), base.Max)
	}
	return n
}

// nowAndUntil says what is held, until when, and how to lower it now.
func nowAndUntil(s *situation.Situation, out *situation.Outcome) string {
	b, base, by := out.Result.Bounds, out.Adoption.Base, out.Result.FloorBy
	if b.Min == base.Min {
		return fmt.Sprintf("minReplicas is %d", b.Min)
	}
	return fmt.Sprintf("minReplicas held at %d by %s%s; the HPA's own %d is kept as base%s", b.Min, by, until(out, by), base.Min, toLower(s, out, "it"))
}

// toLower says how to lower a floor now that is above the HPA's own.
func toLower(s *situation.Situation, out *situation.Outcome, what string) string {
	base := out.Adoption.Base
	switch {
	case out.Result.Bounds.Min < base.Min:
		return ""
	case out.Result.FloorBy.Kind == bounds.KindOverride:
		return fmt.Sprintf("; to end it now: kubectl plimsoll override hpa/%s --end", s.HPA.Name)
	}
	return fmt.Sprintf("; to lower %s now: kubectl plimsoll override hpa/%s --min %d --for 1h", what, s.HPA.Name, base.Min)
}

// until is " until 2026-11-12 00:00 CST", in the zone of the schedule; "" without an end.
func until(out *situation.Outcome, by bounds.Source) string {
	if window := active(out, by); window != nil {
		return " until " + clock(window.End, window.Zone)
	}
	if by.Kind == bounds.KindOverride && out.Override != nil {
		return " until " + clock(out.Override.Until, time.UTC)
	}
	return ""
}

func active(out *situation.Outcome, by bounds.Source) *schedule.Active {
	for i := range out.Schedule.Active {
		a := &out.Schedule.Active[i]
		if by.Kind == bounds.KindSchedule && a.Schedule == by.Name && a.Window == by.Part {
			return a
		}
	}
	return nil
}

func clock(t time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	if t.Second() != 0 {
		return t.In(zone).Format("2006-01-02 15:04:05 MST")
	}
	return t.In(zone).Format("2006-01-02 15:04 MST")
}
