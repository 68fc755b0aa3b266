// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"slices"
	"time"
)

// Together is how close in time members stop for the hub to ask whether it was itself: longer than it takes to find out
// about the last of them.
const Together = time.Minute

// doubtEnds says what there is to do.
const doubtEnds = "that ends when they answer again, or once those that are gone for good are drained (spec.drain), suspended or removed"

// Member is one of all members, as HubSuspect looks at them.
type Member struct {
	State  State
	Since  time.Time // Verdict.Since
	Cause  Cause
	Proven bool // Kept.Proven: others never stopped being Healthy
	Drain  bool // somebody takes it out, so that its silence is nobody's doubt; while it answers it speaks for the hub
}

// Doubt is whether the hub suspects itself.
type Doubt struct {
	Suspect bool
	Silent  int    // how many members stopped
	Of      int    // of how many that were Healthy
	Message string // a sentence without a full stop; "" without suspicion
}

// HubSuspect tells whether the hub rather than the members may be the one that is cut off: of at least two members that
// stopped within a time of each other they are more than half of those that were Healthy then, or no member is left. Only
// causes count that the hub's own network, proxy, clock or identity can have; nodes that are not Ready were seen well.
//
// Nothing is lowered while it lasts, but members still fail, and those that answer may be raised: two of three may really
// be gone. It ends when they answer again, or when somebody drains, suspends or removes those that are gone.
func HubSuspect(members []Member, within time.Duration) Doubt {
	var once, silent []Member
	for _, m := range members {
		if !m.Proven || m.Cause == Suspended || m.Cause == Invalid || m.Cause == Duplicate {
			continue
		}
		quiet := m.State != Healthy && m.Cause.cutsOff()
		if quiet && m.Drain {
			continue
		}
		once = append(once, m)
		if quiet {
			silent = append(silent, m)
		}
	}
	if len(silent) > 0 && len(silent) == len(once) {
		return Doubt{Suspect: true, Silent: len(silent), Of: len(once), Message: fmt.Sprintf(
			"none of %d members answers: the hub may be cut off itself, so nothing is lowered anywhere; %s", len(once), doubtEnds)}
	}
	slices.SortFunc(silent, func(a, b Member) int { return a.Since.Compare(b.Since) })
	for i, first := range silent {
		together := 0
		for _, m := range silent[i:] {
			if m.Since.Sub(first.Since) <= within {
				together++
			}
		}
		before := 0 // were Healthy when the first of these stopped
		for _, m := range once {
			if m.State == Healthy || !m.Since.Before(first.Since) {
				before++
			}
		}
		if together >= 2 && 2*together > before {
			return Doubt{Suspect: true, Silent: together, Of: before, Message: fmt.Sprintf(
				"%d of %d members stopped answering within %s: the hub may be cut off itself, so nothing is lowered anywhere; those that answer may be raised; %s", together, before, within, doubtEnds)}
		}
	}
	return Doubt{}
}
