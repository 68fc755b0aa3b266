// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// HeadroomStatus says what is reserved, and what a surge would find.
type HeadroomStatus struct {
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
	// reserved and free are sums over the clusters, for the table: 12.5 cpu, 40Gi.
	// +optional
	Reserved string `json:"reserved,omitempty"`
	// +optional
	Free string `json:"free,omitempty"`
	// costPerHour is what the reserve costs, with spec.cost: 3.20 EUR.
	// +optional
	CostPerHour string `json:"costPerHour,omitempty"`
	// strategy in use: one of spec.strategy, or Mixed.
	// +optional
	Strategy string `json:"strategy,omitempty"`
	// clusters by name.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Clusters []HeadroomCluster `json:"clusters,omitempty"`
	// surges say, for each divided workload, what a surge would find.
	// +optional
	// +listType=map
	// +listMapKey=workload
	// +kubebuilder:validation:MaxItems=256
	Surges []HeadroomSurge `json:"surges,omitempty"`
	// losses say, for each cluster, what happens if it dies now.
	// +optional
	// +listType=map
	// +listMapKey=cluster
	// +kubebuilder:validation:MaxItems=256
	Losses []HeadroomLoss `json:"losses,omitempty"`
}

// HeadroomCluster is the reserve of one cluster.
type HeadroomCluster struct {
	// name of the MemberCluster.
	Name string `json:"name"`
	// strategy in use there.
	// +optional
	Strategy HeadroomStrategy `json:"strategy,omitempty"`
	// reason of the condition, for this cluster.
	Reason string `json:"reason"`
	// message says what is wrong there, or why this strategy is used.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// nodes that count; left out are those that do not, with the reason: 2 Tainted, 1 ExtendedResources.
	Nodes int32 `json:"nodes"`
	// +optional
	LeftOut string `json:"leftOut,omitempty"`
	// allocatable of these nodes, what is free of it (the reserve included), what is wanted as reserve, and what of that
	// fits on the nodes there are.
	Allocatable Amounts `json:"allocatable"`
	Free        Amounts `json:"free"`
	Wanted      Amounts `json:"wanted"`
	Held        Amounts `json:"held"`
	// pods is how many pods the reserve is made of, and ready how many of them hold their place.
	Pods  int32 `json:"pods"`
	Ready int32 `json:"ready"`
	// short is how many of them need nodes that are not there.
	// +optional
	Short int32 `json:"short,omitempty"`
	// bufferSince is since when a CapacityBuffer has been waiting for a node autoscaler to accept it.
	// +optional
	BufferSince *metav1.Time `json:"bufferSince,omitempty"`
	// nodeGroups that were asked for nodes last, and when.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	NodeGroups string `json:"nodeGroups,omitempty"`
	// +optional
	GrownAt *metav1.Time `json:"grownAt,omitempty"`
}

// HeadroomSurge is what a surge of one workload would find.
type HeadroomSurge struct {
	// workload as namespace/name of its FederatedScale.
	Workload string `json:"workload"`
	// ahead is for how many more replicas room is kept.
	Ahead int32 `json:"ahead"`
	// refused is for how many more none is kept, because a ResourceQuota or maxReplicas would refuse them, or
	// spec.peaks.maxPercent is reached.
	// +optional
	Refused int32 `json:"refused,omitempty"`
	// by names the schedule or forecast whose peak asks for most of them; empty: the percentage.
	// +optional
	By string `json:"by,omitempty"`
	// atOnce is how many more fit at once, if it surges alone.
	AtOnce int32 `json:"atOnce"`
	// together is how many of them fit if all workloads surge at a time.
	Together int32 `json:"together"`
}

// HeadroomLoss is what happens if a cluster dies now.
type HeadroomLoss struct {
	// cluster that dies.
	Cluster string `json:"cluster"`
	// verdict: Fits, NeedsNodes or DoesNotFit.
	// +kubebuilder:validation:Enum=Fits;NeedsNodes;DoesNotFit
	Verdict string `json:"verdict"`
	// replicas to move; fit of them at once, needNodes need nodes that node groups may add, homeless fit nowhere.
	Replicas  int32 `json:"replicas"`
	Fit       int32 `json:"fit"`
	NeedNodes int32 `json:"needNodes"`
	Homeless  int32 `json:"homeless"`
}
