// SPDX-License-Identifier: Apache-2.0

// Package health decides whether a member cluster is Healthy, Suspect or Failed, from probes of its API server, from how
// many of its nodes and of our pods there are Ready, and from whether its demand metrics still come in: arithmetic on
// plain values. The time is an argument, and what must survive a restart is in Kept.
//
// A Healthy member with one failed probe is asked again after two seconds. A second failed probe, before as many good
// ones in a row as SuccessThreshold, makes it Suspect: one lost packet in a fleet of fifty must not stop every scale-down
// for a minute, and an API that fails every other time is not healthy. Suspect is cheap (nothing is lowered while it
// lasts) and comes early; Failed moves replicas and comes late: after FailureThreshold failed probes in a row, the last
// of them FailedAfter later than the first. Only what shows that a cluster is gone counts for that (Cause.Fails). A
// refused credential or an untrusted certificate shows that somebody answers, so they never lead to Failed. Nor does
// anything else while the member's demand metrics come in, because its pods serve then; but only for DemandAtMost, because
// there are metrics that go on without the pods that they are about. Failed ends with Healthy only.
package health

import "time"

// State is what is thought of a member.
type State string

const (
	// Healthy: it answers, and enough of its nodes are Ready.
	Healthy State = "Healthy"
	// Suspect: it is not known whether it works. It is frozen: it keeps its replicas, and nothing is lowered anywhere.
	Suspect State = "Suspect"
	// Failed: it is gone. Its replicas may move.
	Failed State = "Failed"
)

// Options are the rules. A duration or threshold of 0 or less has its default.
type Options struct {
	// Interval is the time between two probes (10 s), Timeout the longest that one takes (4 s). A caller may vary the
	// interval by a part of it, so that members are not all probed at once. Both count as a second at least.
	Interval, Timeout time.Duration
	// SuspectThreshold is how many failed probes make a Healthy member Suspect (2).
	SuspectThreshold int32
	// FailureThreshold is how many failed probes in a row, and FailedAfter how much time between the first and the last
	// of them, make it Failed (3 and 30 s).
	FailureThreshold int32
	FailedAfter      time.Duration
	// SuccessThreshold is how many good probes in a row, and HealthyAfter how much time between the first and the last
	// of them, make it Healthy (3 and 60 s). That holds for a new member too.
	SuccessThreshold int32
	HealthyAfter     time.Duration
	// MinReadyNodes is the percentage of nodes below which it is Suspect at once, and Failed after SharesFor (50, 60 s).
	// 0: the nodes say nothing.
	MinReadyNodes int32
	// MinReadyPods is the percentage of our pods below which it is Suspect after SharesFor, and never Failed (50). 0: the
	// pods say nothing.
	//
	// Most nodes Ready and few of our pods means a bad image or a missing Secret more often than a dead cluster, and that
	// moves along with the replicas. But dead pods measure no demand, so that a sum over them looks like less load:
	// freezing is right, moving is not.
	MinReadyPods int32
	SharesFor    time.Duration
	// DemandFor is how long after their last new value the demand metrics count as coming in (60 s), and DemandAtMost how long
	// after the trouble began they keep a member from Failed at most (10 min).
	DemandFor, DemandAtMost time.Duration
	// MaxSkew is the difference of clocks above which there is a warning (10 s).
	MaxSkew time.Duration
}

// DefaultOptions are the rules where nothing else is said.
func DefaultOptions() Options {
	return Options{
		Interval: 10 * time.Second, Timeout: 4 * time.Second, SuspectThreshold: 2,
		FailureThreshold: 3, FailedAfter: 30 * time.Second,
		SuccessThreshold: 3, HealthyAfter: time.Minute,
		MinReadyNodes: 50, MinReadyPods: 50, SharesFor: time.Minute,
		DemandFor: time.Minute, DemandAtMost: 10 * time.Minute, MaxSkew: 10 * time.Second,
	}
}

func (o Options) withDefaults() Options {
	d := DefaultOptions()
	for _, each := range []struct{ value, otherwise *time.Duration }{
		{&o.Interval, &d.Interval}, {&o.Timeout, &d.Timeout}, {&o.FailedAfter, &d.FailedAfter}, {&o.HealthyAfter, &d.HealthyAfter},
		{&o.SharesFor, &d.SharesFor}, {&o.DemandFor, &d.DemandFor}, {&o.DemandAtMost, &d.DemandAtMost}, {&o.MaxSkew, &d.MaxSkew},
	} {
		if *each.value <= 0 {
			*each.value = *each.otherwise
		}
	}
	for _, each := range []struct{ value, otherwise *int32 }{
		{&o.SuspectThreshold, &d.SuspectThreshold}, {&o.FailureThreshold, &d.FailureThreshold}, {&o.SuccessThreshold, &d.SuccessThreshold},
	} {
		if *each.value <= 0 {
			*each.value = *each.otherwise
		}
	}
	o.Interval, o.Timeout = max(o.Interval, time.Second), max(o.Timeout, time.Second)
	o.MinReadyNodes, o.MinReadyPods = min(o.MinReadyNodes, 100), min(o.MinReadyPods, 100)
	return o
}

// gap is the time without a look, or without a probe, after which what was counted before says nothing: the hub slept,
// was down, or its clock was set.
func (o Options) gap() time.Duration { return 3 * (o.Interval + o.Timeout) }

// Probe is what one probe found.
type Probe struct {
	At      time.Time // when it ended, by the hub's clock; zero: there was none
	Cause   Cause     // OK, Unreachable, Unhealthy, Unauthorized, Untrusted or Invalid; anything else counts as NotProbed
	Message string    // what is wrong, without a full stop; the same for the same trouble, so without ports and durations
	// Skew is how far the member's clock is ahead of the hub's; nil: not known.
	Skew *time.Duration
}

// Share is how many of some things are Ready. What was created lately and has not been Ready yet belongs in neither
// number: in a surge, new nodes and pods are not Ready in large numbers, which is no sign of failure.
type Share struct {
	Ready, Total int64
	At           time.Time // until when it was observed; one from before the last few intervals counts as not known
}

// Input is everything besides Kept that a step depends on.
type Input struct {
	Probe Probe // the latest; one that was counted already is not counted again, nor is a second one within a second
	// Nodes and Pods are nil where they are not known. A member without any says nothing: one whose nodes are made on
	// demand may have none, and the division caps one that leaves pods waiting.
	Nodes, Pods *Share
	// Demand is when the newest value of the member's own demand metrics came in, by the hub's clock: when the value's
	// time advanced, not when it was read again. Zero: never, or there are none.
	Demand time.Time
	// DuplicateOf is the older member that is the same cluster: while there is one, this member is never Healthy, so that no
	// cluster is divided over, or counted, twice. "": there is none, or it is not known which cluster this is.
	DuplicateOf string
	// Suspended: somebody asked to leave the member alone.
	Suspended bool
	Options   Options
}

// Kept is what a step leaves for the next; whoever leads next goes on from it. The zero value is that of a new member. Its
// times are whole seconds, as those in Kubernetes' API are.
type Kept struct {
	State State `json:"state,omitempty"`
	// Since is when the member became Healthy, or when it stopped being so: from Suspect to Failed it stays.
	Since time.Time `json:"since,omitzero"`
	Cause Cause     `json:"cause,omitempty"`
	// Proven: it has been Healthy at least once.
	Proven bool `json:"proven,omitempty"`

	Looked  time.Time `json:"looked,omitzero"`  // the last step
	Watched time.Time `json:"watched,omitzero"` // since when steps have come without a gap
	Probed  time.Time `json:"probed,omitzero"`  // the last probe that was counted

	// Bad is the number of failed probes that are not yet forgiven, up to SuspectThreshold.
	Bad int32 `json:"bad,omitempty"`
	// Failures in a row that may lead to Failed, up to FailureThreshold, and when the first of them was.
	Failures     int32     `json:"failures,omitempty"`
	FailingSince time.Time `json:"failingSince,omitzero"`
	// Successes in a row, up to SuccessThreshold, and when the first of them was.
	Successes int32     `json:"successes,omitempty"`
	GoodSince time.Time `json:"goodSince,omitzero"`
	// Since when too few are Ready; zero: enough are, or it is not known.
	NodesLowSince time.Time `json:"nodesLowSince,omitzero"`
	PodsLowSince  time.Time `json:"podsLowSince,omitzero"`
	// Demand is the latest Input.Demand since the trouble began, so that the next leader, who has not seen any, does not
	// declare what this one would not.
	Demand time.Time `json:"demand,omitzero"`
}

// Changed is whether k has to be written so that another leader decides as this one would, where written was written
// last. While a member is well, or as bad as it can get, nothing has to be.
func (k Kept) Changed(written Kept) bool {
	if k.counting() && !k.Looked.Equal(written.Looked) {
		return true
	}
	k.Looked, k.Probed = written.Looked, written.Probed
	return k.normal() != written.normal()
}

// normal has all times in one zone, and no count without its beginning.
func (k Kept) normal() Kept {
	for _, t := range []*time.Time{
		&k.Since, &k.Looked, &k.Watched, &k.Probed, &k.FailingSince, &k.GoodSince, &k.NodesLowSince, &k.PodsLowSince, &k.Demand,
	} {
		*t = down(*t)
	}
	k.Bad = max(k.Bad, 0)
	if k.Failures <= 0 || k.FailingSince.IsZero() {
		k.Failures, k.FailingSince = 0, time.Time{}
	}
	if k.Successes <= 0 || k.GoodSince.IsZero() {
		k.Successes, k.GoodSince = 0, time.Time{}
	}
	return k
}

// Trouble is since when something goes on that leads to Failed if it lasts; zero: nothing does. What it says changes when
// another trouble begins.
func (k Kept) Trouble() time.Time {
	switch {
	case k.State == Failed:
		return time.Time{}
	case k.NodesLowSince.After(k.FailingSince):
		return k.NodesLowSince
	}
	return k.FailingSince
}

// counting: something will happen if things go on like this.
func (k Kept) counting() bool {
	switch k.State {
	case Healthy:
		return k.Bad > 0 || !k.PodsLowSince.IsZero()
	case Failed:
		return k.Successes > 0
	}
	return k.Failures > 0 || k.Successes > 0 || !k.NodesLowSince.IsZero()
}

// Verdict is what a step decided.
type Verdict struct {
	State   State
	Since   time.Time // Kept.Since
	Cause   Cause
	Message string // a sentence without a full stop; it stays the same while nothing changes
	Warning string // what is wrong besides, as of the member's clock; "": nothing
	// Next is when to probe and look again, at the latest.
	Next time.Time
	Kept Kept
}
