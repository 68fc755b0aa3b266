// SPDX-License-Identifier: Apache-2.0

package bounds

import (
	"slices"
	"time"
)

// A revert is undone at most MaxReverts times in RevertWindow; then somebody else owns the bounds.
const (
	MaxReverts   = 3
	RevertWindow = 10 * time.Minute
)

// Change says what somebody else did to the bounds that were written last.
type Change int

const (
	Unchanged Change = iota
	Edited           // the user wrote other bounds: they are the new base
	Reverted         // somebody put the base back
	Contested        // as Reverted, and too often: the bounds are to be left alone
)

// Adoption is what a look at the live bounds yields.
type Adoption struct {
	Change Change
	Base   Bounds
	State  State
}

// Adopt compares the live bounds of an HPA with its base and what was applied. A field that is neither is the user's
// new base, and takes effect at once where the user lowered it.
func Adopt(live, base Bounds, s State, now time.Time) Adoption {
	s.Reverts = recent(s.Reverts, now)
	if s.Applied == nil {
		if live == base {
			return Adoption{Base: base, State: s}
		}
		return Adoption{Change: Edited, Base: live, State: s}
	}
	applied := *s.Applied
	minEdited := live.Min != applied.Min && live.Min != base.Min
	maxEdited := live.Max != applied.Max && live.Max != base.Max
	if minEdited || maxEdited {
		if minEdited {
			base.Min, applied.Min, s.Tail, s.FloorBy = live.Min, live.Min, nil, Source{Kind: KindBase}
		}
		if maxEdited {
			base.Max, applied.Max = live.Max, live.Max
		}
		s.Applied = &applied
		// With one field edited, the other may not go with it: a minimum set under a raised maximum is at most the own one.
		return Adoption{Change: Edited, Base: sane(base), State: s}
	}
	if live == applied {
		return Adoption{Base: base, State: s}
	}
	if len(s.Reverts) >= MaxReverts {
		return Adoption{Change: Contested, Base: base, State: s}
	}
	s.Reverts = append(s.Reverts, now)
	return Adoption{Change: Reverted, Base: base, State: s}
}

// recent returns a copy of the times that are within RevertWindow before now. One after now is that of a clock that was
// ahead, and would count for as long as it was.
func recent(times []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return t.After(now) || !t.After(now.Add(-RevertWindow)) })
}
