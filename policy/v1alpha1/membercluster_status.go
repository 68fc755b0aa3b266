// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MemberState is what is thought of a cluster.
//
// +kubebuilder:validation:Enum=Healthy;Suspect;Failed
type MemberState string

const (
	// MemberHealthy: it answers, and its nodes run pods.
	MemberHealthy MemberState = "Healthy"
	// MemberSuspect: it is not known whether it works. Its replicas stay, and nothing is lowered anywhere.
	MemberSuspect MemberState = "Suspect"
	// MemberFailed: it does not work. Its replicas may move.
	MemberFailed MemberState = "Failed"
)

// MemberClusterStatus says how a cluster is.
type MemberClusterStatus struct {
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
	// state is what is thought of the cluster.
	// +optional
	State MemberState `json:"state,omitempty"`
	// since is when it became Healthy, or when it stopped being so: from Suspect to Failed it stays.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// lastAnswerTime is when its API server last answered that it is ready; written once a minute while nothing changes.
	// +optional
	LastAnswerTime *metav1.Time `json:"lastAnswerTime,omitempty"`
	// health is what the next judgement goes on from.
	// +optional
	Health *MemberHealth `json:"health,omitempty"`
	// version of its Kubernetes.
	// +optional
	Version string `json:"version,omitempty"`
	// clusterID is the UID of its namespace kube-system, by which two MemberClusters of one cluster are told. Empty: not
	// known, such as where the hub's account may not read that namespace. One that was told stays until another one is told.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ClusterID string `json:"clusterID,omitempty"`
	// nodes are its nodes.
	// +optional
	Nodes *MemberNodes `json:"nodes,omitempty"`
	// allocatable is what its nodes that count offer.
	// +optional
	Allocatable *Amounts `json:"allocatable,omitempty"`
	// requested is what the pods on them request, those of the reserve not counted. This and what is free is written once
	// a minute.
	// +optional
	Requested *Amounts `json:"requested,omitempty"`
	// free is what they have left, the reserve included, for people: 12.5 cpu, 40Gi.
	// +optional
	Free string `json:"free,omitempty"`
	// ifLost is what becomes of its replicas if it dies now: Fits, NeedsNodes or DoesNotFit.
	// +optional
	// +kubebuilder:validation:Enum=Fits;NeedsNodes;DoesNotFit
	IfLost string `json:"ifLost,omitempty"`
	// distributed are the hub's objects with the label plimsoll.dev/distribute that this cluster has.
	// +optional
	Distributed *Distribution `json:"distributed,omitempty"`
}

// MemberHealth is what the next judgement of a cluster's health goes on from, whoever makes it.
type MemberHealth struct {
	// cause of the state.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	Cause string `json:"cause,omitempty"`
	// proven: the cluster has been Healthy at least once.
	// +optional
	Proven bool `json:"proven,omitempty"`
	// looked is when the cluster was judged last, as far as that was written; watched since when that goes on without a
	// gap; probed when its API server was asked last.
	// +optional
	Looked *metav1.Time `json:"looked,omitempty"`
	// +optional
	Watched *metav1.Time `json:"watched,omitempty"`
	// +optional
	Probed *metav1.Time `json:"probed,omitempty"`
	// bad is the number of failed questions that are not forgiven yet.
	// +optional
	Bad int32 `json:"bad,omitempty"`
	// failures in a row that may lead to Failed, and when the first of them was.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// +optional
	FailingSince *metav1.Time `json:"failingSince,omitempty"`
	// successes in a row, and when the first of them was.
	// +optional
	Successes int32 `json:"successes,omitempty"`
	// +optional
	GoodSince *metav1.Time `json:"goodSince,omitempty"`
	// nodesLowSince and podsLowSince are since when too few nodes, or pods of divided workloads, have been Ready.
	// +optional
	NodesLowSince *metav1.Time `json:"nodesLowSince,omitempty"`
	// +optional
	PodsLowSince *metav1.Time `json:"podsLowSince,omitempty"`
	// demandSeen is when a new sample of its demand came in last, by the hub's clock, since its trouble began.
	// +optional
	DemandSeen *metav1.Time `json:"demandSeen,omitempty"`
}

// MemberNodes counts a cluster's nodes.
type MemberNodes struct {
	// total number of nodes, and how many of them are Ready.
	Total int32 `json:"total"`
	Ready int32 `json:"ready"`
	// counted is how many count as capacity: Ready, not cordoned, without a taint or a GPU.
	Counted int32 `json:"counted"`
	// summary is "ready/total", for the table.
	Summary string `json:"summary"`
}

// Amounts are amounts of cpu and memory as Kubernetes writes them.
type Amounts struct {
	// cpu in cores or millicores, such as 31 or 500m.
	CPU string `json:"cpu"`
	// memory in bytes, such as 128Gi.
	Memory string `json:"memory"`
}

// Distribution says what of the hub's distributed objects a cluster has.
type Distribution struct {
	// objects that it shall have.
	Objects int32 `json:"objects"`
	// applied is how many of them it has as they are in the hub.
	Applied int32 `json:"applied"`
	// failed names those that it refused, with the reason; at most 10.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Failed []string `json:"failed,omitempty"`
}
