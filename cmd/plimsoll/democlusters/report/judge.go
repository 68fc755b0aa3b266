// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"time"
)

// Limit is the longest that it may take from the declaration that a member has failed until its replacements are Ready.
const Limit = time.Minute

// never is the time of what did not happen.
const never = time.Duration(-1)

// Result is what a run showed. A time is since the day began; never is below 0.
type Result struct {
	Run *Run

	// The failover, step by step.
	LastAnswer, Suspect, Failed, Placed, Ready time.Duration
	Moved                                      int // Ready replicas that the lost member had
	Before, Lowest                             int // Ready replicas in the survivors: when it died, and the fewest until Ready
	Fell                                       bool

	// Failing is how far the Ready replicas were behind what was asked for during the failover, Starting at all other times.
	Failing, Starting Behind

	// The fail-back.
	Healthy, Returned time.Duration
	Steps             []Step
	// Margin is the smallest number of Ready replicas above what was asked for and had been there, from Ready to the end;
	// below 0 there was a dip.
	Margin int

	Reserved, Alone Wait
	Room            int // the survivors' reserve when the users came, in thousandths of a cpu
}

// Behind is how long there were fewer Ready replicas than were asked for, and how many were missing at most.
type Behind struct {
	For  time.Duration
	Most int
}

// Step is one change of where the replicas are, on the way back.
type Step struct {
	At       time.Duration
	Replicas map[string]int // below 0: the member does not answer
	Ready    int            // in all members
}

// Wait is how long a surge waited.
type Wait struct {
	From, To int           // replicas asked for, before and after
	Decided  time.Duration // the HPA asked for them
	Ready    time.Duration // they were
}

// Took is how long it took, never if it did not end.
func (w Wait) Took() time.Duration {
	if w.Decided < 0 || w.Ready < 0 {
		return never
	}
	return w.Ready - w.Decided
}

// Judge looks at a run.
func Judge(run *Run) Result {
	r := Result{Run: run, LastAnswer: never, Suspect: never, Failed: never, Placed: never, Ready: never, Healthy: never, Returned: never}
	r.failover()
	r.behind()
	r.failback()
	r.surges()
	return r
}

// first is the time of the first sample from some time on for which is holds.
func (r *Result) first(from time.Duration, is func(s *Sample) bool) time.Duration {
	if from < 0 {
		return never
	}
	for i := range r.Run.Samples {
		if s := &r.Run.Samples[i]; s.At >= from && is(s) {
			return s.At
		}
	}
	return never
}

// at is the last sample up to a time; the first one if there is none.
func (r *Result) at(t time.Duration) *Sample {
	if len(r.Run.Samples) == 0 {
		return &Sample{}
	}
	found := &r.Run.Samples[0]
	for i := range r.Run.Samples {
		if r.Run.Samples[i].At <= t {
			found = &r.Run.Samples[i]
		}
	}
	return found
}

func (r *Result) failover() {
	lost, began := r.Run.Lost, r.Run.Began
	if began <= 0 {
		return
	}
	before := r.at(began)
	r.Moved, r.Before, r.Lowest = before.Members[lost].Ready, before.ready(lost), before.ready(lost)
	for i := range r.Run.Samples {
		if s := &r.Run.Samples[i]; s.At <= r.Run.Died && s.Members[lost].Answers {
			r.LastAnswer = s.At
		}
	}
	thinks := func(states ...string) func(*Sample) bool {
		return func(s *Sample) bool {
			for _, state := range states {
				if s.Members[lost].State == state {
					return true
				}
			}
			return false
		}
	}
	r.Suspect = r.first(began, thinks("Suspect", "Failed"))
	r.Failed = r.first(began, thinks("Failed"))
	asked := r.at(r.Failed).Desired
	r.Placed = r.first(r.Failed, func(s *Sample) bool { return s.replicas(lost) >= asked })
	r.Ready = r.first(r.Placed, func(s *Sample) bool { return s.ready(lost) >= asked })
	most := r.Before
	for i := range r.Run.Samples {
		s := &r.Run.Samples[i]
		if s.At < began || r.Ready >= 0 && s.At > r.Ready {
			continue
		}
		n := s.ready(lost)
		r.Fell = r.Fell || n < most
		r.Lowest, most = min(r.Lowest, n), max(most, n)
	}
}

// behind adds up for how long there were too few.
func (r *Result) behind() {
	samples := r.Run.Samples
	for i := 1; i < len(samples); i++ {
		s := &samples[i]
		missing := s.Desired - s.ready("")
		if missing <= 0 {
			continue
		}
		to := &r.Starting
		if r.Run.Began > 0 && s.At >= r.Run.Began && (r.Ready < 0 || s.At <= r.Ready) {
			to = &r.Failing
		}
		to.For, to.Most = to.For+s.At-samples[i-1].At, max(to.Most, missing)
	}
}

// failback looks at everything from when the replacements were Ready.
func (r *Result) failback() {
	if r.Ready < 0 {
		return
	}
	lost, back := r.Run.Lost, r.Run.Back
	if back > 0 {
		r.Healthy = r.first(back, func(s *Sample) bool { return s.Members[lost].State == "Healthy" })
		r.Returned = r.first(r.Healthy, func(s *Sample) bool {
			return !s.Members[lost].Away && s.replicas("") == s.Desired && s.ready("") == s.Desired
		})
	}
	most, before, margin := 0, map[string]int(nil), never
	for i := range r.Run.Samples {
		s := &r.Run.Samples[i]
		if s.At < r.Ready {
			continue
		}
		ready := s.ready("")
		most = max(most, ready)
		if m := ready - min(s.Desired, most); margin == never || m < r.Margin {
			r.Margin, margin = m, 0
		}
		if back <= 0 || s.At < back {
			continue
		}
		now := map[string]int{}
		for name, m := range s.Members {
			if now[name] = m.Replicas; !m.Answers {
				now[name] = -1
			}
		}
		if !same(now, before) {
			r.Steps = append(r.Steps, Step{At: s.At, Replicas: now, Ready: ready})
		}
		before = now
	}
}

func same(a, b map[string]int) bool {
	for name, n := range a {
		if other, there := b[name]; !there || other != n {
			return false
		}
	}
	return len(a) == len(b)
}

// settled is how long after the users came the HPA's last word about them is looked for.
const settled = 30 * time.Second

// surges looks at what the users found who came at once. The lost member does not count where room is held: until it is
// Healthy again, the hub gives it nothing.
func (r *Result) surges() {
	if r.Run.Surge <= 0 {
		r.Reserved, r.Alone = Wait{Decided: never, Ready: never}, Wait{Decided: never, Ready: never}
		return
	}
	r.Room = r.at(r.Run.Surge).room(r.Run.Lost)
	r.Reserved = r.wait(func(s *Sample) Shop { return Shop{s.Desired, s.ready(r.Run.Lost)} })
	r.Alone = r.wait(func(s *Sample) Shop { return s.Alone })
}

func (r *Result) wait(of func(s *Sample) Shop) Wait {
	w := Wait{From: of(r.at(r.Run.Surge)).Desired, Decided: never, Ready: never}
	w.To = w.From
	for i := range r.Run.Samples {
		if s := &r.Run.Samples[i]; s.At >= r.Run.Surge && s.At <= r.Run.Surge+settled {
			w.To = max(w.To, of(s).Desired)
		}
	}
	if w.To == w.From {
		return w
	}
	w.Decided = r.first(r.Run.Surge, func(s *Sample) bool { return of(s).Desired >= w.To })
	w.Ready = r.first(w.Decided, func(s *Sample) bool { return of(s).Ready >= w.To })
	return w
}

// Reasons are sentences about what a run did not show that it should; none if all is well.
func (r *Result) Reasons() []string {
	var reasons []string
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			reasons = append(reasons, fmt.Sprintf(format, args...))
		}
	}
	lost := r.Run.Lost
	add(r.Failed < 0, "%s died and was never declared failed", lost)
	add(r.Failed >= 0 && r.Ready < 0, "the replicas of %s were never all Ready elsewhere", lost)
	add(r.Ready >= 0 && r.Ready-r.Failed > Limit, "the replacements were Ready %s after %s was declared failed, which is more than %s", r.Ready-r.Failed, lost, Limit)
	add(r.Fell, "the Ready replicas of the survivors fell, to %d from %d, before the replacements were Ready", r.Lowest, r.Before)
	add(r.Ready >= 0 && r.Healthy < 0, "%s came back and was not Healthy again in time", lost)
	add(r.Healthy >= 0 && r.Returned < 0, "the fail-back to %s did not end in time", lost)
	add(r.Margin < 0, "after the failover there were at one time %d Ready replicas less than were asked for and had been there", -r.Margin)
	add(r.Reserved.Took() < 0, "the surge was not served in the members")
	add(r.Alone.Took() < 0, "the surge was not served in the shop without a reserve")
	return reasons
}
