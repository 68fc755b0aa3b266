// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Document is what `clusters` shows.
type Document struct {
	Clusters  []Cluster  `json:"clusters"`
	Workloads []Workload `json:"workloads"`
}

// Cluster is one member.
type Cluster struct {
	Name    string     `json:"name"`
	State   string     `json:"state"` // Healthy, Suspect, Failed; "" before it was judged
	Since   *time.Time `json:"since,omitempty"`
	Reason  string     `json:"reason"`
	Message string     `json:"message"`
	Meaning string     `json:"meaning"`
	Version string     `json:"version,omitempty"` // of its Kubernetes
	// ClusterID is the UID of its namespace kube-system: two members with the same one are one cluster. Empty: not known.
	ClusterID string   `json:"clusterID,omitempty"`
	Nodes     string   `json:"nodes,omitempty"` // ready/total
	Free      string   `json:"free,omitempty"`  // the reserve included
	Reserve   *Reserve `json:"reserve,omitempty"`
	IfLost    *Loss    `json:"ifLost,omitempty"`
	// Shares of each workload that it has, as namespace/name.
	Replicas int32 `json:"replicas"`
	Ready    int32 `json:"ready"`
}

// Reserve is what a Headroom keeps in a cluster.
type Reserve struct {
	Headroom string           `json:"headroom"`
	Mode     string           `json:"mode"`
	Strategy string           `json:"strategy,omitempty"`
	Reason   string           `json:"reason"`
	Message  string           `json:"message,omitempty"`
	Held     v1alpha1.Amounts `json:"held"`
	Wanted   v1alpha1.Amounts `json:"wanted"`
}

// Loss is what happens if a cluster dies now (N-1).
type Loss struct {
	Verdict   string `json:"verdict"`
	Replicas  int32  `json:"replicas"`
	Fit       int32  `json:"fit"`
	NeedNodes int32  `json:"needNodes"`
	Homeless  int32  `json:"homeless"`
}

// Workload is a FederatedScale.
type Workload struct {
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	Mode      string  `json:"mode"`
	Desired   int32   `json:"desired"`
	Replicas  int32   `json:"replicas"`
	Ready     int32   `json:"ready"`
	Reason    string  `json:"reason"`
	Message   string  `json:"message"`
	Clusters  []Share `json:"clusters"`
}

// Share is what one cluster has of a workload.
type Share struct {
	Cluster      string `json:"cluster"`
	Replicas     int32  `json:"replicas"`
	Ready        int32  `json:"ready"`
	Goal         int32  `json:"goal"`
	ReadyPercent int32  `json:"readyPercent"`
	Message      string `json:"message,omitempty"`
}

// Show tells what the hub knows; no member is asked.
func Show(h *Hub) Document {
	d := Document{Clusters: []Cluster{}, Workloads: []Workload{}}
	for i := range h.Members {
		d.Clusters = append(d.Clusters, h.cluster(&h.Members[i]))
	}
	for i := range h.Scales {
		d.Workloads = append(d.Workloads, workload(&h.Scales[i]))
	}
	return d
}

func (h *Hub) cluster(m *v1alpha1.MemberCluster) Cluster {
	c := Cluster{Name: m.Name, State: string(m.Status.State), Version: m.Status.Version, ClusterID: m.Status.ClusterID, Free: m.Status.Free}
	if m.Status.Since != nil {
		c.Since = &m.Status.Since.Time
	}
	if ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		c.Reason, c.Message, c.Meaning = ready.Reason, ready.Message, v1alpha1.MemberMeaning(ready.Reason)
	}
	if m.Status.Nodes != nil {
		c.Nodes = m.Status.Nodes.Summary
	}
	if r, of := h.reserveOf(m.Name); r != nil {
		c.Reserve = &Reserve{
			Headroom: of.Name, Mode: string(of.Spec.Mode), Strategy: string(r.Strategy), Reason: r.Reason, Message: r.Message, Held: r.Held, Wanted: r.Wanted,
		}
	}
	if l := h.lossOf(m.Name); l != nil {
		c.IfLost = &Loss{Verdict: l.Verdict, Replicas: l.Replicas, Fit: l.Fit, NeedNodes: l.NeedNodes, Homeless: l.Homeless}
	}
	for i := range h.Scales {
		for _, share := range h.Scales[i].Status.Clusters {
			if share.Name == m.Name {
				c.Replicas += share.Replicas
				c.Ready += share.Ready
			}
		}
	}
	return c
}

func workload(s *v1alpha1.FederatedScale) Workload {
	w := Workload{
		Namespace: s.Namespace, Name: s.Name, Mode: string(s.Spec.Mode), Replicas: s.Status.Replicas, Ready: s.Status.ReadyReplicas, Desired: 1, Clusters: []Share{},
	}
	if s.Spec.Replicas != nil {
		w.Desired = *s.Spec.Replicas
	}
	if ready := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		w.Reason, w.Message = ready.Reason, ready.Message
	}
	for _, c := range s.Status.Clusters {
		w.Clusters = append(w.Clusters, Share{Cluster: c.Name, Replicas: c.Replicas, Ready: c.Ready, Goal: c.Goal, ReadyPercent: c.ReadyPercent, Message: c.Message})
	}
	return w
}
