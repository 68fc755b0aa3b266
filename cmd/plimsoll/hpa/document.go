// SPDX-License-Identifier: Apache-2.0

// Package hpa explains one HorizontalPodAutoscaler: which numbers it sees and where they come from, what it wants, what
// its bounds are and why, what would be without Plimsoll, and what comes next. It computes with the scaler's functions.
package hpa

import (
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Document is what `plimsoll explain hpa/NAME -o json` prints. Times are in UTC.
type Document struct {
	Namespace string    `json:"namespace"`
	HPA       string    `json:"hpa"`
	Time      time.Time `json:"time"` // of the look at the cluster
	Workload  Workload  `json:"workload"`
	Replicas  Replicas  `json:"replicas"`
	Metrics   []Metric  `json:"metrics"`
	// Wanted is what the metrics alone ask for, before any bound; absent: unknown.
	Wanted *int32 `json:"wanted,omitempty"`

	Live    upcoming.Bounds `json:"live"`    // what the HPA says
	Decided upcoming.Bounds `json:"decided"` // what it should say
	MinBy   upcoming.Source `json:"minBy"`   // who decides decided.minReplicas
	MaxBy   upcoming.Source `json:"maxBy"`
	Base    Base            `json:"base"`
	// Share is what the hub of several clusters has put into minReplicas; absent: nothing.
	Share *Share `json:"share,omitempty"`
	// Contributions are all that ask, or could ask, for other bounds.
	Contributions []Contribution   `json:"contributions,omitempty"`
	Override      *record.Override `json:"override,omitempty"` // the one that holds now
	Notes         []upcoming.Note  `json:"notes,omitempty"`    // on decided
	// Without is what would be without Plimsoll.
	Without Without `json:"without"`
	// Left says why the bounds are left alone, whatever is decided: "paused by Namespace live".
	Left      string `json:"left,omitempty"`
	PausedBy  string `json:"pausedBy,omitempty"`
	PauseNote string `json:"pauseNote,omitempty"` // who paused it and why

	Next     []upcoming.Change `json:"next,omitempty"` // of the next 48 hours, at most nextShown
	Problems []string          `json:"problems,omitempty"`
	Scaler   Scaler            `json:"scaler"`
}

// Share is that of a FederatedScale of the hub in minReplicas here.
type Share struct {
	Scale string `json:"scale"` // its name
	Base  int64  `json:"base"`  // the HPA's own minReplicas, which comes back when no share stands here any more
}

// Workload is what the HPA scales.
type Workload struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Replicas are those of the workload.
type Replicas struct {
	Current       int32 `json:"current"` // that the HPA saw last
	Desired       int32 `json:"desired"` // that it set last
	Looked        bool  `json:"looked"`  // whether the HPA controller has looked at the HPA since it was created
	Ready         int32 `json:"ready"`
	Pending       int32 `json:"pending"`
	Unschedulable int32 `json:"unschedulable"` // pending ones that no node has room for
	// LeadSeconds is the 90th percentile from a pod's creation to Ready, of LeadSamples pods; 0: not measured.
	LeadSeconds float64 `json:"leadSeconds"`
	LeadSamples int     `json:"leadSamples"`
}

// Metric is one metric of the HPA.
type Metric struct {
	Type     string `json:"type"` // of autoscaling/v2: Pods, Object, External, Resource, ContainerResource
	Name     string `json:"name"`
	Resource string `json:"resource,omitempty"` // whose metric it is: pods, ingresses.networking.k8s.io
	Object   string `json:"object,omitempty"`   // of type Object: its name
	Target   string `json:"target"`             // a quantity, or per cent: 50, 80%
	PerPod   bool   `json:"perPod"`             // whether the target is for one replica
	Seen     string `json:"seen,omitempty"`     // what the HPA saw at its last sync, in the target's terms; "": nothing
	// Adapter is what the adapter says about the metric; absent for metrics of other servers.
	Adapter *Sample `json:"adapter,omitempty"`
	// Unexplained says why the adapter could not be asked.
	Unexplained string `json:"unexplained,omitempty"`
}

// Sample is what the adapter gives out now.
type Sample struct {
	Rule   string `json:"rule"` // MetricRule/live/online-users
	Query  string `json:"query"`
	Source string `json:"source"`
	// Values that can be used, and those that cannot, of the HPA's own pods, object or series.
	Values   int     `json:"values"`
	Unusable int     `json:"unusable"`
	Reason   string  `json:"reason,omitempty"` // of one that cannot be used
	Sum      float64 `json:"sum"`
	// NewestSeconds and OldestSeconds are the ages of the values by the time they were measured.
	NewestSeconds float64 `json:"newestSeconds"`
	OldestSeconds float64 `json:"oldestSeconds"`
	AgeUnknown    string  `json:"ageUnknown,omitempty"` // why the ages are not known
	MaxAgeSeconds float64 `json:"maxAgeSeconds"`
	Truncated     bool    `json:"truncated,omitempty"` // the adapter listed only some of its values
	LastError     string  `json:"lastError,omitempty"` // of the last evaluation; "": it succeeded
}

// Base are the user's own bounds.
type Base struct {
	upcoming.Bounds
	Owners []Owner `json:"owners,omitempty"` // who wrote them
}

// Owner is a field manager.
type Owner struct {
	Field     string `json:"field"` // minReplicas or maxReplicas
	Manager   string `json:"manager"`
	Operation string `json:"operation"` // Apply or Update
}

// Contribution is one who asks for other bounds, or could.
type Contribution struct {
	Source      upcoming.Source `json:"source"`
	MinReplicas *int32          `json:"minReplicas,omitempty"`
	MaxReplicas *int32          `json:"maxReplicas,omitempty"`
	Priority    int32           `json:"priority,omitempty"`
	Counts      bool            `json:"counts"` // asks for something now
	Won         bool            `json:"won"`
	Why         string          `json:"why"` // why it won, lost, or asks for nothing
	Until       *time.Time      `json:"until,omitempty"`
	Reason      string          `json:"reason,omitempty"` // in the author's words
	// NotReady is the reason of the object's Ready condition and what that means, while it is not True.
	NotReady string `json:"notReady,omitempty"`
}

// Without is what would be without Plimsoll.
type Without struct {
	upcoming.Bounds
	Replicas *int32 `json:"replicas,omitempty"` // what the HPA would aim at; absent: unknown
}

// ScalerState says whether the scaler runs.
type ScalerState string

// The states.
const (
	Running ScalerState = "Running" // it renews its Lease
	Silent  ScalerState = "Silent"  // it does not
	Unknown ScalerState = "Unknown" // that could not be seen
)

// Scaler is whether the scaler runs, and has done its work here.
type Scaler struct {
	State ScalerState `json:"state"`
	// Settled says whether the live bounds are the decided ones, or became so within a moment.
	Settled bool       `json:"settled"`
	Holder  string     `json:"holder,omitempty"`
	Renewed *time.Time `json:"renewed,omitempty"`
	Message string     `json:"message"`
}
