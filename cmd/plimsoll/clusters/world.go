// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/members"
	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
)

// World is the hub with what the members have.
type World struct {
	Hub      *Hub
	members  map[string]*inside
	groups   map[string]*newnodes.Groups // of the members whose node groups are known; see AskGroups
	Unknown  map[string]string           // members that could not be asked, and why
	Problems []string                    // what else keeps a number from being exact
}

// inside is a member that answers.
type inside struct {
	snapshot *capacity.Snapshot
	// podOf gives a workload's pod there, as its template makes it.
	podOf func(ctx context.Context, namespace string, rule v1alpha1.Federation) (*corev1.Pod, error)
}

// Ask reads what the members have, with the kubeconfigs that the scaler uses. Members that are not Healthy are not asked.
func Ask(ctx context.Context, hub client.Client, h *Hub, o members.Options) *World {
	w := &World{Hub: h, Unknown: map[string]string{}}
	var unknown map[string]error
	w.members, unknown = members.Ask(ctx, hub, h.Members, o, look)
	for name, err := range unknown {
		w.Unknown[name] = err.Error()
	}
	return w
}

func look(ctx context.Context, member client.Reader) (*inside, error) {
	snapshot, err := capacity.Take(ctx, member)
	if err != nil {
		return nil, err
	}
	podOf := func(ctx context.Context, namespace string, rule v1alpha1.Federation) (*corev1.Pod, error) {
		target, err := members.Read(ctx, member, namespace, rule)
		if err != nil {
			return nil, err
		}
		return target.Pod(), nil
	}
	return &inside{snapshot: snapshot, podOf: podOf}, nil
}

// inPolicysWords are the members and the workloads as policy/reserve takes them. A member that is not known has no nodes.
func (w *World) inPolicysWords(ctx context.Context) ([]reserve.Cluster, []reserve.Workload) {
	var clusters []reserve.Cluster
	for i := range w.Hub.Members {
		m := &w.Hub.Members[i]
		if m.Status.State == v1alpha1.MemberFailed {
			continue
		}
		one := reserve.Cluster{Name: m.Name}
		if known := w.members[m.Name]; known != nil {
			one.Nodes = known.snapshot.Nodes(capacity.Rules{})
			one.New = w.expandable(m.Name)
		}
		clusters = append(clusters, one)
	}
	var workloads []reserve.Workload
	for i := range w.Hub.Scales {
		if one, ok := w.workload(ctx, &w.Hub.Scales[i]); ok {
			workloads = append(workloads, one)
		}
	}
	return clusters, workloads
}

func (w *World) workload(ctx context.Context, s *v1alpha1.FederatedScale) (reserve.Workload, bool) {
	name := s.Namespace + "/" + s.Name
	rule, err := s.Compile()
	if err != nil || len(s.Status.Clusters) == 0 {
		w.Problems = append(w.Problems, name+" is left out: it is not divided yet")
		return reserve.Workload{}, false
	}
	out := reserve.Workload{Name: name, In: map[string]reserve.Presence{}, Stays: rule.Options.Failover == divide.Never}
	for _, status := range s.Status.Clusters {
		out.Replicas += int64(status.Replicas)
		c := divide.Cluster{Name: status.Name, Weight: status.Weight, Min: 1}
		if limits := rule.Clusters[status.Name]; limits.MinReplicas != nil {
			c.Min = int64(*limits.MinReplicas)
		}
		if limits := rule.Clusters[status.Name]; limits.MaxReplicas != nil {
			c.Max = new(int64(*limits.MaxReplicas))
		}
		if status.State == v1alpha1.MemberFailed || status.Away {
			c.Min, c.Max = 0, new(int64(0))
		}
		out.Clusters = append(out.Clusters, c)
		if status.State == v1alpha1.MemberFailed {
			continue
		}
		in := reserve.Presence{Replicas: int64(status.Replicas), New: []int{}}
		in.Shape = fit.Shape{Requests: fit.Resources{}, Nodes: []int{}} // nothing fits where it is not known what is there
		if known := w.members[status.Name]; known != nil {
			pod, err := known.podOf(ctx, s.Namespace, rule)
			if err != nil {
				w.Problems = append(w.Problems, fmt.Sprintf("%s in %s: %s", name, status.Name, err))
			} else {
				in.Shape, in.New = known.snapshot.Shape(pod), w.newNodes(status.Name, pod)
			}
		}
		out.In[status.Name] = in
	}
	return out, true
}
