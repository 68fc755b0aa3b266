// SPDX-License-Identifier: Apache-2.0

package health

import "time"

// confirmAfter is how long after a Healthy member's first failed probe it is asked again.
const confirmAfter = 2 * time.Second

// Step decides what to think of a member now. It is a function of its arguments only. A clock that went back, and a gap
// of several intervals without a step, start all counting anew, so that nothing is declared from what was counted before;
// the state stays as it was until then.
func Step(in Input, kept Kept, now time.Time) Verdict {
	in.Options = in.Options.withDefaults()
	s := &step{Input: in, kept: kept.normal(), now: now}
	if !s.Probe.Cause.probed() {
		s.Probe.Cause = NotProbed
	}
	s.resume()
	if in.Suspended {
		s.suspend()
	} else {
		s.countProbe()
		s.countShares()
		s.countDemand()
		s.judge()
	}
	s.kept.Cause = s.cause()
	s.kept.Looked = down(now)
	return Verdict{
		State: s.kept.State, Since: s.kept.Since, Cause: s.kept.Cause,
		Message: s.message(), Warning: s.warning(), Next: s.next(), Kept: s.kept,
	}
}

// step is one in the making.
type step struct {
	Input
	kept Kept
	now  time.Time
}

// resume goes on from what was kept, or counts anew.
func (s *step) resume() {
	k := &s.kept
	if k.State != Healthy && k.State != Failed && k.State != Suspect {
		*k = Kept{State: Suspect}
	}
	if k.Since.IsZero() || k.Since.After(s.now) {
		k.Since = down(s.now)
	}
	if s.recent(k.Looked) && !k.Watched.IsZero() && !k.Watched.After(s.now) {
		return
	}
	s.forget()
}

// forget starts counting anew. A probe that was counted stays so, unless it is of the future by now.
func (s *step) forget() {
	k := s.kept
	s.kept = Kept{State: k.State, Since: k.Since, Cause: k.Cause, Proven: k.Proven, Watched: down(s.now)}
	if !k.Probed.After(s.now) {
		s.kept.Probed = k.Probed
	}
}

// recent: not of the future, and not from before the last few intervals.
func (s *step) recent(at time.Time) bool {
	return !at.IsZero() && !at.After(s.now) && s.now.Sub(at) <= s.Options.gap()
}

func (s *step) suspend() {
	s.enter(Suspect)
	s.forget()
}

// enter changes the state.
func (s *step) enter(state State) {
	if (s.kept.State == Healthy) != (state == Healthy) {
		s.kept.Since = down(s.now)
	}
	s.kept.State = state
	s.kept.Proven = s.kept.Proven || state == Healthy
}

// countProbe counts a probe that was not counted before.
func (s *step) countProbe() {
	k, p := &s.kept, s.Probe
	if p.Cause == NotProbed || !s.recent(p.At) || !down(p.At).After(k.Probed) {
		return
	}
	if !s.recent(k.Probed) { // nothing is known of the time between
		k.Bad, k.Failures, k.Successes = 0, 0, 0
	}
	k.Probed = down(p.At)
	if p.Cause == OK {
		k.Failures, k.FailingSince = 0, time.Time{}
		if k.Successes == 0 {
			k.GoodSince = up(p.At)
		}
		if k.Successes = min(k.Successes+1, s.Options.SuccessThreshold); k.Successes == s.Options.SuccessThreshold {
			k.Bad = 0
		}
		return
	}
	k.Bad = min(k.Bad+1, s.Options.SuspectThreshold)
	k.Successes, k.GoodSince = 0, time.Time{}
	if !p.Cause.Fails() {
		k.Failures, k.FailingSince = 0, time.Time{} // somebody answers
		return
	}
	if k.Failures == 0 {
		k.FailingSince = up(p.At)
	}
	k.Failures = min(k.Failures+1, s.Options.FailureThreshold)
}

// countShares notes since when too few are Ready.
func (s *step) countShares() {
	k := &s.kept
	k.NodesLowSince = s.lowSince(s.Nodes, s.Options.MinReadyNodes, k.NodesLowSince)
	k.PodsLowSince = s.lowSince(s.Pods, s.Options.MinReadyPods, k.PodsLowSince)
	if !k.NodesLowSince.IsZero() || s.fewPods() || s.unseen() || s.DuplicateOf != "" {
		k.Successes, k.GoodSince = 0, time.Time{}
	}
}

func (s *step) lowSince(share *Share, percent int32, since time.Time) time.Time {
	switch {
	case share == nil || !s.recent(share.At):
		return time.Time{}
	case 100*float64(max(share.Ready, 0)) >= float64(percent)*float64(share.Total):
		return time.Time{}
	case since.IsZero():
		return up(share.At)
	}
	return since
}

// countDemand keeps what is known of the demand while the member is in trouble.
func (s *step) countDemand() {
	k := &s.kept
	if k.Trouble().IsZero() || k.Demand.After(s.now) {
		k.Demand = time.Time{}
	}
	if at := down(s.Demand); !k.Trouble().IsZero() && !s.Demand.After(s.now) && at.After(k.Demand) {
		k.Demand = at
	}
}

// fewNodes and fewPods: too few have been Ready for long enough.
func (s *step) fewNodes() bool {
	return !s.kept.NodesLowSince.IsZero() && s.Nodes.At.Sub(s.kept.NodesLowSince) >= s.Options.SharesFor
}

func (s *step) fewPods() bool {
	return !s.kept.PodsLowSince.IsZero() && s.Pods.At.Sub(s.kept.PodsLowSince) >= s.Options.SharesFor
}

// unseen: the hub is awake, and no probe comes back.
func (s *step) unseen() bool {
	return !s.recent(s.kept.Probed) && s.now.Sub(s.kept.Watched) > s.Options.gap()
}

// answers: the latest probe that counts was good.
func (s *step) answers() bool { return s.Probe.Cause == OK && s.recent(s.Probe.At) }

// failing: probes have failed long and often enough.
func (s *step) failing() bool {
	k := s.kept
	return k.Failures >= s.Options.FailureThreshold && k.Probed.Sub(k.FailingSince) >= s.Options.FailedAfter
}

// demanded: values of the member's demand came in after the trouble began, and still do, and it has not lasted too long.
func (s *step) demanded(since time.Time) bool {
	if since.IsZero() || s.now.Sub(since) > s.Options.DemandAtMost {
		return false
	}
	for _, at := range []time.Time{s.Demand, s.kept.Demand} {
		if at.After(since) && !at.After(s.now) && s.now.Sub(at) <= s.Options.DemandFor {
			return true
		}
	}
	return false
}

func (s *step) judge() {
	k := &s.kept
	switch {
	case s.failing() && !s.demanded(k.FailingSince), s.fewNodes() && s.answers() && !s.demanded(k.NodesLowSince):
		s.enter(Failed)
	case k.State == Healthy:
		if k.Bad >= s.Options.SuspectThreshold || !k.NodesLowSince.IsZero() || s.fewPods() || s.unseen() || s.DuplicateOf != "" {
			s.enter(Suspect)
		}
	case k.Successes >= s.Options.SuccessThreshold && k.Probed.Sub(k.GoodSince) >= s.Options.HealthyAfter:
		s.enter(Healthy)
	}
}

func (s *step) cause() Cause {
	k := s.kept
	switch {
	case s.Suspended:
		return Suspended
	case k.State == Healthy:
		return OK
	case s.unseen():
		return NotProbed
	case s.Probe.Cause != NotProbed && s.Probe.Cause != OK && s.recent(s.Probe.At):
		return s.Probe.Cause
	case s.DuplicateOf != "":
		return Duplicate
	case !k.NodesLowSince.IsZero():
		return NodesNotReady
	case s.fewPods():
		return PodsNotReady
	case s.answers():
		return Settling
	case k.Cause == "" || k.Cause == OK || k.Cause == Suspended || k.Cause == Duplicate:
		return NotProbed
	}
	return k.Cause // nothing newer is known
}

// next is when something may change if nothing else comes: the interval, or what is due before.
func (s *step) next() time.Time {
	k, o := s.kept, s.Options
	due := s.now.Add(o.Interval)
	at := func(since time.Time, wait time.Duration) {
		if t := since.Add(wait); !since.IsZero() && t.After(s.now) && t.Before(due) {
			due = t
		}
	}
	if k.State == Healthy && k.Bad > 0 && k.Successes == 0 {
		at(s.now, confirmAfter)
	}
	if k.State != Failed {
		at(k.FailingSince, o.FailedAfter)
		at(k.NodesLowSince, o.SharesFor)
	}
	for _, since := range []time.Time{k.FailingSince, k.NodesLowSince} {
		if s.demanded(since) {
			at(s.Demand, o.DemandFor+1)
			at(k.Demand, o.DemandFor+1)
			at(since, o.DemandAtMost+1)
		}
	}
	if k.State != Healthy {
		at(k.GoodSince, o.HealthyAfter)
	}
	at(k.PodsLowSince, o.SharesFor)
	return due
}

// down and up make whole seconds. What begins is rounded up and what ends down, so that nothing seems to last longer than
// it did.
func down(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func up(t time.Time) time.Time { return down(t.Add(time.Second - 1)) }
