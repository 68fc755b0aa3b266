// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Explanation says why each cluster has the replicas of a workload that it has.
type Explanation struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Time      time.Time `json:"time"`
	Target    string    `json:"target"` // Deployment shop
	Divide    string    `json:"divide"` // Replicas or Bounds
	Mode      string    `json:"mode"`
	Asked     int64     `json:"asked"`   // spec.replicas
	Divided   int64     `json:"divided"` // in fact
	Ready     int64     `json:"ready"`
	Reason    string    `json:"reason"`
	Message   string    `json:"message"`
	// AskedBy are the hub's HPAs and schedules that set spec.replicas: "HorizontalPodAutoscaler shop, 6 to 300".
	AskedBy  []string         `json:"askedBy,omitempty"`
	Clusters []ExplainedShare `json:"clusters"`
	Notes    []string         `json:"notes,omitempty"`
}

// ExplainedShare is one cluster's.
type ExplainedShare struct {
	Cluster string `json:"cluster"`
	State   string `json:"state"`
	Weight  int64  `json:"weight"` // how many replicas it counts for; 0: not known yet
	// Quota is its exact share by weight alone, in replicas.
	Quota    float64 `json:"quota"`
	Goal     int64   `json:"goal"`
	Replicas int64   `json:"replicas"`
	Ready    int64   `json:"ready"`
	Why      string  `json:"why"` // of the goal
}

// Explain explains a FederatedScale by what the hub says; no member is asked.
func Explain(ctx context.Context, hub client.Reader, key types.NamespacedName, now time.Time) (Explanation, error) {
	f := &v1alpha1.FederatedScale{}
	if err := hub.Get(ctx, key, f); err != nil {
		return Explanation{}, err
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	var schedules v1alpha1.ScaleScheduleList
	for _, list := range []client.ObjectList{&hpas, &schedules} {
		if err := hub.List(ctx, list, client.InNamespace(key.Namespace)); err != nil {
			return Explanation{}, err
		}
	}
	return explain(f, hpas.Items, schedules.Items, now), nil
}

func explain(f *v1alpha1.FederatedScale, hpas []autoscalingv2.HorizontalPodAutoscaler, schedules []v1alpha1.ScaleSchedule, now time.Time) Explanation {
	e := Explanation{
		Namespace: f.Namespace, Name: f.Name, Time: now.UTC(), Divide: cmp.Or(string(f.Spec.Divide), string(v1alpha1.DivideReplicas)), Mode: cmp.Or(string(f.Spec.Mode), string(v1alpha1.ModeObserve)),
		Asked: 1, Divided: int64(f.Status.Divided), Ready: int64(f.Status.ReadyReplicas), AskedBy: askedBy(f, hpas, schedules), Clusters: []ExplainedShare{},
	}
	if f.Spec.Replicas != nil {
		e.Asked = int64(*f.Spec.Replicas)
	}
	if ready := meta.FindStatusCondition(f.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		e.Reason, e.Message = ready.Reason, ready.Message
	}
	rule, err := f.Compile()
	if err != nil {
		e.Message = err.Error()
		return e
	}
	e.Target = rule.Target.Kind + " " + rule.Target.Name
	e.shares(f, rule)
	for _, n := range f.Status.Notes {
		e.Notes = append(e.Notes, n.Reason+": "+n.Message)
	}
	return e
}

// shares explains each cluster's by what the division would be with weights and minimums alone.
func (e *Explanation) shares(f *v1alpha1.FederatedScale, rule v1alpha1.Federation) {
	var free []divide.Cluster
	var weights int64
	for i := range f.Status.Clusters {
		row := &f.Status.Clusters[i]
		weights += row.Weight
		free = append(free, divide.Cluster{Name: row.Name, Weight: row.Weight, Min: least(rule, row.Name)})
	}
	salt := f.Namespace + "/" + f.Name
	byWeight, err := divide.Divide(min(max(e.Divided, 0), divide.MaxReplicas), free, salt)
	if err != nil {
		return // the status cannot name a cluster twice
	}
	for i := range f.Status.Clusters {
		row := &f.Status.Clusters[i]
		one := ExplainedShare{
			Cluster: row.Name, State: string(row.State), Weight: row.Weight, Goal: int64(row.Goal), Replicas: int64(row.Replicas), Ready: int64(row.Ready),
		}
		if weights > 0 {
			one.Quota = float64(e.Divided) * float64(row.Weight) / float64(weights)
		}
		one.Why = why(f, rule, row, byWeight.Seats[row.Name])
		e.Clusters = append(e.Clusters, one)
	}
}

func least(rule v1alpha1.Federation, cluster string) int64 {
	if limit := rule.Clusters[cluster].MinReplicas; limit != nil {
		return int64(*limit)
	}
	return 1
}

// why is what makes a cluster's goal what it is. byWeight is what it would be without any limit.
func why(f *v1alpha1.FederatedScale, rule v1alpha1.Federation, row *v1alpha1.FederatedClusterStatus, byWeight int64) string {
	goal := int64(row.Goal)
	most := rule.Clusters[row.Name].MaxReplicas
	noted := func(reasons ...string) string {
		for _, n := range f.Status.Notes {
			if n.Cluster == row.Name && slices.Contains(reasons, n.Reason) {
				return n.Reason
			}
		}
		return ""
	}
	switch reason := noted(v1alpha1.FederatedOwnedByHPA, v1alpha1.FederatedTargetRefused, v1alpha1.FederatedReverted, v1alpha1.FederatedPaused, v1alpha1.FederatedNoTarget, v1alpha1.FederatedDrained); {
	case reason != "":
		return "left as it is: " + reason
	case row.Away && row.Stage == 0:
		return "it has failed: its share is with the others"
	case row.Away:
		return fmt.Sprintf("it comes back in steps: %d of its share by now", row.Stage)
	case row.State != v1alpha1.MemberHealthy:
		return fmt.Sprintf("it is %s, so it keeps what it has", or(string(row.State), "not judged yet"))
	case row.Cap != nil && goal <= int64(row.Cap.Replicas) && goal < byWeight:
		return fmt.Sprintf("it refused pods or left them waiting: no more than %d until %s", row.Cap.Replicas, row.Cap.Until.UTC().Format("15:04 MST"))
	case most != nil && goal == int64(*most) && goal <= byWeight:
		return fmt.Sprintf("its maxReplicas is %d", *most)
	case goal < byWeight:
		return fmt.Sprintf("by weight it would be %d; a quota, or the maximum of its HPA, allows no more", byWeight)
	case goal > byWeight:
		return fmt.Sprintf("by weight it would be %d; it has what others cannot take", byWeight)
	case goal == least(rule, row.Name):
		return "its weight gives it no more than its minimum"
	}
	return "its weight"
}

// askedBy are those who set spec.replicas.
func askedBy(f *v1alpha1.FederatedScale, hpas []autoscalingv2.HorizontalPodAutoscaler, schedules []v1alpha1.ScaleSchedule) []string {
	var out []string
	const kind = "FederatedScale"
	for i := range hpas {
		h := &hpas[i]
		if ref := h.Spec.ScaleTargetRef; ref.Kind == kind && ref.Name == f.Name {
			low := int32(1)
			if h.Spec.MinReplicas != nil {
				low = *h.Spec.MinReplicas
			}
			out = append(out, fmt.Sprintf("HorizontalPodAutoscaler %s, %d to %d (plimsoll explain hpa/%s -n %s)", h.Name, low, h.Spec.MaxReplicas, h.Name, h.Namespace))
		}
	}
	for i := range schedules {
		if ref := schedules[i].Spec.TargetRef; ref != nil && ref.Kind == kind && ref.Name == f.Name {
			out = append(out, "ScaleSchedule "+schedules[i].Name)
		}
	}
	return out
}
