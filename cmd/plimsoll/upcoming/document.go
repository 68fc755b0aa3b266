// SPDX-License-Identifier: Apache-2.0

// Package upcoming says what will change in the bounds of HorizontalPodAutoscalers, when and why. It computes with the
// same functions as the scaler, so that what is shown for tomorrow is what will be decided tomorrow, as far as that
// depends on plans: what people and the demand do in between is not known.
package upcoming

import (
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

// Document is the answer of `plimsoll upcoming -o json`. Times are in UTC.
type Document struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`      // exclusive
	HPAs    int       `json:"hpas"`    // how many were looked at
	Changes []Change  `json:"changes"` // by time, then namespace and name
	// Problems are sentences about what could not be looked at, or will not happen as planned.
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is a sentence about one HPA.
type Problem struct {
	Namespace string `json:"namespace"`
	HPA       string `json:"hpa"`
	Message   string `json:"message"`
}

// Change is one change of an HPA's bounds, or a window that begins and changes nothing because it is overruled.
type Change struct {
	Namespace string    `json:"namespace"`
	HPA       string    `json:"hpa"`
	Time      time.Time `json:"time"`
	// Until is when the last step is made, of a change in steps; absent: at once, or (with gradual) not within the time
	// that was asked for.
	Until   *time.Time `json:"until,omitempty"`
	Gradual bool       `json:"gradual,omitempty"` // in steps, such as a ramp
	From    Bounds     `json:"from"`
	To      Bounds     `json:"to"`    // after the last step
	MinBy   Source     `json:"minBy"` // who decides to.minReplicas
	MaxBy   Source     `json:"maxBy"`
	// Estimated says that the numbers come from a forecast, which will be made anew until then.
	Estimated bool    `json:"estimated,omitempty"`
	Causes    []Cause `json:"causes,omitempty"` // what begins or ends; none: it is going on already
	// Overruled are the windows that begin and do not decide, and why.
	Overruled []Overruled `json:"overruled,omitempty"`
	Notes     []Note      `json:"notes,omitempty"`
	// PausedBy names the object whose annotation keeps this from happening: "Namespace shop".
	PausedBy string `json:"pausedBy,omitempty"`
}

// Bounds are those of an HPA.
type Bounds struct {
	Min int32 `json:"minReplicas"`
	Max int32 `json:"maxReplicas"`
}

// Source names who asks for a bound: the HPA itself, a window of a ScaleSchedule, a ScaleForecast, an Override.
type Source struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"` // of an Override: its author
	Part string `json:"part,omitempty"` // of a ScaleSchedule: the window
}

// String is "ScaleSchedule shop/evening".
func (s Source) String() string {
	if s.Kind == bounds.KindBase {
		return "the HPA itself"
	}
	return bounds.Source(s).String()
}

// Event is what happens to a Source.
type Event string

// The events. Those of windows are their phases.
const (
	RampUp   Event = "RampUp"   // the floor begins to rise
	Lead     Event = "Lead"     // the floor is full, so that the pods are Ready by the start
	On       Event = "On"       // the window begins
	RampDown Event = "RampDown" // the window has ended, and its floor begins to sink
	Off      Event = "Off"      // it is over
	Begins   Event = "Begins"   // an override
	Ends     Event = "Ends"     // an override
	Expects  Event = "Expects"  // a forecast expects another demand
	Unknown  Event = "Unknown"  // a forecast does not look further ahead
)

// Cause is what makes bounds change.
type Cause struct {
	Source Source `json:"source"`
	Event  Event  `json:"event"`
	// Start and End are those of the window's interval or the override.
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`
	// TimeZone is that of the schedule; LocalTime is the time of the change there: 2026-11-23T19:00:00.
	TimeZone  string `json:"timeZone,omitempty"`
	LocalTime string `json:"localTime,omitempty"`
	Reason    string `json:"reason,omitempty"` // in the author's words
}

// Overruled is a window that begins and decides nothing.
type Overruled struct {
	Source Source `json:"source"`
	Why    string `json:"why"`
}

// Note is a note of policy/bounds: FloorCapped, MaxRaised, Decaying, Frozen, Restoring.
type Note struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// NotesOf are the notes of a result.
func NotesOf(notes []bounds.Note) []Note {
	var out []Note
	for _, n := range notes {
		out = append(out, Note{Reason: string(n.Reason), Message: n.Message})
	}
	return out
}
