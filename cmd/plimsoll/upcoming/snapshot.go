// SPDX-License-Identifier: Apache-2.0

package upcoming

import (
	"context"
	"fmt"

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

// snapshot holds what the bounds of many HPAs depend on, each kind listed once. It is a client.Reader for exactly
// those kinds, with the indexes of package situation, so that 5,000 HPAs cost five lists and not 20,000. What it hands
// out shares memory with it.
type snapshot struct {
	hpas, schedules, forecasts, pods, namespaces cache.Indexer
}

const byNamespace = "namespace"

// takeSnapshot lists a namespace, or with "" the cluster.
func takeSnapshot(ctx context.Context, c client.Reader, namespace string) (*snapshot, error) {
	store := func() cache.Indexer {
		return cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{byNamespace: cache.MetaNamespaceIndexFunc})
	}
	s := &snapshot{hpas: store(), schedules: store(), forecasts: store(), pods: store(), namespaces: store()}
	if err := situation.Indexes(ctx, s); err != nil {
		return nil, err
	}
	for _, kind := range []struct {
		list  client.ObjectList
		store cache.Indexer
	}{
		{&autoscalingv2.HorizontalPodAutoscalerList{}, s.hpas},
		{&v1alpha1.ScaleScheduleList{}, s.schedules},
		{&v1alpha1.ScaleForecastList{}, s.forecasts},
		{&corev1.PodList{}, s.pods},
	} {
		if err := fill(ctx, c, kind.list, kind.store, namespace); err != nil {
			return nil, err
		}
	}
	return s, s.readNamespaces(ctx, c, namespace)
}

// fill lists a kind page by page.
func fill(ctx context.Context, c client.Reader, list client.ObjectList, store cache.Indexer, namespace string) error {
	next := ""
	for {
		if err := c.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(next)); err != nil {
			return err
		}
		for _, object := range itemsOf(list) {
			if err := store.Add(object); err != nil {
				return fmt.Errorf("cannot keep %T %s: %w", object, object.GetName(), err)
			}
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
func (s *snapshot) readNamespaces(ctx context.Context, c client.Reader, namespace string) error {
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
		return s.namespaces.Add(one)
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "NamespaceList"})
	if err := c.List(ctx, list); err != nil {
		return err
	}
	for i := range list.Items {
		if err := s.namespaces.Add(&list.Items[i]); err != nil {
			return fmt.Errorf("cannot keep namespace %s: %w", list.Items[i].Name, err)
		}
	}
	return nil
}

// IndexField adds an index by namespace and value.
func (s *snapshot) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	store := s.storeOf(object)
	if store == nil {
		return fmt.Errorf("no index for %T", object)
	}
	return store.AddIndexers(cache.Indexers{field: func(item any) ([]string, error) {
		o, ok := item.(client.Object)
		if !ok {
			return nil, fmt.Errorf("%T is not an object", item)
		}
		var keys []string
		for _, value := range values(o) {
			keys = append(keys, o.GetNamespace()+"/"+value)
		}
		return keys, nil
	}})
}

func (s *snapshot) storeOf(object any) cache.Indexer {
	switch object.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler, *autoscalingv2.HorizontalPodAutoscalerList:
		return s.hpas
	case *v1alpha1.ScaleSchedule, *v1alpha1.ScaleScheduleList:
		return s.schedules
	case *v1alpha1.ScaleForecast, *v1alpha1.ScaleForecastList:
		return s.forecasts
	case *corev1.Pod, *corev1.PodList:
		return s.pods
	case *metav1.PartialObjectMetadata:
		return s.namespaces
	}
	return nil
}

// Get implements client.Reader.
func (s *snapshot) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	store := s.storeOf(into)
	if store == nil {
		return fmt.Errorf("%T is not in the snapshot", into)
	}
	name := key.Name
	if key.Namespace != "" {
		name = key.String()
	}
	item, found, err := store.GetByKey(name)
	if err != nil {
		return fmt.Errorf("cannot find %T %s: %w", into, key, err)
	}
	switch item := item.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		*into.(*autoscalingv2.HorizontalPodAutoscaler) = *item
	case *metav1.PartialObjectMetadata:
		*into.(*metav1.PartialObjectMetadata) = *item
	default:
		found = false
	}
	if !found {
		return apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", into)}, key.Name)
	}
	return nil
}

// List implements client.Reader.
func (s *snapshot) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	store := s.storeOf(into)
	if store == nil {
		return fmt.Errorf("%T is not in the snapshot", into)
	}
	o := (&client.ListOptions{}).ApplyOptions(options)
	index, value := byNamespace, o.Namespace
	if o.FieldSelector != nil {
		wanted := o.FieldSelector.Requirements()[0]
		index, value = wanted.Field, o.Namespace+"/"+wanted.Value
	}
	items, err := store.ByIndex(index, value)
	if err != nil {
		return fmt.Errorf("cannot list %T: %w", into, err)
	}
	for _, item := range items {
		switch item := item.(type) {
		case *v1alpha1.ScaleSchedule:
			list := into.(*v1alpha1.ScaleScheduleList)
			list.Items = append(list.Items, *item)
		case *v1alpha1.ScaleForecast:
			list := into.(*v1alpha1.ScaleForecastList)
			list.Items = append(list.Items, *item)
		case *corev1.Pod:
			list := into.(*corev1.PodList)
			list.Items = append(list.Items, *item)
		default:
			return fmt.Errorf("%T cannot be listed", item)
		}
	}
	return nil
}
