// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	quotas   []corev1.ResourceQuota // of the workloads' namespaces
	// target reads what a workload is there.
	target func(ctx context.Context, namespace string, rule v1alpha1.Federation) (*members.Target, error)
}

// Ask reads what the members have, with the kubeconfigs that the scaler uses. Members that are not Healthy are not asked.
func Ask(ctx context.Context, hub client.Client, h *Hub, o members.Options) *World {
	w := &World{Hub: h, Unknown: map[string]string{}}
	var unknown map[string]error
	w.members, unknown = members.Ask(ctx, hub, h.Members, o, h.look)
	for name, err := range unknown {
		w.Unknown[name] = err.Error()
	}
	return w
}

func (h *Hub) look(ctx context.Context, member client.Reader) (*inside, error) {
	snapshot, err := capacity.Take(ctx, member)
	if err != nil {
		return nil, err
	}
	one := &inside{snapshot: snapshot}
	for _, namespace := range h.namespaces() {
		var quotas corev1.ResourceQuotaList
		if err := member.List(ctx, &quotas, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list the ResourceQuotas of namespace %s: %w", namespace, err)
		}
		one.quotas = append(one.quotas, quotas.Items...)
	}
	one.target = func(ctx context.Context, namespace string, rule v1alpha1.Federation) (*members.Target, error) {
		return members.Read(ctx, member, namespace, rule)
	}
	return one, nil
}

// namespaces are those of the workloads.
func (h *Hub) namespaces() []string {
	var names []string
	for i := range h.Scales {
		names = append(names, h.Scales[i].Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
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
			one.Quota = capacity.QuotaLeft(known.quotas)
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
	for i := range s.Status.Clusters {
		status := &s.Status.Clusters[i]
		if !status.Moved() {
			out.Replicas += int64(status.Replicas)
		}
		c := w.divided(rule, status)
		if status.State != v1alpha1.MemberFailed {
			target, err := w.target(ctx, s.Namespace, rule, status.Name)
			if err != nil {
				w.Problems = append(w.Problems, fmt.Sprintf("%s in %s: %s", name, status.Name, err))
			}
			if errors.Is(err, members.ErrNotThere) {
				c.Min, c.Max = 0, new(int64(0)) // nothing is divided to it
			}
			if target != nil && target.HPA != nil {
				c.Max = atMost(c.Max, int64(target.HPA.Spec.MaxReplicas))
			}
			out.In[status.Name] = w.presence(status, target)
		}
		out.Clusters = append(out.Clusters, c)
	}
	return out, true
}

// divided is a cluster of a workload as the hub's own objects say that it is divided over: one that is lost or being drained
// gets nothing.
func (w *World) divided(rule v1alpha1.Federation, status *v1alpha1.FederatedClusterStatus) divide.Cluster {
	c := divide.Cluster{Name: status.Name, Weight: status.Weight, Min: 1}
	limits := rule.Clusters[status.Name]
	if limits.MinReplicas != nil {
		c.Min = int64(*limits.MinReplicas)
	}
	if limits.MaxReplicas != nil {
		c.Max = new(int64(*limits.MaxReplicas))
	}
	gone := status.State == v1alpha1.MemberFailed || status.Away
	if m, err := w.Hub.member(status.Name); err == nil {
		gone = gone || m.Spec.Drain
	}
	if gone {
		c.Min, c.Max = 0, new(int64(0))
	}
	return c
}

// atMost is the lower of two limits, of which the first may be nil: none.
func atMost(limit *int64, most int64) *int64 {
	if limit != nil && *limit < most {
		return limit
	}
	return &most
}

// target is what a workload is in a member; nil without an error if the member is not known.
func (w *World) target(ctx context.Context, namespace string, rule v1alpha1.Federation, member string) (*members.Target, error) {
	known := w.members[member]
	if known == nil {
		return nil, nil //nolint:nilnil // it is said of the member already why it is not known
	}
	return known.target(ctx, namespace, rule)
}

// presence is what a workload has in a member. Where it is not known what is there (nil), nothing fits.
func (w *World) presence(status *v1alpha1.FederatedClusterStatus, target *members.Target) reserve.Presence {
	in := reserve.Presence{Replicas: int64(status.Replicas), New: []int{}, Shape: fit.Shape{Requests: fit.Resources{}, Nodes: []int{}}}
	if target != nil {
		known, pod := w.members[status.Name], target.Pod()
		in.Shape, in.New = known.snapshot.Shape(pod), w.newNodes(status.Name, pod)
		in.Quota = capacity.QuotaCosts(inNamespace(known.quotas, pod.Namespace), &pod.Spec)
	}
	return in
}

func inNamespace(quotas []corev1.ResourceQuota, namespace string) []corev1.ResourceQuota {
	return slices.DeleteFunc(slices.Clone(quotas), func(q corev1.ResourceQuota) bool { return q.Namespace != namespace })
}
