// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FederatedScaleStatus says what each cluster has, and why.
type FederatedScaleStatus struct {
	// conditions holds one condition, Ready. Its reason is one of a closed set; its message says what is wrong,
	// where, and what to do.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// replicas is how many replicas there are in all clusters together; one that is silent counts with what it had, unless
	// its replicas have moved to the others.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// readyReplicas is how many of them are Ready, in the clusters that answer.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`
	// divided is how many replicas are divided: spec.replicas, or more while a lower number is not acted on.
	// +optional
	Divided int32 `json:"divided,omitempty"`
	// selector is what an HPA wants of a scale; it never changes and selects no pod, as the hub has none of them.
	// +optional
	Selector string `json:"selector,omitempty"`
	// summary is "working/all" clusters, for the table.
	// +optional
	Summary string `json:"summary,omitempty"`
	// clusters are its clusters, by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Clusters []FederatedClusterStatus `json:"clusters,omitempty"`
	// notes say what is going on, besides the condition: first of the whole, then by cluster.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Notes []FederatedNote `json:"notes,omitempty"`
	// adoption is what was found when the division began.
	// +optional
	Adoption *FederatedAdoption `json:"adoption,omitempty"`
	// weightsSampled is when the clusters' weights were last measured, weightsReplaced when those in force last changed.
	// +optional
	WeightsSampled *metav1.Time `json:"weightsSampled,omitempty"`
	// +optional
	WeightsReplaced *metav1.Time `json:"weightsReplaced,omitempty"`
}

// FederatedClusterStatus is what one cluster has of a workload.
type FederatedClusterStatus struct {
	// name of the MemberCluster.
	Name string `json:"name"`
	// state of the MemberCluster.
	// +optional
	State MemberState `json:"state,omitempty"`
	// replicas that the workload has there, or had when it was last seen.
	Replicas int32 `json:"replicas"`
	// ready is how many of them are Ready; of a Suspect cluster as many as when it was last seen, of a Failed one none.
	Ready int32 `json:"ready"`
	// goal is its share.
	Goal int32 `json:"goal"`
	// target is what is written there on the way to its share, or would be with mode Enforce.
	Target int32 `json:"target"`
	// weight is what its share is in proportion to.
	Weight int64 `json:"weight"`
	// smoothWeight follows the measured weight slowly, in thousandths.
	// +optional
	SmoothWeight int64 `json:"smoothWeight,omitempty"`
	// readyPercent is its share of all Ready replicas, for DNS or a global load balancer. All of them add up to 100 (the
	// largest remainders are rounded up), or are 0 while none is Ready.
	ReadyPercent int32 `json:"readyPercent"`
	// message says what is special about it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// written is what was last written there, or was about to be: it is stored before.
	// +optional
	Written *int32 `json:"written,omitempty"`
	// away: its replicas have moved and are not all back.
	// +optional
	Away bool `json:"away,omitempty"`
	// stage is how many it may have back so far, since stageSince.
	// +optional
	Stage int32 `json:"stage,omitempty"`
	// +optional
	StageSince *metav1.Time `json:"stageSince,omitempty"`
	// cap is the most it gets for a while, because it refused pods or left them waiting.
	// +optional
	Cap *FederatedCap `json:"cap,omitempty"`
	// failedSince, movedAt and readyAt are the times of its last failover: it was declared failed, its replicas were given
	// to others, and as many as before were Ready there.
	// +optional
	FailedSince *metav1.MicroTime `json:"failedSince,omitempty"`
	// +optional
	MovedAt *metav1.MicroTime `json:"movedAt,omitempty"`
	// +optional
	ReadyAt *metav1.MicroTime `json:"readyAt,omitempty"`
}

// Moved says whether the cluster has failed and its replicas, which are still the last that it was seen with, are counted
// where they are now.
func (c *FederatedClusterStatus) Moved() bool {
	return c.Away && c.Stage == 0 && c.State == MemberFailed
}

// FederatedCap is the most that a cluster gets for a while.
type FederatedCap struct {
	Replicas int32       `json:"replicas"`
	Until    metav1.Time `json:"until"`
	// times is the how-manieth of a series it is; each takes twice as long, up to eightfold.
	Times int32 `json:"times"`
}

// FederatedAdoption is what was found when the division began: it stays until another number is asked for.
type FederatedAdoption struct {
	Asked int32       `json:"asked"`
	Found int32       `json:"found"`
	Until metav1.Time `json:"until"`
}

// FederatedNote is one thing that is going on.
type FederatedNote struct {
	// cluster it is about; empty: the whole.
	// +optional
	Cluster string `json:"cluster,omitempty"`
	// reason in a word, as in the conditions.
	Reason string `json:"reason"`
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message"`
}
