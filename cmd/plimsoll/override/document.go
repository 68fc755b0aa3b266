// SPDX-License-Identifier: Apache-2.0

// Package override writes by hand what a person wants of an HPA for a while: it says beforehand what that changes and
// whom it overrules, and afterwards whether the scaler has applied it.
package override

import (
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Manager is the field manager of what the command line writes.
const Manager = "plimsoll-cli"

// Action is what was asked for.
type Action string

// The actions.
const (
	Show Action = "Show"
	Set  Action = "Set"
	End  Action = "End"
)

// Applied is how far it got.
type Applied string

// The stages.
const (
	Unasked    Applied = ""           // nothing was to be written, or nobody waited
	Nothing    Applied = "Nothing"    // the bounds are what they would be anyway
	Done       Applied = "Done"       // the scaler has written the bounds
	Unanswered Applied = "Unanswered" // the scaler has not done so in time
)

// Document is what `plimsoll override -o json` prints: a List with one entry for each HPA. Times are in UTC.
type Document struct {
	Overrides []Override `json:"overrides"`
}

// Override is what was asked for one HPA and what it comes to.
type Override struct {
	Namespace string           `json:"namespace"`
	HPA       string           `json:"hpa"`
	Action    Action           `json:"action"`
	DryRun    bool             `json:"dryRun,omitempty"`
	Override  *record.Override `json:"override,omitempty"` // to be set, or with action Show the present one
	Previous  *record.Override `json:"previous,omitempty"` // that it replaces or ends

	Before Decision `json:"before"`
	After  Decision `json:"after"`
	// Overruled are the others that ask for bounds and do not get them because of the override.
	Overruled []upcoming.Overruled `json:"overruled,omitempty"`
	// Warnings are sentences about what may not be meant.
	Warnings []string `json:"warnings,omitempty"`
	// Consent are sentences about what is only done with --yes.
	Consent []string `json:"consent,omitempty"`

	Written bool    `json:"written"`
	Applied Applied `json:"applied,omitempty"`
	// AppliedAfterSeconds is how long it took from the write to the scaler's.
	AppliedAfterSeconds float64 `json:"appliedAfterSeconds,omitempty"`
}

// Decision is what the bounds are and who decides them.
type Decision struct {
	upcoming.Bounds
	MinBy upcoming.Source `json:"minBy"`
	MaxBy upcoming.Source `json:"maxBy"`
	Notes []upcoming.Note `json:"notes,omitempty"`
}
