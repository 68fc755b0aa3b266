// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// pageSize is how many objects one answer of the API server has.
const pageSize = 500

// Load adds what a cluster knows. Objects of the files win over those of the same name in the cluster. What may not be
// read is noted in Unread; other errors end it.
func (w *World) Load(ctx context.Context, c client.Reader) error {
	l := loader{World: w, ctx: ctx, client: c}
	if err := l.schedules(); err != nil {
		return err
	}
	if err := load(&l, unreadHPAs, &w.HPAs, func(list *autoscalingv2.HorizontalPodAutoscalerList) []autoscalingv2.HorizontalPodAutoscaler {
		return list.Items
	}); err != nil {
		return fmt.Errorf("list the HPAs: %w", err)
	}
	if err := load(&l, unreadPods, &w.Pods, func(list *corev1.PodList) []corev1.Pod { return list.Items }); err != nil {
		return fmt.Errorf("list the pods: %w", err)
	}
	if err := load(&l, unreadQuotas, &w.Quotas, func(list *corev1.ResourceQuotaList) []corev1.ResourceQuota { return list.Items }); err != nil {
		return fmt.Errorf("list the ResourceQuotas: %w", err)
	}
	if err := load(&l, unreadLimits, &w.Limits, func(list *corev1.LimitRangeList) []corev1.LimitRange { return list.Items }); err != nil {
		return fmt.Errorf("list the LimitRanges: %w", err)
	}
	if err := l.nodes(); err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	l.leads()
	return l.workloads()
}

type loader struct {
	*World
	ctx    context.Context
	client client.Reader
}

// list reads a kind in pages; in all namespaces with "".
func (l *loader) list(into client.ObjectList, namespace string, page func()) error {
	options := client.ListOptions{Namespace: namespace, Limit: pageSize}
	for {
		if err := l.client.List(l.ctx, into, &options); err != nil {
			return err
		}
		page()
		if options.Continue = into.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// object is a pointer to an API type.
type object[T any] interface {
	*T
	metav1.Object
}

// listOf is a pointer to a type that lists objects.
type listOf[L any] interface {
	*L
	client.ObjectList
}

// load adds all objects of a kind that are not in files: of all namespaces, or where that is forbidden of the event's.
// What is missing then is noted as unread: of quotas and limits only what the event's own namespaces refuse.
func load[T any, P object[T], L any, PL listOf[L]](l *loader, kind string, all *[]T, items func(PL) []T) error {
	known := map[string]bool{}
	key := func(o metav1.Object) string { return o.GetNamespace() + "/" + o.GetName() }
	for i := range *all {
		known[key(P(&(*all)[i]))] = true
	}
	in := func(namespace string) error {
		list, found := PL(new(L)), []T(nil)
		if err := l.list(list, namespace, func() { found = append(found, items(list)...) }); err != nil {
			return err
		}
		for i := range found {
			if !known[key(P(&found[i]))] {
				*all = append(*all, found[i])
			}
		}
		return nil
	}
	err := in("")
	if !apierrors.IsForbidden(err) {
		return err
	}
	if kind != unreadQuotas && kind != unreadLimits {
		l.Unread[kind] = err.Error()
	}
	for _, namespace := range l.namespaces() {
		switch err := in(namespace); {
		case apierrors.IsForbidden(err):
			l.Unread[kind] = err.Error()
		case err != nil:
			return err
		}
	}
	return nil
}

// schedules adds those of the cluster that the event does not replace.
func (l *loader) schedules() error {
	event := map[string]bool{}
	for i := range l.Event {
		event[l.Event[i].Namespace+"/"+l.Event[i].Name] = true
	}
	err := load(l, unreadSchedules, &l.Schedules, func(list *v1alpha1.ScaleScheduleList) []v1alpha1.ScaleSchedule { return list.Items })
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil // Plimsoll is not installed, so there are none
	}
	if err != nil {
		return fmt.Errorf("list the ScaleSchedules: %w", err)
	}
	l.Schedules = slices.DeleteFunc(l.Schedules, func(s v1alpha1.ScaleSchedule) bool { return event[s.Namespace+"/"+s.Name] })
	return nil
}

// nodes have no namespace to fall back to.
func (l *loader) nodes() error {
	known := map[string]bool{}
	for i := range l.Nodes {
		known[l.Nodes[i].Name] = true
	}
	var list corev1.NodeList
	err := l.list(&list, "", func() {
		for i := range list.Items {
			if !known[list.Items[i].Name] {
				l.Nodes = append(l.Nodes, list.Items[i])
			}
		}
	})
	if apierrors.IsForbidden(err) {
		l.Unread[unreadNodes] = err.Error()
		return nil
	}
	return err
}

// workloads adds what the HPAs with schedules scale, and the workloads that schedules name themselves. One that cannot be
// had is left out: its checks are unknown.
func (l *loader) workloads() error {
	for i := range l.HPAs {
		if hpa := &l.HPAs[i]; l.scheduled(hpa) {
			ref := hpa.Spec.ScaleTargetRef
			if err := l.fetch(hpa.Namespace, ref.APIVersion, ref.Kind, ref.Name); err != nil {
				return err
			}
		}
	}
	for _, s := range slices.Concat(l.Event, l.Schedules) {
		if ref := s.Spec.TargetRef; ref.IsWorkload() {
			full := ref.WithDefaults()
			if err := l.fetch(s.Namespace, full.APIVersion, full.Kind, full.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) fetch(namespace, version, kind, name string) error {
	if isScale(version, kind) {
		return l.scale(client.ObjectKey{Namespace: namespace, Name: name})
	}
	if l.workload(namespace, kind, name) != nil {
		return nil
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(version, kind))
	err := l.client.Get(l.ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return nil
	case err != nil:
		return fmt.Errorf("read the %s %s/%s: %w", kind, namespace, name, err)
	}
	workload, err := workloadOf(object)
	if err != nil {
		return fmt.Errorf("read the %s %s/%s: %w", kind, namespace, name, err)
	}
	l.Workloads = append(l.Workloads, workload)
	return nil
}

// leads adds what the pods of the event's HPAs have taken from their creation to Ready. Without it ramps are shown later
// than they will begin, which is said.
func (l *loader) leads() {
	for i := range l.HPAs {
		hpa := &l.HPAs[i]
		if !slices.ContainsFunc(l.Event, func(s v1alpha1.ScaleSchedule) bool { return situation.Means(&s, hpa) }) {
			continue
		}
		if s, err := situation.Observe(l.ctx, l.client, client.ObjectKeyFromObject(hpa)); err == nil && s.Pods.Lead > 0 {
			l.Leads[hpa.Namespace+"/"+hpa.Name] = s.Pods.Lead
		}
	}
}

// scheduled says whether any schedule names the HPA.
func (w *World) scheduled(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	means := func(s v1alpha1.ScaleSchedule) bool { return situation.Means(&s, hpa) }
	return slices.ContainsFunc(w.Event, means) || slices.ContainsFunc(w.Schedules, means)
}
