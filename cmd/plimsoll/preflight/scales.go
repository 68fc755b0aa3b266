// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/members"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

const kindScale = "FederatedScale"

// isScale says whether a reference is to a workload that is divided over members.
func isScale(version, kind string) bool {
	return kind == kindScale && schema.FromAPIVersionAndKind(version, kind).Group == v1alpha1.GroupName
}

// Member is a member cluster, with what it has.
type Member struct {
	v1alpha1.MemberCluster
	Unknown string // why it is not known what it has; "": it is
	Inside  *Inside
}

// Inside is what a member has.
type Inside struct {
	*World // nodes and pods, and of the divided workloads' namespaces quotas, limits and HPAs
	// Targets is what each FederatedScale divides there, NoTarget why there is nothing; by namespace/name of the
	// FederatedScale.
	Targets  map[string]*members.Target
	NoTarget map[string]error
	// NoLimits are the namespaces whose LimitRanges the hub's account may not list there, and the answer to it.
	NoLimits map[string]string
}

// scaleWorkload stands for what a FederatedScale divides, which has no pods in the hub.
func scaleWorkload(s *v1alpha1.FederatedScale) Workload {
	out := Workload{Kind: kindScale, NamespacedName: types.NamespacedName{Namespace: s.Namespace, Name: s.Name}, Annotations: s.Annotations, Replicas: 1}
	if s.Spec.Replicas != nil {
		out.Replicas = *s.Spec.Replicas
	}
	return out
}

// scaleOf is the FederatedScale that a target is, or scales; nil if it is something else.
func (w *World) scaleOf(ref autoscalingv2.CrossVersionObjectReference, namespace string) *v1alpha1.FederatedScale {
	if ref.Kind != kindScale || ref.APIVersion != "" && !isScale(ref.APIVersion, ref.Kind) {
		return nil
	}
	for i := range w.Scales {
		if one := &w.Scales[i]; one.Namespace == namespace && one.Name == ref.Name {
			return one
		}
	}
	return nil
}

// scale adds a FederatedScale of the hub; one of the files gets its status, and the replicas that it does not state.
func (l *loader) scale(key client.ObjectKey) error {
	stored := v1alpha1.FederatedScale{}
	err := l.client.Get(l.ctx, key, &stored)
	switch {
	case apierrors.IsForbidden(err):
		l.Unread[unreadScales] = err.Error()
		return nil
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil
	case err != nil:
		return fmt.Errorf("read the FederatedScale %s: %w", key, err)
	}
	if err := l.paused(key.Namespace); err != nil {
		return err
	}
	for i := range l.Scales {
		one := &l.Scales[i]
		if one.Namespace != key.Namespace || one.Name != key.Name {
			continue
		}
		one.Status = stored.Status
		if one.Spec.Replicas == nil {
			one.Spec.Replicas = stored.Spec.Replicas
		}
		*l.workload(key.Namespace, kindScale, key.Name) = scaleWorkload(one)
		return nil
	}
	l.Scales = append(l.Scales, stored)
	l.Workloads = append(l.Workloads, scaleWorkload(&stored))
	return nil
}

// paused adds whether a namespace is paused, if the files do not say so.
func (l *loader) paused(namespace string) error {
	if _, known := l.Paused[namespace]; known {
		return nil
	}
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := l.client.Get(l.ctx, client.ObjectKey{Name: namespace}, object)
	switch {
	case apierrors.IsForbidden(err):
		l.Unread[unreadNamespaces] = err.Error()
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("read namespace %s to see whether it is paused: %w", namespace, err)
	case err == nil:
		l.Paused[namespace] = object.Annotations[record.PausedAnnotation] == "true"
	}
	return nil
}

// LoadMembers adds what the member clusters have, if a schedule is for a workload that is divided over them. One that does
// not say what it has is no error: it counts as full.
func (w *World) LoadMembers(ctx context.Context, hub client.Client, o members.Options) error {
	if len(w.Scales) == 0 {
		return nil
	}
	var list v1alpha1.MemberClusterList
	err := hub.List(ctx, &list)
	switch {
	case apierrors.IsForbidden(err):
		w.Unread[unreadMembers] = err.Error()
		return nil
	case meta.IsNoMatchError(err):
		return nil // Plimsoll is not installed, so there are none
	case err != nil:
		return fmt.Errorf("list the MemberClusters: %w", err)
	}
	known, unknown := members.Ask(ctx, hub, list.Items, o, w.look)
	for _, cluster := range list.Items {
		m := Member{MemberCluster: cluster, Inside: known[cluster.Name]}
		if err := unknown[cluster.Name]; err != nil {
			m.Unknown = err.Error()
			if errors.Is(err, members.ErrNoRight) {
				w.Unread[unreadSecrets], m.Unknown = o.Secrets, members.ErrNoRight.Error() // the same for all of them
			}
		}
		w.Members = append(w.Members, m)
	}
	slices.SortFunc(w.Members, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// look reads a member. Members of before there was the right to list LimitRanges refuse it: then a pod that does not run
// yet is taken as its template says, which is not enough if that leaves requests out.
func (w *World) look(ctx context.Context, member client.Reader) (*Inside, error) {
	in := &Inside{World: &World{}, Targets: map[string]*members.Target{}, NoTarget: map[string]error{}, NoLimits: map[string]string{}}
	l := loader{World: in.World, ctx: ctx, client: member}
	var nodes corev1.NodeList
	if err := l.list(&nodes, "", func() { in.Nodes = append(in.Nodes, nodes.Items...) }); err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	var pods corev1.PodList
	if err := l.list(&pods, "", func() { in.Pods = append(in.Pods, pods.Items...) }); err != nil {
		return nil, fmt.Errorf("list the pods: %w", err)
	}
	var namespaces []string
	for i := range w.Scales {
		s := &w.Scales[i]
		namespaces = append(namespaces, s.Namespace)
		rule, err := s.Compile()
		if err != nil {
			continue // Examine says so
		}
		key := s.Namespace + "/" + s.Name
		if in.Targets[key], err = members.Read(ctx, member, s.Namespace, rule); err != nil {
			in.NoTarget[key] = err
		}
	}
	slices.Sort(namespaces)
	for _, namespace := range slices.Compact(namespaces) {
		if err := l.around(namespace); err != nil {
			return nil, err
		}
		var limits corev1.LimitRangeList
		err := l.list(&limits, namespace, func() { in.Limits = append(in.Limits, limits.Items...) })
		switch {
		case apierrors.IsForbidden(err):
			in.NoLimits[namespace] = err.Error()
		case err != nil:
			return nil, fmt.Errorf("list the LimitRanges of namespace %s: %w", namespace, err)
		}
	}
	return in, nil
}

// around reads the quotas of a namespace of a member, and who scales there.
func (l *loader) around(namespace string) error {
	var quotas corev1.ResourceQuotaList
	if err := l.list(&quotas, namespace, func() { l.Quotas = append(l.Quotas, quotas.Items...) }); err != nil {
		return fmt.Errorf("list the ResourceQuotas of namespace %s: %w", namespace, err)
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	if err := l.list(&hpas, namespace, func() { l.HPAs = append(l.HPAs, hpas.Items...) }); err != nil {
		return fmt.Errorf("list the HPAs of namespace %s: %w", namespace, err)
	}
	return nil
}

// member finds a member by name.
func (w *World) member(name string) *Member {
	for i := range w.Members {
		if w.Members[i].Name == name {
			return &w.Members[i]
		}
	}
	return nil
}
