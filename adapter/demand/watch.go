// SPDX-License-Identifier: Apache-2.0

package demand

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Watch keeps the set equal to the cluster's HPAs until ctx ends. It returns at once; the function says when the first list is in.
func (s *Set) Watch(ctx context.Context, client kubernetes.Interface, resourceOf ResourceOf) (cache.InformerSynced, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim))
	informer := factory.Autoscaling().V2().HorizontalPodAutoscalers().Informer()
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { s.observe(o, resourceOf) },
		UpdateFunc: func(_, o any) { s.observe(o, resourceOf) },
		DeleteFunc: func(o any) {
			if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(o); err == nil {
				namespace, name, _ := cache.SplitMetaNamespaceKey(key)
				s.Put(types.NamespacedName{Namespace: namespace, Name: name}, nil)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watching HorizontalPodAutoscalers: %w", err)
	}
	factory.StartWithContext(ctx)
	return registration.HasSynced, nil
}

func (s *Set) observe(o any, resourceOf ResourceOf) {
	if hpa, ok := o.(*autoscalingv2.HorizontalPodAutoscaler); ok {
		s.Put(types.NamespacedName{Namespace: hpa.Namespace, Name: hpa.Name}, Refs(hpa, resourceOf))
	}
}

// trim keeps what Refs needs: thousands of HPAs, each with its status and history, would fill memory for nothing.
func trim(o any) (any, error) {
	hpa, ok := o.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return o, nil
	}
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: hpa.Namespace, Name: hpa.Name, UID: hpa.UID, ResourceVersion: hpa.ResourceVersion},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{Metrics: hpa.Spec.Metrics},
	}, nil
}
