// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MemberDemandList says which member clusters measure demand, and how lately. The adapter serves it at
// /apis/query.plimsoll.dev/v1alpha1/memberdemands. Of all rules it knows ClusterMetricRules with members: Sum only: what one
// tenant writes says nothing to the others.
type MemberDemandList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Time  time.Time      `json:"time"` // when the list was made, by the adapter's clock
	Items []MemberDemand `json:"items"`
}

// MemberDemand is one member with a metric source.
type MemberDemand struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        MemberName `json:"metadata"`

	// Samples are those of its rules that were evaluated last, the newest sample first; at most ten.
	Samples []DemandSample `json:"samples,omitempty"`
	Reason  string         `json:"reason,omitempty"` // why there is no sample, or nothing new
}

// MemberName names the MemberCluster.
type MemberName struct {
	Name string `json:"name"`
}

// DemandSample is the newest sample of a rule's values in a member.
type DemandSample struct {
	Rule string `json:"rule"` // a ClusterMetricRule
	// SampleTime is when it was measured, by the clock of the member's metric source.
	SampleTime time.Time `json:"sampleTime"`
	// Evaluated is when the source was asked, by the adapter's clock.
	Evaluated time.Time `json:"evaluated"`
}
