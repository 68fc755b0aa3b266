// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"time"
)

// message says in a sentence why the member's state is what it is. It has no figure that changes from one step to the
// next, so that a status is written only when there is news.
func (s *step) message() string {
	k := s.kept
	switch k.Cause {
	case OK:
		return s.wellMessage()
	case Suspended:
		return "it is suspended: it is not probed or changed, and keeps its replicas"
	case Settling:
		if k.State == Failed {
			return "it answers again, and gets replicas back once it has done so for " + s.Options.HealthyAfter.String()
		}
		return "it answers, and is healthy once it has done so for " + s.Options.HealthyAfter.String()
	case NotProbed:
		return s.found("no probe has come back yet") + s.consequence()
	case NodesNotReady:
		return fmt.Sprintf("fewer than %d %% of its nodes are Ready", s.Options.MinReadyNodes) + s.consequence()
	case PodsNotReady:
		return fmt.Sprintf("fewer than %d %% of our pods there are Ready: look at their image and configuration", s.Options.MinReadyPods) + s.consequence()
	case Duplicate:
		return fmt.Sprintf("it is the same cluster as MemberCluster %s, which is older and keeps it: delete one of the two, or correct its kubeconfig", s.DuplicateOf) + s.consequence()
	}
	return s.found("the last probe found: "+string(k.Cause)) + s.consequence()
}

func (s *step) wellMessage() string {
	if s.Nodes == nil || !s.recent(s.Nodes.At) || s.Options.MinReadyNodes <= 0 {
		return "its API server is ready; how many of its nodes are is not looked at or not known"
	}
	return "its API server is ready, and enough of its nodes are"
}

// found is the latest probe's message, if it is about the present cause.
func (s *step) found(otherwise string) string {
	if s.Probe.Message == "" || s.Probe.Cause != s.kept.Cause || !s.recent(s.Probe.At) {
		return otherwise
	}
	return s.Probe.Message
}

// consequence says what follows.
func (s *step) consequence() string {
	k := s.kept
	since, wait := k.FailingSince, s.Options.FailedAfter
	if k.Cause == NodesNotReady {
		since, wait = k.NodesLowSince, s.Options.SharesFor
	}
	switch {
	case k.State == Failed:
		return "; it has failed, and its replicas may move"
	case k.Cause == Duplicate && !k.Proven:
		return "; it gets nothing until then"
	case !k.Cause.Fails():
		return "; it keeps its replicas, and nothing is lowered, until that is mended"
	case s.demanded(since):
		return "; but its demand metrics still come in, so its pods serve, and it keeps its replicas, until " +
			since.Add(s.Options.DemandAtMost).Format(time.RFC3339) + " at the latest"
	case since.IsZero():
		return "; it keeps its replicas"
	}
	return "; it fails if that lasts, at " + since.Add(wait).Format(time.RFC3339) + " at the earliest"
}

// warning is about the member's clock: whatever compares its times with ours, such as the age of a value, is wrong then.
func (s *step) warning() string {
	if s.Probe.Skew == nil || s.Suspended || !s.recent(s.Probe.At) {
		return ""
	}
	skew, where := *s.Probe.Skew, "ahead of"
	if skew < 0 {
		skew, where = -skew, "behind"
	}
	if skew <= s.Options.MaxSkew && skew >= 0 { // the smallest duration has no opposite
		return ""
	}
	return fmt.Sprintf("its clock is more than %s %s the hub's: let both follow NTP", s.Options.MaxSkew, where)
}
