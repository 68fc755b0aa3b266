// SPDX-License-Identifier: Apache-2.0

// Package bounds computes an HPA's minReplicas and maxReplicas from the user's own bounds and everything that asks for
// others: windows of schedules, forecasts and overrides. It is arithmetic on plain values: the time is an argument,
// and what must survive a restart is in State, which the caller keeps with the HPA.
package bounds

import "time"

// Bounds are the two fields of an HPA that Plimsoll writes.
type Bounds struct {
	Min int32
	Max int32
}

// The kinds of a Source.
const (
	KindBase     = "HorizontalPodAutoscaler" // the user's own bounds
	KindSchedule = "ScaleSchedule"
	KindForecast = "ScaleForecast"
	KindOverride = "Override"
)

// Source names who asks for a bound. The zero value stands for nobody.
type Source struct {
	Kind string
	Name string
	Part string // of a schedule: the window
}

// String returns "ScaleSchedule shop/evening".
func (s Source) String() string {
	if s.Kind == "" {
		return "nobody"
	}
	text := s.Kind
	if s.Name != "" {
		text += " " + s.Name
	}
	if s.Part != "" {
		text += "/" + s.Part
	}
	return text
}

// Contribution is one wish for other bounds: a window, a forecast's floor, or an override. The numbers are those of
// now: ramps up and down are in MinReplicas already, and what is over is not there.
type Contribution struct {
	Source Source
	Reason string // why, in the words of the author
	Author string // who wrote an override; may be empty

	MinReplicas *int32 // nil: says nothing about the floor
	MaxReplicas *int32 // nil: leaves the maximum alone
	Exact       bool   // MinReplicas is the exact count: it is the maximum too
	Freeze      bool   // nothing scales down while this is active
	HardMax     bool   // the maximum holds at once, even where that removes replicas that the HPA wants

	// RaiseOnly says that MinReplicas never lowers a floor that somebody else set. Forecasts are like that.
	RaiseOnly bool
	// Override beats everything that is not one; then the higher Priority wins; then the larger number.
	Override bool
	Priority int32

	// Sinking says that MinReplicas is on its own ramp down, so that it needs no other decay.
	Sinking bool
	// RampEnds is when its ramp down is over: a floor that is gone then has sunk as planned, also if nobody looked
	// meanwhile. Zero: it has no ramp.
	RampEnds time.Time
	Until    time.Time // the end, for explanations; zero: open
}

// State is what has to be remembered between evaluations. The zero value is the state of an HPA that has its own bounds.
type State struct {
	Applied  *Bounds     // what was written last; nil: the HPA has its own bounds
	Since    time.Time   // when Applied was first wanted
	FloorBy  Source      // who won Applied.Min
	RampEnds time.Time   // of the contribution that won Applied.Min; zero: it has no ramp down
	Tail     *Tail       // a floor that ended and is sinking
	FrozenAt int32       // the floor that a freeze has collected; 0: none
	Reverts  []time.Time // when somebody put the base back while other bounds were wanted
}

// Tail is a floor that has lost its reason and sinks by DecayPerMinute.
type Tail struct {
	From  int32
	Since time.Time
	By    Source // who had asked for it
}

// Observed is what is known of the HPA and its workload now.
type Observed struct {
	Replicas int32  // spec.replicas of the scale subresource
	Desired  int32  // status.desiredReplicas of the HPA; 0: unknown
	Wanted   *int32 // what the metrics alone ask for, before any bound; nil: unknown
	Paused   bool   // plimsoll.dev/paused on the HPA or its namespace
	Live     Bounds // what the HPA says now; used while Paused
}

// Input is everything a decision depends on.
type Input struct {
	Now           time.Time
	Base          Bounds // the user's own
	Contributions []Contribution
	Observed      Observed
	State         State
}

// NoteReason is one of a closed set of things that a user should know about a result.
type NoteReason string

const (
	FloorCapped NoteReason = "FloorCapped" // a floor above the maximum was lowered to it
	MaxRaised   NoteReason = "MaxRaised"   // a contribution's maximum was raised to another one's floor
	RampingDown NoteReason = "RampingDown" // a window has ended and its floor sinks on its ramp
	Decaying    NoteReason = "Decaying"    // a floor ended without a ramp and sinks
	Restoring   NoteReason = "Restoring"   // the maximum is above what it should be, because the HPA needs it now
	Frozen      NoteReason = "Frozen"      // nothing scales down
	Paused      NoteReason = "Paused"      // the bounds stay as they are
)

// Note is a NoteReason with its sentence.
type Note struct {
	Reason  NoteReason
	Message string
}

// Verdict says what became of one contribution.
type Verdict struct {
	Source Source
	Won    bool
	Why    string
}

// Without is what would be without any contribution.
type Without struct {
	Bounds   Bounds
	Replicas *int32 // what the HPA would aim at; nil: what it wants is unknown
}

// Result is a decision.
type Result struct {
	Bounds   Bounds
	FloorBy  Source
	MaxBy    Source
	Verdicts []Verdict // in the order of the contributions
	Notes    []Note
	Without  Without
	State    State // for the next evaluation
}

// Has says whether the result carries a note.
func (r Result) Has(reason NoteReason) bool {
	for _, n := range r.Notes {
		if n.Reason == reason {
			return true
		}
	}
	return false
}
