// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/members"
)

// workload is one that is divided over clusters.
type workload struct {
	name     string // namespace/name of its FederatedScale
	scale    *v1alpha1.FederatedScale
	rule     v1alpha1.Federation
	acts     bool                 // its replicas are written to the members
	replicas int64                // in all
	in       map[string]*presence // by cluster
	peaks    []reserve.Peak
	unknown  string // why its pods are not known; "": they are
}

// presence is what a workload has in one cluster.
type presence struct {
	kind, name string // of the workload there; "": not seen
	replicas   int64
	pod        *corev1.Pod // as its template makes them; nil: not seen
	missing    bool        // it is not there
	moved      bool        // its cluster is silent, and others have its replicas
	// costs is what one pod takes of what the ResourceQuotas of its namespace have left there.
	costs, left fit.Resources
}

// workloads are those that may surge, whether their FederatedScale acts or only observes. What one asks for that writes
// nothing means nothing: it counts with what is there, and announces no peaks.
func (r *reconciler) workloads(ctx context.Context, w *world) error {
	var scales v1alpha1.FederatedScaleList
	if err := r.list(ctx, &scales, "FederatedScales"); err != nil {
		return err
	}
	announced, err := r.announcements(ctx)
	if err != nil {
		return err
	}
	quiet, err := r.pausedNamespaces(ctx)
	if err != nil {
		return err
	}
	var all []*workload
	for i := range scales.Items {
		f := &scales.Items[i]
		rule, err := f.Compile()
		if err != nil || !f.DeletionTimestamp.IsZero() || len(f.Status.Clusters) == 0 {
			continue // its own controller says what is wrong, or has yet to look
		}
		one := &workload{name: f.Namespace + "/" + f.Name, scale: f, rule: rule, acts: acts(f, rule, quiet), in: map[string]*presence{}}
		one.look(ctx, w)
		all = append(all, one)
	}
	w.workloads = single(all)
	for _, one := range w.workloads {
		if one.acts {
			one.peaks = r.peaks(ctx, announced, one, w.now)
		}
	}
	r.latency.follow(w.workloads)
	return nil
}

// look finds the workload in every cluster that is known.
func (one *workload) look(ctx context.Context, w *world) {
	for i := range one.scale.Status.Clusters {
		status := &one.scale.Status.Clusters[i]
		p := &presence{replicas: int64(status.Replicas)}
		one.in[status.Name] = p
		sight := w.members[status.Name]
		if sight != nil {
			one.find(ctx, sight.member, p)
		}
		p.moved = sight == nil && status.Away
	}
	one.replicas = one.size()
}

// find reads the workload's replicas and template from a member's caches. They are not copied, as there may be thousands of
// them, and must not be changed.
func (one *workload) find(ctx context.Context, m *members.Member, p *presence) {
	target := one.rule.Target
	kind, key := schema.FromAPIVersionAndKind(target.APIVersion, target.Kind), types.NamespacedName{Namespace: one.scale.Namespace, Name: target.Name}
	if one.rule.Bounds {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		if err := m.Get(ctx, key, hpa); err != nil {
			p.missing = apierrors.IsNotFound(err)
			return
		}
		ref := hpa.Spec.ScaleTargetRef
		kind, key.Name = schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind), ref.Name
	}
	var template *corev1.PodTemplateSpec
	var replicas *int32
	var err error
	switch {
	case kind.Group == appsv1.GroupName && kind.Kind == "Deployment":
		d := &appsv1.Deployment{}
		err = m.Get(ctx, key, d, client.UnsafeDisableDeepCopy)
		template, replicas = &d.Spec.Template, d.Spec.Replicas
	case kind.Group == appsv1.GroupName && kind.Kind == "StatefulSet":
		s := &appsv1.StatefulSet{}
		err = m.Get(ctx, key, s, client.UnsafeDisableDeepCopy)
		template, replicas = &s.Spec.Template, s.Spec.Replicas
	default:
		one.unknown = fmt.Sprintf("no room is kept for FederatedScale %s: the pods of a %s are not known; Deployments and StatefulSets are", one.name, kind.Kind)
		return
	}
	if err != nil {
		p.missing = apierrors.IsNotFound(err)
		return
	}
	p.kind, p.name, p.replicas = kind.Kind, key.Name, 1
	if replicas != nil {
		p.replicas = int64(*replicas)
	}
	p.pod = &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: template.Spec}
	p.pod.Namespace = one.scale.Namespace
	var quotas corev1.ResourceQuotaList
	if err := m.List(ctx, &quotas, client.InNamespace(p.pod.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		logger(ctx, m.Name()).V(2).Info("The quotas of a workload are not known", "workload", one.name, "err", err)
	}
	p.costs, p.left = capacity.QuotaCosts(quotas.Items, &p.pod.Spec), capacity.QuotaLeft(quotas.Items)
}

// surging are the workloads in policy's words, as far as they concern the Headroom's clusters.
func (s *scene) surging() []reserve.Workload {
	var out []reserve.Workload
	for _, one := range s.workloads {
		if one.unknown != "" {
			continue
		}
		w := reserve.Workload{
			Name: one.name, Namespace: one.scale.Namespace, Replicas: one.replicas, Peaks: one.peaks, In: map[string]reserve.Presence{},
			Stays: one.rule.Options.Failover == divide.Never,
		}
		for i := range one.scale.Status.Clusters {
			w.Clusters = append(w.Clusters, s.divided(one, &one.scale.Status.Clusters[i]))
		}
		for _, c := range s.rows {
			if p := one.in[c.cluster.Name]; p != nil && !p.missing && c.cluster.Status.State != v1alpha1.MemberFailed {
				w.In[c.cluster.Name] = c.presence(one, p)
			}
		}
		out = append(out, w)
	}
	return out
}

// divided is a cluster of a workload as it is in the workload's division.
func (s *scene) divided(one *workload, status *v1alpha1.FederatedClusterStatus) divide.Cluster {
	c := divide.Cluster{Name: status.Name, Weight: status.Weight, Min: 1}
	limits := one.rule.Clusters[status.Name]
	if limits.MinReplicas != nil {
		c.Min = int64(*limits.MinReplicas)
	}
	if limits.MaxReplicas != nil {
		c.Max = new(int64(*limits.MaxReplicas))
	}
	gone := status.State == v1alpha1.MemberFailed || status.Away || one.in[status.Name].missing
	for _, member := range s.world.clusters {
		gone = gone || member.Name == status.Name && member.Spec.Drain
	}
	if gone {
		c.Min, c.Max = 0, new(int64(0))
	}
	return c
}

// presence is the workload in a cluster in policy's words. Where it is not known what is there, nothing fits.
func (c *row) presence(one *workload, p *presence) reserve.Presence {
	if c.sight == nil || p.pod == nil {
		return reserve.Presence{Replicas: p.replicas, Shape: fit.Shape{Requests: fit.Resources{}, Nodes: []int{}}, New: []int{}}
	}
	out := reserve.Presence{Replicas: p.replicas, Shape: c.sight.snapshot.Shape(p.pod), Quota: p.costs}
	out.Shape.Nodes = slices.DeleteFunc(out.Shape.Nodes, func(i int) bool { return !c.nodes[i].Left().Holds(out.Shape.Requests) })
	if c.shapes == nil {
		c.shapes = map[string]*podRules{}
	}
	c.shapes[one.name] = rulesOf(p.pod)
	if g := c.sight.groups; g != nil {
		out.New = g.on(p.pod)
	}
	return out
}

// rulesOf are a pod's rules of placement and what it is known by.
func rulesOf(pod *corev1.Pod) *podRules {
	r := &podRules{pod: pod}
	if capacity.OnePerNode(pod) != nil {
		r.alone = pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return r
}
