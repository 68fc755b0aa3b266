// SPDX-License-Identifier: Apache-2.0

// Package snapshot reads once what the bounds of many HPAs depend on, so that commands decide for all of them without
// asking the API server again for each.
package snapshot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// pageSize is how many objects are asked for at once.
const pageSize = 500

// Snapshot holds what the bounds of many HPAs depend on, each kind listed once. It is a client.Reader for exactly
// those kinds, with the indexes of package situation, so that 5,000 HPAs cost five lists and not 20,000. What it hands
// out shares memory with it. It is not for several goroutines at once.
type Snapshot struct {
	hpas, schedules, forecasts, pods, namespaces cache.Indexer
}

const byNamespace = "namespace"

// Of makes a snapshot of objects.
func Of(ctx context.Context, objects ...client.Object) (*Snapshot, error) {
	store := func() cache.Indexer {
		return cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{byNamespace: cache.MetaNamespaceIndexFunc})
	}
	s := &Snapshot{hpas: store(), schedules: store(), forecasts: store(), pods: store(), namespaces: store()}
	if err := situation.Indexes(ctx, s); err != nil {
		return nil, err
	}
	return s, s.add(objects...)
}

func (s *Snapshot) add(objects ...client.Object) error {
	for _, object := range objects {
		store := s.storeOf(object)
		if store == nil {
			return fmt.Errorf("%T does not belong into a snapshot", object)
		}
		if err := store.Add(object); err != nil {
			return fmt.Errorf("cannot keep %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

// Take lists a namespace, or with "" the cluster.
func Take(ctx context.Context, c client.Reader, namespace string) (*Snapshot, error) {
	s, err := Of(ctx)
	if err != nil {
		return nil, err
	}
	for _, list := range []client.ObjectList{
		&autoscalingv2.HorizontalPodAutoscalerList{}, &v1alpha1.ScaleScheduleList{}, &v1alpha1.ScaleForecastList{}, &corev1.PodList{},
	} {
		if err := s.fill(ctx, c, list, namespace); err != nil {
			return nil, err
		}
	}
	return s, s.readNamespaces(ctx, c, namespace)
}

// fill lists a kind page by page.
func (s *Snapshot) fill(ctx context.Context, c client.Reader, list client.ObjectList, namespace string) error {
	next := ""
	for {
		if err := c.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(next)); err != nil {
			return err
		}
		if err := s.add(itemsOf(list)...); err != nil {
			return err
		}
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}

// itemsOf copies the items out of a list that is used for the next page. Of pods it keeps what is needed.
func itemsOf(list client.ObjectList) []client.Object {
	var out []client.Object
	switch list := list.(type) {
	case *autoscalingv2.HorizontalPodAutoscalerList:
		out = pointers[autoscalingv2.HorizontalPodAutoscaler](list.Items)
		list.Items = nil
	case *v1alpha1.ScaleScheduleList:
		out = pointers[v1alpha1.ScaleSchedule](list.Items)
		list.Items = nil
	case *v1alpha1.ScaleForecastList:
		out = pointers[v1alpha1.ScaleForecast](list.Items)
		list.Items = nil
	case *corev1.PodList:
		for i := range list.Items {
			list.Items[i].Spec, list.Items[i].ManagedFields, list.Items[i].Annotations = corev1.PodSpec{}, nil, nil
		}
		out = pointers[corev1.Pod](list.Items)
		list.Items = nil
	}
	return out
}

func pointers[T any, P interface {
	*T
	client.Object
}](items []T) []client.Object {
	out := make([]client.Object, len(items))
	for i := range items {
		out[i] = P(&items[i])
	}
	return out
}

// readNamespaces reads whether namespaces are paused. A single one is not listed, which needs fewer rights.
func (s *Snapshot) readNamespaces(ctx context.Context, c client.Reader, namespace string) error {
	kind := schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
	if namespace != "" {
		one := &metav1.PartialObjectMetadata{}
		one.SetGroupVersionKind(kind)
		err := c.Get(ctx, types.NamespacedName{Name: namespace}, one)
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("there is no namespace %s", namespace)
		}
		if err != nil {
			return err
		}
		return s.add(one)
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "NamespaceList"})
	if err := c.List(ctx, list); err != nil {
		return err
	}
	for i := range list.Items {
		if err := s.add(&list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// Keys are all HPAs, in their order.
func (s *Snapshot) Keys() []types.NamespacedName {
	var keys []types.NamespacedName
	for _, item := range s.hpas.List() {
		if object, ok := item.(client.Object); ok {
			keys = append(keys, client.ObjectKeyFromObject(object))
		}
	}
	slices.SortFunc(keys, func(a, b types.NamespacedName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return keys
}

// Put puts an HPA in the place of the one that was read.
func (s *Snapshot) Put(hpa *autoscalingv2.HorizontalPodAutoscaler) error {
	if err := s.hpas.Update(hpa); err != nil {
		return fmt.Errorf("cannot keep HPA %s: %w", hpa.Name, err)
	}
	return nil
}

// Observe observes an HPA of the snapshot, as at a time. NotFound errors pass through.
func (s *Snapshot) Observe(ctx context.Context, key types.NamespacedName, now time.Time) (*situation.Situation, error) {
	return situation.Observer{Reader: s, Indexed: true, Now: func() time.Time { return now }}.Observe(ctx, key)
}
