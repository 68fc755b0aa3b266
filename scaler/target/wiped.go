// SPDX-License-Identifier: Apache-2.0

package target

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// A tool that replaces the whole HPA reverts the bounds and removes the record of it, so that every look would find an
// untouched HPA, and rewrite it for ever. How often bounds were applied anew without ever having been given back is
// therefore counted here, and the limit of policy/bounds holds for it. This is the one thing that is remembered outside
// the HPA; a restart forgets it, and counts anew.

// begins says whether an outcome applies bounds to an HPA that has no record of any.
func begins(s *situation.Situation, out *situation.Outcome) bool {
	return s.Record.State.Applied == nil && out.Record.State.Applied != nil
}

// guardWiped turns an outcome that would begin once too often into a contested one.
func (r *reconciler) guardWiped(s *situation.Situation, out *situation.Outcome, now time.Time) {
	if out.Leave != "" || !begins(s, out) {
		return
	}
	recent := r.recentBegins(key(s.HPA), now)
	if len(recent) <= bounds.MaxReverts {
		return
	}
	out.Leave, out.Adoption.Change = "somebody else replaces the HPA", bounds.Contested
	out.Record = s.Record
	if next := recent[0].Add(bounds.RevertWindow); out.Next.IsZero() || next.Before(out.Next) {
		out.Next = next
	}
}

// noteWritten remembers beginnings, and forgets them when the bounds were given back in peace.
func (r *reconciler) noteWritten(s *situation.Situation, out *situation.Outcome, now time.Time) {
	name := key(s.HPA)
	switch {
	case begins(s, out):
		recent := r.recentBegins(name, now)
		r.mu.Lock()
		r.begun[name] = append(recent, now)
		r.mu.Unlock()
	case out.Record.State.Applied == nil:
		r.mu.Lock()
		delete(r.begun, name)
		r.mu.Unlock()
	}
}

func (r *reconciler) recentBegins(name types.NamespacedName, now time.Time) []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.begun[name]), func(t time.Time) bool { return t.After(now) || !t.After(now.Add(-bounds.RevertWindow)) })
}
