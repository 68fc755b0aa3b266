// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MetricRule turns a PromQL query into a metric that HorizontalPodAutoscalers of its namespace can use. Its query
// sees series of its own namespace only. Inside its namespace it wins over a ClusterMetricRule for the same metric.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=plimsoll,shortName=mrule
// +kubebuilder:printcolumn:name="Metric",type=string,JSONPath=`.status.metric`,description="The name HPAs use"
// +kubebuilder:printcolumn:name="Objects",type=integer,JSONPath=`.status.objects`,description="Objects with a value"
// +kubebuilder:printcolumn:name="Age-Of-Value",type=date,JSONPath=`.status.sampleTime`,description="Age of the oldest value, by the time it was measured"
// +kubebuilder:printcolumn:name="Readers",type=integer,JSONPath=`.status.readers`,description="HPAs that name the metric"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:validation:XValidation:rule="duration(self.spec.interval) >= duration('5s')",message="spec.interval of a MetricRule must be at least 5s; for a shorter one ask the cluster's administrator for a ClusterMetricRule"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.maxSeries) || self.spec.maxSeries <= 10000",message="spec.maxSeries of a MetricRule must be at most 10000; aggregate more in the query, or ask the cluster's administrator for a ClusterMetricRule"
type MetricRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what is measured.
	// +required
	Spec MetricRuleSpec `json:"spec"`
	// status says whether the rule works, and if not, why not. The adapter writes it.
	// +optional
	Status MetricRuleStatus `json:"status,omitzero"`
}

// MetricRuleList is a list of MetricRule.
//
// +kubebuilder:object:root=true
type MetricRuleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MetricRule `json:"items"`
}

// ClusterMetricRule turns a PromQL query into a metric that HorizontalPodAutoscalers of every namespace can use. Its
// query sees every series of the source; which namespace a value belongs to is said by the series' labels.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=plimsoll,shortName=cmrule
// +kubebuilder:printcolumn:name="Metric",type=string,JSONPath=`.status.metric`,description="The name HPAs use"
// +kubebuilder:printcolumn:name="Objects",type=integer,JSONPath=`.status.objects`,description="Objects with a value"
// +kubebuilder:printcolumn:name="Age-Of-Value",type=date,JSONPath=`.status.sampleTime`,description="Age of the oldest value, by the time it was measured"
// +kubebuilder:printcolumn:name="Readers",type=integer,JSONPath=`.status.readers`,description="HPAs that name the metric"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
type ClusterMetricRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what is measured.
	// +required
	Spec MetricRuleSpec `json:"spec"`
	// status says whether the rule works, and if not, why not. The adapter writes it.
	// +optional
	Status MetricRuleStatus `json:"status,omitzero"`
}

// ClusterMetricRuleList is a list of ClusterMetricRule.
//
// +kubebuilder:object:root=true
type ClusterMetricRuleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterMetricRule `json:"items"`
}

// MetricRuleSpec says what is measured, how often, and for how long a value is true.
//
// +kubebuilder:validation:XValidation:rule="[self.interval, self.maxAge, self.holdFor].all(d, d.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$'))",message="interval, maxAge and holdFor are durations such as 10s, 1m30s or 2h"
// +kubebuilder:validation:XValidation:rule="duration(self.interval) >= duration('1s')",message="interval must be at least 1s: an HPA reads its metrics every 15s by default"
// +kubebuilder:validation:XValidation:rule="duration(self.interval) <= duration('1h')",message="interval must be at most 1h"
// +kubebuilder:validation:XValidation:rule="duration(self.maxAge) >= duration(self.interval) + duration(self.interval)",message="maxAge must be at least twice the interval, or one missed evaluation turns every value into an error; raise maxAge or lower interval"
// +kubebuilder:validation:XValidation:rule="duration(self.maxAge) <= duration('24h')",message="maxAge must be at most 24h"
// +kubebuilder:validation:XValidation:rule="!has(self.members) || !has(self.object)",message="members: Sum makes an external metric: objects of other clusters are unknown here; remove object, and aggregate in the query"
// +kubebuilder:validation:XValidation:rule="duration(self.holdFor) >= duration('0s') && duration(self.holdFor) <= duration('24h')",message="holdFor must be between 0s (never hold a value) and 24h"
type MetricRuleSpec struct {
	// metric is the name that HorizontalPodAutoscalers use. Default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_]([A-Za-z0-9_.:-]*[A-Za-z0-9_:])?$`
	Metric string `json:"metric,omitempty"`

	// query is PromQL that results in an instant vector. One evaluation serves every object: one series for each
	// object, told apart by the labels that `object` names. In a MetricRule every selector of the query also gets
	// `namespace="<the rule's namespace>"`, and series that name another namespace are dropped.
	// Example: sum by (namespace, pod) (online_users)
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Query string `json:"query"`

	// object says which Kubernetes object each series describes (HPA metric types Pods and Object). Without it the
	// rule is an external metric (HPA metric type External), and its series are told apart by metric selectors only.
	// +optional
	Object *MetricObject `json:"object,omitempty"`

	// interval is the time between two evaluations while somebody reads the metric. A rule that nobody reads rests.
	// At least 1s in a ClusterMetricRule and 5s in a MetricRule, at most 1h. Default: 10s.
	// +optional
	// +default="10s"
	Interval metav1.Duration `json:"interval,omitzero"`

	// maxAge is how old a value may be, counted from the time it was measured (not from the evaluation). An older
	// value is answered with an error, on which an HPA does not scale down. At least twice the interval, at most 24h.
	// Default: 60s.
	// +optional
	// +default="60s"
	MaxAge metav1.Duration `json:"maxAge,omitzero"`

	// holdFor is how much longer than maxAge the last good value may stand in while no new one can be had. A held
	// value keeps the time at which it was measured. At most 24h. Default: 0s, which means an error after maxAge.
	// +optional
	// +default="0s"
	HoldFor metav1.Duration `json:"holdFor,omitzero"`

	// members: Sum adds the values of the member clusters' own metric sources (MemberCluster spec.metrics) instead of
	// asking the hub's: a Suspect cluster counts with its last value until maxAge, a Failed one as 0, and while one is
	// missing the value says that it is incomplete. A cluster with spec.metrics.externalMetrics gives the external metric
	// of this rule's metric in place of the query's result. Samples of a ClusterMetricRule also show that a cluster serves
	// whose API server does not answer (MemberCluster spec.probe.demandFor). External metrics only. Absent: the hub's own
	// source.
	// +optional
	Members MemberAggregation `json:"members,omitempty"`

	// guard is PromQL that must hold for the values to count: a comparison that filters (it holds if it has a
	// result), or one with `bool` (it holds if the result is not 0). While it does not hold, the new values are thrown
	// away as if the source had failed. Half the targets down halves a sum without a word; a guard makes that an error.
	// Example: avg(up{job="shop"}) > 0.8. Default: none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Guard string `json:"guard,omitempty"`

	// maxSeries ends an evaluation with an error when the query has more series than this; no part of the answer is
	// used. At most 10000 in a MetricRule and 1000000 in a ClusterMetricRule. Default: 10000 in a MetricRule, 100000
	// in a ClusterMetricRule.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxSeries int32 `json:"maxSeries,omitempty"`
}

// MemberAggregation says how values of several clusters become one.
//
// +kubebuilder:validation:Enum=Sum
type MemberAggregation string

// MembersSum adds them, series by series.
const MembersSum MemberAggregation = "Sum"

// MetricObject says which Kubernetes object a series describes.
type MetricObject struct {
	// resource is the plural name of the objects' resource in lower case, with its group if it has one.
	// Examples: pods, services, namespaces, deployments.apps, ingresses.networking.k8s.io.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`
	Resource string `json:"resource"`

	// namespaceLabel is the series' label that holds the object's namespace. Ignored for cluster-scoped resources. In
	// a MetricRule a series without it belongs to the rule's namespace. Default: namespace.
	// +optional
	// +default="namespace"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_./-]*$`
	NamespaceLabel string `json:"namespaceLabel,omitempty"`

	// nameLabel is the series' label that holds the object's name, for pods usually: pod.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_./-]*$`
	NameLabel string `json:"nameLabel"`
}

// MetricRuleStatus says whether a rule works.
type MetricRuleStatus struct {
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
	// metric is the name that HorizontalPodAutoscalers use: spec.metric, or metadata.name without it.
	// +optional
	Metric string `json:"metric,omitempty"`
	// objects is how many objects have a value; for an external metric, how many series.
	// +optional
	Objects int32 `json:"objects,omitempty"`
	// series is how many series the last evaluation had.
	// +optional
	Series int32 `json:"series,omitempty"`
	// readers is how many HorizontalPodAutoscalers name this metric.
	// +optional
	Readers int32 `json:"readers,omitempty"`
	// sampleTime is when the oldest of the values was measured.
	// +optional
	SampleTime *metav1.Time `json:"sampleTime,omitempty"`
	// lastEvaluationTime is when the query was last sent to the source.
	// +optional
	LastEvaluationTime *metav1.Time `json:"lastEvaluationTime,omitempty"`
	// lastSuccessTime is when the query was last answered with values that could be used.
	// +optional
	LastSuccessTime *metav1.Time `json:"lastSuccessTime,omitempty"`
	// source names the metric source that answered last.
	// +optional
	Source string `json:"source,omitempty"`
}
