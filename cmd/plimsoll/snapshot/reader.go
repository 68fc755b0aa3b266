// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// IndexField adds an index by namespace and value.
func (s *Snapshot) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
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

func (s *Snapshot) storeOf(object any) cache.Indexer {
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
func (s *Snapshot) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
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
		return apierrors.NewNotFound(resourceOf(into), key.Name)
	}
	return nil
}

// List implements client.Reader.
func (s *Snapshot) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
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

func resourceOf(object client.Object) schema.GroupResource {
	if _, ok := object.(*autoscalingv2.HorizontalPodAutoscaler); ok {
		return autoscalingv2.Resource("horizontalpodautoscalers")
	}
	return corev1.Resource("namespaces")
}

// PodNames are the names of a workload's pods.
func (s *Snapshot) PodNames(namespace, kind, name string) map[string]bool {
	items, err := s.pods.ByIndex(situation.PodWorkloadIndex, namespace+"/"+kind+"/"+name)
	if err != nil {
		return nil // there is no such index: nothing is known
	}
	names := make(map[string]bool, len(items))
	for _, item := range items {
		if pod, ok := item.(*corev1.Pod); ok {
			names[pod.Name] = true
		}
	}
	return names
}
