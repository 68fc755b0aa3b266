// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FederatedScale is a workload that runs in several clusters, with one scale: an ordinary HorizontalPodAutoscaler,
// ScaleSchedule or ScaleForecast in the hub, or a person, sets its replicas, and they are divided over the clusters by
// what each can hold. When a cluster fails, its share moves to the others.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:scope=Namespaced,categories=plimsoll,shortName=fscale
// +kubebuilder:printcolumn:name="Desired",type=integer,JSONPath=`.spec.replicas`,description="Replicas in all clusters together"
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyReplicas`,description="Ready replicas in the clusters that answer"
// +kubebuilder:printcolumn:name="Clusters",type=string,JSONPath=`.status.summary`,description="Clusters that work of all its clusters"
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`,description="Observe: it is only shown what would be written"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
type FederatedScale struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what is divided, and over which clusters.
	// +required
	Spec FederatedScaleSpec `json:"spec"`
	// status says what each cluster has, and why. The scaler writes it.
	// +optional
	Status FederatedScaleStatus `json:"status,omitzero"`
}

// FederatedScaleList is a list of FederatedScale.
//
// +kubebuilder:object:root=true
type FederatedScaleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []FederatedScale `json:"items"`
}

// ActMode says whether something acts or only shows what it would do.
//
// +kubebuilder:validation:Enum=Observe;Enforce
type ActMode string

const (
	// ModeObserve shows what would be done.
	ModeObserve ActMode = "Observe"
	// ModeEnforce does it.
	ModeEnforce ActMode = "Enforce"
)

// DivideWhat is what of a workload is divided over the clusters.
//
// +kubebuilder:validation:Enum=Replicas;Bounds
type DivideWhat string

const (
	// DivideReplicas divides the replicas of a workload that no HPA scales in the clusters.
	DivideReplicas DivideWhat = "Replicas"
	// DivideBounds divides minReplicas over the clusters' own HPAs, so that they scale without the hub.
	DivideBounds DivideWhat = "Bounds"
)

// FailoverMode says what becomes of a failed cluster's replicas.
//
// +kubebuilder:validation:Enum=Move;Never
type FailoverMode string

const (
	// FailoverMove gives them to the other clusters.
	FailoverMove FailoverMode = "Move"
	// FailoverNever leaves them where they are.
	FailoverNever FailoverMode = "Never"
)

// FederatedScaleSpec says what is divided, and over which clusters.
//
// +kubebuilder:validation:XValidation:rule="self.divide != 'Bounds' || !has(self.targetRef.kind) || self.targetRef.kind == 'HorizontalPodAutoscaler'",message="divide: Bounds needs the HorizontalPodAutoscaler that scales the workload in each member as targetRef; set targetRef.kind to it or remove it"
// +kubebuilder:validation:XValidation:rule="self.divide != 'Replicas' || !has(self.targetRef.kind) || self.targetRef.kind != 'HorizontalPodAutoscaler'",message="divide: Replicas needs a workload as targetRef; to divide the minReplicas of HorizontalPodAutoscalers set divide: Bounds"
// +kubebuilder:validation:XValidation:rule="self.pendingTimeout.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self.pendingTimeout) >= duration('5s') && duration(self.pendingTimeout) <= duration('6h')",message="pendingTimeout is a duration from 5s to 6h, such as 2m"
type FederatedScaleSpec struct {
	// replicas in all clusters together. An HPA writes it through the scale subresource. At least one goes to every
	// cluster unless it is 0. Default: 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	Replicas *int32 `json:"replicas,omitempty"`

	// targetRef names the workload in the members; it has the same namespace and name in all of them.
	// +required
	TargetRef MemberTarget `json:"targetRef"`

	// divide: Replicas sets the replicas of a workload, as an HPA does: leave them out of what is applied in the members.
	// Bounds sets minReplicas of the members' own HPAs, which then scale without the hub; replicas is then the sum of
	// these. The HPA's own minReplicas is kept in the annotation plimsoll.dev/federated there, and comes back, a tenth a
	// minute, when no share is to stand there any more. While a member's own scaler holds an HPA's bounds (annotation
	// plimsoll.dev/base), its minReplicas is raised and never lowered. An HPA that belongs to a controller (KEDA's), has
	// plimsoll.dev/paused, or is written back by somebody again and again is left alone. Default: Replicas.
	// +optional
	// +default="Replicas"
	Divide DivideWhat `json:"divide,omitempty"`

	// mode: Observe shows in the status what would be written. Enforce writes it. Default: Observe.
	// +optional
	// +default="Observe"
	Mode ActMode `json:"mode,omitempty"`

	// clusters are the members that it is divided over, with their limits. Absent: all MemberClusters.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Clusters []FederatedCluster `json:"clusters,omitempty"`

	// failover says what becomes of a failed cluster's replicas. Default: they move after 60s, and return.
	// +optional
	// +default={"after":"60s","returnAfter":"5m"}
	Failover FederatedFailover `json:"failover,omitzero"`

	// pendingTimeout is for how long a pod may wait for a node before its cluster counts as full and gets no more for a
	// while; the replicas go on to the others. A pod that has a node may take five times as long to start there: its
	// image may be large, or not to be had. A Deployment's pods may be rejected (admission) for 30s, or for
	// pendingTimeout if that is shorter, before they count as missing for good; of other kinds it is pendingTimeout.
	// At least 5s. Default: 2m.
	// +optional
	// +default="2m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	PendingTimeout *metav1.Duration `json:"pendingTimeout,omitempty"`
}

// MemberTarget names an object that every member has, in the namespace of the FederatedScale.
type MemberTarget struct {
	// apiVersion of the target. Default: apps/v1, or autoscaling/v2 for a HorizontalPodAutoscaler.
	// +optional
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?v[a-z0-9]+$`
	APIVersion string `json:"apiVersion,omitempty"`
	// kind of the target. Default: Deployment, or HorizontalPodAutoscaler with divide: Bounds.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	Kind string `json:"kind,omitempty"`
	// name of the target. Default: that of the FederatedScale.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// FederatedCluster is a member with its limits.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",message="minReplicas must be at most maxReplicas"
type FederatedCluster struct {
	// name of the MemberCluster.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// minReplicas is the fewest that it gets. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// maxReplicas is the most that it gets. Absent: no limit but what fits.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
}

// FederatedFailover says what becomes of a failed cluster's replicas.
//
// +kubebuilder:validation:XValidation:rule="[self.after, self.returnAfter].all(d, d.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(d) >= duration('0s') && duration(d) <= duration('24h'))",message="after and returnAfter are durations from 0s to 24h, such as 60s"
type FederatedFailover struct {
	// mode: Move gives them to the others. Never leaves them where they are. Default: Move.
	// +optional
	// +default="Move"
	Mode FailoverMode `json:"mode,omitempty"`
	// after is how long a cluster must not have been Healthy before they move. Default: 60s.
	// +optional
	// +default="60s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	After *metav1.Duration `json:"after,omitempty"`
	// returnAfter is how long it must be Healthy again before they return: a quarter at a time, when those before are Ready,
	// and each a fifth of this time after the one before at the earliest. Default: 5m.
	// +optional
	// +default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	ReturnAfter *metav1.Duration `json:"returnAfter,omitempty"`
}
