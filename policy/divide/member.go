// SPDX-License-Identifier: Apache-2.0

package divide

import "time"

// Health is what is thought of a member.
type Health int

const (
	// Suspect: it is not known whether it works. Its seats stay, and nothing is lowered anywhere. It is the zero value.
	Suspect Health = iota
	// Healthy: it answers, and its nodes run pods.
	Healthy
	// Failed: it was declared failed; its seats may move.
	Failed
)

// Failover says what becomes of a failed member's seats.
type Failover int

const (
	// Move gives them to the others.
	Move Failover = iota
	// Never leaves them where they are.
	Never
)

// Member is one cluster of a workload, as it was last seen. Where not replicas are divided but the minReplicas of the
// members' own HPAs, Replicas is that minReplicas, Max no more than their maxReplicas, and all else the same: Ready pods
// count up to it, so that a floor too is lowered once the others' are met. Whoever does not want floors to wait says
// that Ready is Replicas. An HPA takes no minReplicas of 0: ask for 1 replica at least.
type Member struct {
	Name   string
	Health Health
	// Since is when it became Healthy, or when it stopped being Healthy: from Suspect to Failed it stays. Options.After
	// and FreezeFor count from there, not from when it was declared Failed.
	Since time.Time
	// Answers: though it is Failed, what is asked of it has been good again since, and it becomes Healthy if that lasts. Its
	// seats, if they have not moved, do not: its pods may have run all along.
	Answers bool
	// Suspend: an operator lets nobody ask or write the member. Whatever its health it is treated as Suspect, except that
	// the hub does not suspect itself for it. Drain wins over it.
	Suspend bool
	// Drain: an operator takes the member out. Its seats move whatever its health, and its silence freezes nothing.
	Drain  bool
	Weight int64  // Weights.Frozen
	Min    *int64 // nil: 1
	Max    *int64 // the smaller of the user's and Capacity.Limit; nil: no limit
	// Seen: Replicas, Ready, Stuck and Refused were read from the member, after what was last written there and after
	// Since. A Healthy member that is not seen counts as silent. A cache counts once it shows the last write and has
	// been synchronised after Since: what it shows of a member that was cut off is from before its pods died, and others
	// would be lowered for pods that are not there. Best decide when all Healthy members are read back: until then what
	// is new goes to the others.
	Seen     bool
	Replicas int64 // spec.replicas there
	Ready    int64 // ready pods there; more than that may be ready by now, fewer not
	// Stuck are pods that have been waiting for a node for longer than the start-up time allows; of a floor those that it
	// would lack even if all pods with a node were ready.
	Stuck   int64
	Refused bool // the last raise was refused, as a whole: by admission; what a quota would let through belongs in Max
}

// silent: it cannot be written or what it runs is not known.
func (m Member) silent() bool { return m.Health != Healthy || !m.Seen || m.Suspend }

// Observed is everything that a decision depends on besides what was decided before.
type Observed struct {
	Replicas int64 // spec.replicas of the FederatedScale
	Salt     string
	// HubSuspects is why the hub suspects itself, by all clusters that it knows and not only those of this workload, in a
	// sentence without a full stop; "": it does not. While it does nothing is lowered, and no lower number acted on.
	HubSuspects string
	// Unmeasured is why the number asked for is not by the demand, in a sentence without a full stop: the HPA that asks
	// cannot read its metrics, and has but kept to its minReplicas. "": it is. While it is not, what was found at first stays.
	Unmeasured string
	Members    []Member // in any order
	Options    Options
}

// Options are the rules of moving. Durations of 0 mean at once.
type Options struct {
	Failover Failover
	// After is how long ago a Failed member must have stopped being Healthy for its seats to move.
	After time.Duration
	// FreezeFor is how long a lower number of replicas is ignored while members are Failed and all others Healthy: the
	// metrics may lack the failed members' part. It counts from Member.Since. 0, the default: as long as they are Failed;
	// draining them ends it.
	FreezeFor time.Duration
	// ReturnAfter is how long a member whose seats moved must have been Healthy before it gets them back.
	ReturnAfter time.Duration
	// It then gets them back in steps: StepPercent of its share, no sooner than StepEvery after the step before, and when
	// all that it has is Ready. Pods that it runs already need no step.
	StepPercent int64
	StepEvery   time.Duration
	// CoolDown is how long a member that refuses pods or leaves them waiting gets no more; it doubles up to eightfold
	// while it does so again.
	CoolDown time.Duration
	// AdoptFor is how long, at first (and then while Observed.Unmeasured says why), more replicas than asked for are left as
	// they were found, unless as many are asked for or fewer than at first: a scale that nobody has set yet, or one that an
	// HPA begins with its minReplicas, must not cut a running workload.
	AdoptFor time.Duration
	// SettleFor is for how long after a member has become Healthy a lower number of replicas is ignored: it was worked out
	// without that member's demand.
	SettleFor time.Duration
	// Ordinals: pods end by their ordinals whether they are ready or not, as a StatefulSet's. Otherwise those that are
	// not ready end first, as a Deployment's.
	Ordinals bool
}

// DefaultOptions are the rules where nothing else is said.
func DefaultOptions() Options {
	return Options{
		After: time.Minute, ReturnAfter: 5 * time.Minute, StepPercent: 25, StepEvery: time.Minute, CoolDown: 5 * time.Minute, AdoptFor: 10 * time.Minute,
		SettleFor: 2 * time.Minute,
	}
}

// State is what a decision leaves for the next, in the FederatedScale's status. The zero value is that of a new one. It
// is to be stored before the targets are written: who finds targets written that the state does not know takes a member
// that falls silent just then for as large as it was. Whoever decides without writing (mode: Observe) keeps no state.
// Its times are whole seconds in UTC. As JSON it is about 30 bytes for each member besides the name, and at most 250.
type State struct {
	Replicas int64           `json:"replicas"` // acted on last
	Adoption *Adoption       `json:"adoption,omitempty"`
	Members  map[string]Kept `json:"members"`
}

// Adoption is what was found at first.
type Adoption struct {
	Asked int64     `json:"asked"` // for, when it began
	Found int64     `json:"found"` // replicas in the members that have been seen
	Until time.Time `json:"until"`
}

// Kept is what is remembered of a member.
type Kept struct {
	Replicas int64 `json:"replicas"`       // last written or, where nothing was to be written, last seen
	Seen     int64 `json:"seen"`           // last seen: a member that falls silent may have got the last write or not
	Away     bool  `json:"away,omitempty"` // its seats have moved and are not all back
	// Stage is how many seats it may have again, and StageSince when the last were added (zero: none yet).
	Stage      int64     `json:"stage,omitempty"`
	StageSince time.Time `json:"stageSince,omitzero"`
	Cap        *Cap      `json:"cap,omitempty"`
}

// Cap is the most replicas of a member that refused pods or left them waiting. It counts until Until; after that it only
// tells whether the next is one of a series.
type Cap struct {
	Replicas int64     `json:"replicas"`
	Until    time.Time `json:"until"`
	Times    int64     `json:"times"`
}

// Reason is why a note was made.
type Reason string

// The reasons.
const (
	Invalid           Reason = "Invalid"           // nothing is written
	Adopting          Reason = "Adopting"          // what was found is kept until somebody asks for another number
	ScaleDownFrozen   Reason = "ScaleDownFrozen"   // fewer replicas are not acted on, or nothing is lowered
	HubSuspectsItself Reason = "HubSuspectsItself" // most members are silent at once
	FailoverWaits     Reason = "FailoverWaits"     // a failed member has not been silent for long enough
	FailoverNever     Reason = "FailoverNever"     // a failed member keeps its seats
	FailedOver        Reason = "FailedOver"        // a failed member's seats are with the others
	Returning         Reason = "Returning"         // it is Healthy again, and not for long enough
	FailingBack       Reason = "FailingBack"       // it gets its seats back in steps
	FailedBack        Reason = "FailedBack"        // it has its seats back
	Drained           Reason = "Drained"           // it is to have none
	Capped            Reason = "Capped"            // it refused pods or left them waiting
	WaitingForReady   Reason = "WaitingForReady"   // it keeps replicas until others are Ready
	MinimumRaised     Reason = "MinimumRaised"     // the minimums need more than was asked for
	Unplaced          Reason = "Unplaced"          // no member takes them
)

// Note is one thing that should be said in the status.
type Note struct {
	Member  string // "": of the whole
	Reason  Reason
	Message string // a sentence
}

// Plan is a decision.
type Plan struct {
	// Targets are the replicas to write, for each member that may be written; where it has them already, nothing is due.
	Targets map[string]int64
	// Goals is the division that the targets approach.
	Goals map[string]int64
	// Replicas is what was divided: what was asked for, or more while that is frozen.
	Replicas int64
	State    State
	Notes    []Note // first those of the whole, then by member
	// Next is when to decide again at the latest even if nothing is observed; zero: no need.
	Next time.Time
}
