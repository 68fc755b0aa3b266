// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Headroom keeps a share of every cluster's capacity free, where the next replicas will land, so that a sudden crowd is
// served at once instead of waiting for nodes. Any pod of priority 0 or more may take it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=plimsoll,path=headrooms,singular=headroom
// +kubebuilder:printcolumn:name="Percent",type=integer,JSONPath=`.spec.percent`,description="Share of allocatable cpu and memory that is to be free"
// +kubebuilder:printcolumn:name="Reserved",type=string,JSONPath=`.status.reserved`,description="What is reserved for the surge, in all clusters"
// +kubebuilder:printcolumn:name="Free",type=string,JSONPath=`.status.free`,description="What is free now, the reserve included"
// +kubebuilder:printcolumn:name="Strategy",type=string,JSONPath=`.status.strategy`,description="How it is reserved"
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`,description="Observe: it is only shown what would be reserved"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
type Headroom struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says how much is kept free, where, and how.
	// +optional
	// +default={"lead":"10m"}
	Spec HeadroomSpec `json:"spec,omitzero"`
	// status says what is reserved, and what a surge would find. The scaler writes it.
	// +optional
	Status HeadroomStatus `json:"status,omitzero"`
}

// HeadroomList is a list of Headroom.
//
// +kubebuilder:object:root=true
type HeadroomList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Headroom `json:"items"`
}

// HeadroomStrategy says how room is kept.
//
// +kubebuilder:validation:Enum=Auto;CapacityBuffer;Placeholder;NodeGroups
type HeadroomStrategy string

const (
	// HeadroomAuto finds out what each cluster can do.
	HeadroomAuto HeadroomStrategy = "Auto"
	// HeadroomCapacityBuffer asks the cluster's node autoscaler for it (autoscaling.x-k8s.io).
	HeadroomCapacityBuffer HeadroomStrategy = "CapacityBuffer"
	// HeadroomPlaceholder runs pods of a low priority that give way.
	HeadroomPlaceholder HeadroomStrategy = "Placeholder"
	// HeadroomNodeGroups grows node groups over externalgrpc, where no node autoscaler runs.
	HeadroomNodeGroups HeadroomStrategy = "NodeGroups"
)

// HeadroomSpec says how much is kept free, where, and how.
//
// +kubebuilder:validation:XValidation:rule="self.lead.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self.lead) >= duration('0s') && duration(self.lead) <= duration('24h')",message="lead is a duration from 0s to 24h, such as 10m"
type HeadroomSpec struct {
	// percent of the nodes' allocatable cpu and memory, and of the divided workloads' replicas, that is to be free in
	// every cluster. Replicas count that are there or being written; a FederatedScale that writes nothing (mode: Observe,
	// paused, TargetTaken) counts with what was found. Default: 20.
	// +optional
	// +default=20
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent *int32 `json:"percent,omitempty"`

	// mode: Observe shows in the status what would be reserved. Enforce reserves it. Default: Observe.
	// +optional
	// +default="Observe"
	Mode ActMode `json:"mode,omitempty"`

	// clusters are the names of the MemberClusters. Absent: all. A cluster has one Headroom, the oldest of those that name
	// it; the others leave it alone.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	Clusters []string `json:"clusters,omitempty"`

	// nodeSelector says which nodes count. Nodes that it names count although they have taints or GPUs. Absent: all nodes
	// that are Ready and have neither.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// tolerateTaints are keys of taints that do not leave a node out; the reserve's pods tolerate them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=317
	TolerateTaints []string `json:"tolerateTaints,omitempty"`

	// lead is how long before a peak that a schedule or a forecast has announced its room is made. Default: 10m.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	Lead *metav1.Duration `json:"lead,omitempty"`

	// peaks limits what announced peaks may cost: whoever may write a ScaleSchedule or a ScaleForecast announces them.
	// +optional
	// +default={"maxPercent":80}
	Peaks HeadroomPeaks `json:"peaks,omitzero"`

	// strategy says how room is kept. Auto: CapacityBuffer where a node autoscaler provisions it, node groups where the
	// member has some, else Placeholder. With CapacityBuffer and NodeGroups no pods hold the room. NodeGroups also adds
	// nodes for pods of FederatedScales with mode: Enforce that wait because no node has room for them. Default: Auto.
	// +optional
	// +default="Auto"
	Strategy HeadroomStrategy `json:"strategy,omitempty"`

	// placeholder is about the pods of the strategy Placeholder.
	// +optional
	// +default={}
	Placeholder PlaceholderSpec `json:"placeholder,omitzero"`

	// cost gives the reserve a price. Absent: none is shown.
	// +optional
	Cost *HeadroomCost `json:"cost,omitempty"`
}

// HeadroomPeaks limits what announced peaks may cost.
type HeadroomPeaks struct {
	// maxPercent is how large announced peaks may make a cluster's reserve: a percentage of what its nodes can allocate,
	// those included that the reserve would need. With 80 a peak of four times what all workloads run, with 20 % on top,
	// is held ahead; with 100 any peak is, and with 0 none. What percent keeps is kept in any case, and what a
	// ResourceQuota of the workload's namespace refuses is not. Where peaks ask for more than that, namespaces have fair
	// shares: one that asks for no more than an equal part gets all of it. Default: 80.
	// +optional
	// +default=80
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxPercent *int32 `json:"maxPercent,omitempty"`
}

// PlaceholderSpec is about placeholder pods.
type PlaceholderSpec struct {
	// image that does nothing, without a shell. Default: registry.k8s.io/pause:3.10.
	// +optional
	// +default="registry.k8s.io/pause:3.10"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image,omitempty"`
	// priorityClassName of the pods: a PriorityClass of the members, of -1 or less and with preemptionPolicy Never. The
	// cluster-autoscaler adds nodes for pods of -10 and more only. Default: plimsoll-headroom (-10), which is among the
	// manifests for members.
	// +optional
	// +default="plimsoll-headroom"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// waitForNodes keeps pods that fit on no node waiting, so that a node autoscaler adds nodes for them. Where nothing adds
	// nodes, false keeps no more pods than fit. Default: true.
	// +optional
	// +default=true
	WaitForNodes *bool `json:"waitForNodes,omitempty"`
}

// HeadroomCost is what an hour of capacity costs, as decimals in any currency.
type HeadroomCost struct {
	// cpuHour is the price of one core for an hour.
	// +optional
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?$`
	CPUHour string `json:"cpuHour,omitempty"`
	// memoryGiBHour is the price of one GiB of memory for an hour.
	// +optional
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[0-9]+(\.[0-9]+)?$`
	MemoryGiBHour string `json:"memoryGiBHour,omitempty"`
	// currency is shown with the price, such as EUR.
	// +optional
	// +kubebuilder:validation:MaxLength=8
	Currency string `json:"currency,omitempty"`
}
