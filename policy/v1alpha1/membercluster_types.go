// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MemberCluster is a cluster that workloads may be divided over. The hub watches its health, what its nodes have left,
// and what would happen if it were lost.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=plimsoll,shortName=member
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`,description="Healthy, Suspect (nothing is lowered) or Failed (its replicas may move)"
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.since`,description="How long it has been healthy, or not healthy"
// +kubebuilder:printcolumn:name="Nodes",type=string,JSONPath=`.status.nodes.summary`,description="Ready nodes of all nodes"
// +kubebuilder:printcolumn:name="Free",type=string,JSONPath=`.status.free`,description="What its nodes have left, the reserve included"
// +kubebuilder:printcolumn:name="If-Lost",type=string,JSONPath=`.status.ifLost`,description="What becomes of its replicas if it dies now: Fits, NeedsNodes or DoesNotFit"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Cluster-ID",type=string,JSONPath=`.status.clusterID`,priority=1,description="UID of the cluster's namespace kube-system"
type MemberCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says how the cluster is reached, and what it may be used for.
	// +optional
	Spec MemberClusterSpec `json:"spec,omitzero"`
	// status says how the cluster is. The scaler writes it.
	// +optional
	Status MemberClusterStatus `json:"status,omitzero"`
}

// MemberClusterList is a list of MemberCluster.
//
// +kubebuilder:object:root=true
type MemberClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []MemberCluster `json:"items"`
}

// MemberClusterSpec says how a cluster is reached, and what it may be used for.
//
// +kubebuilder:validation:XValidation:rule="!has(self.weight) || !has(self.drain) || !self.drain",message="weight does not matter while drain is true; remove one of them"
type MemberClusterSpec struct {
	// kubeconfigSecretRef names the Secret with the cluster's kubeconfig, in the namespace of the members' kubeconfigs
	// (plimsoll-members). Exec plugins, file paths and unverified TLS are refused. Absent: the Secret with the name of
	// this object, or that name followed by "-kubeconfig", as Cluster API calls it.
	// +optional
	KubeconfigSecretRef *SecretKeyReference `json:"kubeconfigSecretRef,omitempty"`

	// suspend stops asking and writing this cluster. Its replicas stay where they are, and nothing is lowered in the
	// others on its account. Default: false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// drain moves its replicas to the other clusters, as far as they can hold them. Default: false.
	// +optional
	Drain bool `json:"drain,omitempty"`

	// weight is its share in every division, in a unit that all members with a weight have in common; it wins over what
	// fits into the cluster. Absent: what fits, measured for each workload.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Weight *int32 `json:"weight,omitempty"`

	// probe says how its health is judged. Absent: asked every 10s, failed after 30s.
	// +optional
	// +default={"interval":"10s","timeout":"4s","failedAfter":"30s","healthyAfter":"60s","nodesAfter":"60s","demandFor":"10m"}
	Probe MemberProbe `json:"probe,omitzero"`

	// metrics is where its own metrics are, for rules with `members: Sum`; see also probe.demandFor. Absent: it has none,
	// and such rules count it as 0.
	// +optional
	Metrics *MemberMetrics `json:"metrics,omitempty"`

	// nodeGroups is a server of the cluster-autoscaler's externalgrpc protocol, for clusters in which no node autoscaler
	// runs: its node groups may then be grown, never shrunk. Absent: nodes are not asked for.
	// +optional
	NodeGroups *MemberNodeGroups `json:"nodeGroups,omitempty"`
}

// SecretKeyReference names a Secret and one of its keys.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// key in the Secret. Absent: the first there is of "kubeconfig" (multicluster-runtime), "value" (Cluster API) and
	// "Config" (cluster inventory).
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// MemberProbe says how a cluster's health is judged.
//
// +kubebuilder:validation:XValidation:rule="[self.interval, self.timeout, self.failedAfter, self.healthyAfter, self.nodesAfter, self.demandFor].all(d, d.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$'))",message="interval, timeout, failedAfter, healthyAfter, nodesAfter and demandFor are durations such as 10s or 1m30s"
// +kubebuilder:validation:XValidation:rule="duration(self.interval) >= duration('1s') && duration(self.interval) <= duration('5m')",message="interval must be between 1s and 5m"
// +kubebuilder:validation:XValidation:rule="duration(self.timeout) >= duration('100ms') && duration(self.timeout) <= duration('30s')",message="timeout must be between 100ms and 30s"
// +kubebuilder:validation:XValidation:rule="duration(self.failedAfter) >= duration(self.interval) && duration(self.failedAfter) <= duration('1h')",message="failedAfter must be between the interval and 1h"
// +kubebuilder:validation:XValidation:rule="duration(self.healthyAfter) >= duration('0s') && duration(self.healthyAfter) <= duration('1h')",message="healthyAfter must be between 0s and 1h"
// +kubebuilder:validation:XValidation:rule="duration(self.nodesAfter) >= duration('10s') && duration(self.nodesAfter) <= duration('1h')",message="nodesAfter must be between 10s and 1h"
// +kubebuilder:validation:XValidation:rule="duration(self.demandFor) >= duration('0s') && duration(self.demandFor) <= duration('24h')",message="demandFor must be between 0s and 24h"
type MemberProbe struct {
	// interval between two questions to the API server. Default: 10s.
	// +optional
	// +default="10s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	Interval *metav1.Duration `json:"interval,omitempty"`
	// timeout of one question. Default: 4s.
	// +optional
	// +default="4s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// failureThreshold is how many questions in a row must fail before it is Failed. Default: 3.
	// +optional
	// +default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	FailureThreshold int32 `json:"failureThreshold,omitempty"`
	// failedAfter is for how long they must have failed, besides. Default: 30s.
	// +optional
	// +default="30s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	FailedAfter *metav1.Duration `json:"failedAfter,omitempty"`
	// successThreshold is how many questions in a row must succeed before it is Healthy again. Default: 3.
	// +optional
	// +default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	SuccessThreshold int32 `json:"successThreshold,omitempty"`
	// healthyAfter is for how long they must have succeeded, besides. Default: 60s.
	// +optional
	// +default="60s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	HealthyAfter *metav1.Duration `json:"healthyAfter,omitempty"`
	// minReadyNodesPercent is the share of its nodes that must be Ready: under it the cluster is Failed, though its API
	// server answers. Default: 50.
	// +optional
	// +default=50
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MinReadyNodesPercent *int32 `json:"minReadyNodesPercent,omitempty"`
	// minReadyPodsPercent is the share of the divided workloads' pods that must be Ready there: under it the cluster is
	// Suspect, so that nothing is lowered anywhere. Workloads whose pods are not Ready in any cluster make all of them
	// Suspect, which keeps other workloads from being raised too; so it is for clusters with few workloads. Default: 0,
	// the pods say nothing of the cluster.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MinReadyPodsPercent int32 `json:"minReadyPodsPercent,omitempty"`
	// nodesAfter is for how long the share must have been too low. Default: 60s.
	// +optional
	// +default="60s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	NodesAfter *metav1.Duration `json:"nodesAfter,omitempty"`
	// demandFor is for how long at most it stays Suspect, instead of Failed, while new samples of its own demand come in
	// from spec.metrics: its pods serve then, though its API server does not answer or its nodes are not Ready. What counts
	// is that the samples of a ClusterMetricRule with `members: Sum` that somebody reads advance; those of MetricRules, of
	// values whose age is unknown, and of a source that is another cluster's too do not. Samples must come, and the rule
	// be evaluated, twice within failedAfter. Metrics that go on without the pods, such as those of a Pushgateway, of
	// kube-state-metrics or of a recording rule with a constant, delay a failover by that time. 0s: demand says nothing.
	// Default: 10m.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	DemandFor *metav1.Duration `json:"demandFor,omitempty"`
}

// MemberMetrics is where a cluster's own metrics are.
//
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.externalMetrics)",message="give either url, of its Prometheus, or externalMetrics, of its API server"
// +kubebuilder:validation:XValidation:rule="!has(self.externalMetrics) || has(self.secretRef)",message="externalMetrics needs secretRef: an API server answers nobody whom it does not know"
type MemberMetrics struct {
	// url of its Prometheus-compatible HTTP API.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s]+$`
	URL string `json:"url,omitempty"`
	// externalMetrics, in place of url: its own external metrics, such as those of a Plimsoll in it.
	// +optional
	ExternalMetrics *MemberExternalMetrics `json:"externalMetrics,omitempty"`
	// secretRef names the Secret with its credentials, in the namespace of the members' metric sources
	// (plimsoll-sources). Keys, all optional: token; username and password; ca.crt; tls.crt and tls.key. Absent: none
	// are needed, and the system's certificate authorities are trusted.
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`
}

// MemberExternalMetrics is a cluster's own external metrics API. A MetricRule with `members: Sum` gets the external metric of
// its name in its own namespace there; its query and guard are for members with a Prometheus, so that a rule with a guard
// fails here, and so does a ClusterMetricRule, which has no namespace. maxAge applies to the timestamps of the answer: those of
// Plimsoll's adapter are the times of measuring, while some adapters write the time of the answer, whose age nobody knows.
// That is why these metrics never count as demand for probe.demandFor.
type MemberExternalMetrics struct {
	// server is the address of its API server. The credential needs the verb list for the metric's name in the API group
	// external.metrics.k8s.io, in the rule's namespace, and nothing else.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https://[^\s]+$`
	Server string `json:"server"`
}

// SecretReference names a Secret.
type SecretReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// MemberNodeGroups is a server of node groups.
type MemberNodeGroups struct {
	// address of the server, host:port. Without TLS only on loopback.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\s/:]+:[0-9]{1,5}$|^\[[0-9a-fA-F:]+\]:[0-9]{1,5}$`
	Address string `json:"address"`
	// secretRef names the Secret with ca.crt, tls.crt and tls.key for mutual TLS, in the namespace of the members'
	// kubeconfigs (plimsoll-members).
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`
	// expandablePercent is how much of what nodes could hold that the groups may still add counts in a division: they
	// take minutes and may not come. They count only where they are added when pods wait for them: while a Headroom with
	// mode: Enforce keeps the cluster's reserve by the strategy NodeGroups and is not paused. A group whose machines do
	// not become nodes counts 0, and one that did not grow when it was asked to, for 10 minutes, only what is on its way.
	// While the server does not answer, what it said last counts for 10 minutes. Default: 50.
	// +optional
	// +default=50
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	ExpandablePercent *int32 `json:"expandablePercent,omitempty"`
}
