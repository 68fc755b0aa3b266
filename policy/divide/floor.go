// SPDX-License-Identifier: Apache-2.0

package divide

import "time"

// Floor is what is kept of a member's own HPA while a share stands in its minReplicas. nil: the share was never written
// there.
type Floor struct {
	Base    int64 // the user's own minReplicas
	Applied int64 // written last
	// Lowered is when it was last lowered on its way back to the base; zero: it is not on its way back.
	Lowered time.Time
	// Reverts are the times at which the base was found written back, the newest last.
	Reverts []time.Time
}

const (
	mostReverts   = 3                // are written again within
	revertsWithin = 10 * time.Minute //
	sinkEvery     = time.Minute      // a floor on its way back sinks by
	sinkPercent   = 10               // at most
)

// Own is the user's own minReplicas where live is what is found: a number that is neither the base nor ours is a new base.
func (f *Floor) Own(live int64) int64 {
	if f == nil || live != f.Applied && live != f.Base {
		return live
	}
	return f.Base
}

// Write returns what is to be kept with a write of a share over the number that is found.
func (f *Floor) Write(live, share int64, now time.Time) Floor {
	next := Floor{Base: f.Own(live), Applied: share}
	if f == nil {
		return next
	}
	next.Reverts = f.recent(now)
	if live == f.Base && live != f.Applied {
		next.Reverts = append(next.Reverts, stamp(now))
	}
	return next
}

// Contested says whether somebody has written the base back so often lately that it stays, and until when.
func (f *Floor) Contested(live int64, now time.Time) (until time.Time, contested bool) {
	if f == nil || live != f.Base || live == f.Applied {
		return time.Time{}, false
	}
	reverts := f.recent(now)
	if len(reverts) < mostReverts {
		return time.Time{}, false
	}
	return reverts[len(reverts)-mostReverts].Add(revertsWithin), true
}

// recent are the reverts that count. One of the future is of a clock that was set.
func (f *Floor) recent(now time.Time) []time.Time {
	var out []time.Time
	for _, at := range f.Reverts {
		if age := now.Sub(at); age >= 0 && age < revertsWithin {
			out = append(out, at)
		}
	}
	return out
}

// Release is the next step on the way back to the user's own minReplicas, once no share is to stand there any more: the
// number to write (live, if none is), whether nothing is to be kept after that, and otherwise when the next step is due. A
// floor sinks by a tenth each minute, for the first time a minute after Lowered was first noted, as somebody may replace one
// FederatedScale by another; a base that is higher is back at once, and so is what the user has written himself.
func (f *Floor) Release(live int64, now time.Time) (to int64, over bool, next time.Time) {
	due := f.Lowered.Add(sinkEvery)
	switch {
	case live != f.Applied:
		return live, true, time.Time{}
	case live <= f.Base:
		return f.Base, true, time.Time{}
	case f.Lowered.IsZero():
		return live, false, now.Add(sinkEvery)
	case now.Before(due) && !f.Lowered.After(now):
		return live, false, due
	}
	to = max(live-max((live*sinkPercent+99)/100, 1), f.Base)
	return to, to == f.Base, now.Add(sinkEvery)
}
