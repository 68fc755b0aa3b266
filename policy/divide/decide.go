// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Decide says how many replicas each member shall have now. It is a function of its arguments only: after a restart, or
// by another leader, it goes on where the state says. Replicas are raised first, and lowered elsewhere only by what is
// Ready beyond the division, so that the ready replicas of the members that answer do not fall below it, even if more of
// them have become ready by the time of the writes. The writes need no order. What it never does:
//   - write a member that is silent;
//   - lower anything while a member may have failed (it is Suspect, suspended, not seen, or has not been silent for
//     After), or while most members, of the workload or of all, are silent at once, which is rather the hub's failure;
//   - divide fewer replicas than before while a member is silent (Options.FreezeFor shortens that for Failed ones);
//   - lower anything on invalid input.
//
// What would be if a member were lost or twice as many replicas asked for is in the Goals of the same call with the
// observation changed so: the member Failed since the zero time, or Replicas doubled.
func Decide(o Observed, s State, now time.Time) Plan {
	if problem := o.problem(); problem != "" {
		return Plan{State: s, Replicas: s.Replicas, Notes: []Note{{Reason: Invalid, Message: problem}}}
	}
	d := newDecision(o, s, now)
	d.failOver()
	d.capAll()
	d.freeze()
	d.adopt()
	d.giveBack()
	d.divide()
	d.aim()
	return d.finish()
}

func (o Observed) problem() string {
	if o.Replicas < 0 || o.Replicas > MaxReplicas {
		return fmt.Sprintf("%d replicas were asked for, and nothing is changed: ask for a number from 0 to %d", o.Replicas, int64(MaxReplicas))
	}
	names := map[string]bool{}
	for _, m := range o.Members {
		if names[m.Name] {
			return fmt.Sprintf("member %q is named twice, and nothing is changed: name it once", m.Name)
		}
		names[m.Name] = true
	}
	return ""
}

// decision is a plan in the making.
type decision struct {
	Observed
	plan    Plan
	before  State
	now     time.Time
	members []*member
	still   bool // nothing may be lowered
	holds   bool // the number stands only until members have settled: they start no pods for it
}

// member is a Member with what was kept of it and what is decided for it.
type member struct {
	Member
	kept  Kept
	known bool // it was seen before
	back  bool // its seats are away, and it gets them back in steps now
	goal  int64
}

func newDecision(o Observed, s State, now time.Time) *decision {
	d := &decision{Observed: o, before: s, now: now}
	d.plan = Plan{Targets: map[string]int64{}, Goals: map[string]int64{}, State: State{Adoption: s.Adoption, Members: map[string]Kept{}}}
	for _, m := range o.Members {
		kept, known := s.Members[m.Name]
		if m.Seen {
			m.Replicas, m.Ready = min(max(m.Replicas, 0), MaxReplicas), max(m.Ready, 0)
			m.Stuck = min(max(m.Stuck, 0), m.Replicas)
		}
		one := &member{Member: m, kept: kept, known: known}
		if one.unread() {
			one.Replicas = kept.Replicas
		}
		d.members = append(d.members, one)
	}
	slices.SortFunc(d.members, func(a, b *member) int { return cmp.Compare(a.Name, b.Name) })
	return d
}

// ready is how many pods are surely Ready and stay so: never more than the member is to have, even if it shows old numbers.
func (m *member) ready() int64 {
	if m.silent() {
		return 0
	}
	ready := min(m.Ready, m.Replicas)
	if m.known {
		ready = min(ready, m.kept.Replicas)
	}
	return ready
}

// unread: it is only that it has not been read since it was written; its Replicas are what was written.
func (m *member) unread() bool { return m.known && m.Health == Healthy && !m.Seen && !m.Suspend }

// returning: its seats are away, it answers, and it has not been Healthy for long enough.
func (m *member) returning() bool { return m.kept.Away && !m.silent() && !m.back }

// stamp is a time as it is kept: JSON and Kubernetes' types give it back as it is.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func (d *decision) note(m *member, r Reason, format string, args ...any) {
	n := Note{Reason: r, Message: fmt.Sprintf(format, args...)}
	if m != nil {
		n.Member = m.Name
	}
	d.plan.Notes = append(d.plan.Notes, n)
}

// wake asks to decide again at a time, if that is to come.
func (d *decision) wake(at time.Time) {
	if at.After(d.now) && (d.plan.Next.IsZero() || at.Before(d.plan.Next)) {
		d.plan.Next = at
	}
}

func (d *decision) finish() Plan {
	for _, m := range d.members {
		d.plan.Goals[m.Name] = m.goal
		target, written := d.plan.Targets[m.Name]
		if written {
			m.kept.Replicas, m.kept.Seen, m.known = target, m.Replicas, true
		}
		if m.known || m.kept != (Kept{}) {
			d.plan.State.Members[m.Name] = m.kept
		}
	}
	d.plan.State.Replicas = d.plan.Replicas
	slices.SortStableFunc(d.plan.Notes, func(a, b Note) int { return strings.Compare(a.Member, b.Member) })
	return d.plan
}
