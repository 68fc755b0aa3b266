// SPDX-License-Identifier: Apache-2.0

package hpadiff

import (
	"context"
	"errors"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	v1core "k8s.io/client-go/kubernetes/typed/core/v1"
	autoscalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// world is everything the real controller talks to: one HPA in each namespace, its pods, metrics and scale. It holds
// plain values in memory, because 100,000 syncs through a fake clientset would take minutes. The embedded interfaces
// are nil: a call that this test does not expect panics.
type world struct {
	byNamespace map[string]*rig
	handler     cache.ResourceEventHandler
}

var errInjected = errors.New("injected")

// What the controller scales.

type scales struct {
	scale.ScaleInterface
	rig *rig
}

func (w *world) Scales(namespace string) scale.ScaleInterface {
	return scales{rig: w.byNamespace[namespace]}
}

func (s scales) Get(context.Context, schema.GroupResource, string, metav1.GetOptions) (*autoscalingv1.Scale, error) {
	if s.rig.scaleFails {
		return nil, errInjected
	}
	s.rig.syncedAt = time.Now()
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: hpaName, Namespace: s.rig.namespace},
		Spec:       autoscalingv1.ScaleSpec{Replicas: s.rig.replicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: s.rig.statusReplicas, Selector: "app=shop"},
	}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, sc *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	s.rig.replicas = sc.Spec.Replicas
	return sc, nil
}

func (s scales) Patch(context.Context, schema.GroupVersionResource, string, types.PatchType, []byte, metav1.PatchOptions) (*autoscalingv1.Scale, error) {
	return nil, errors.New("the controller is not known to patch a scale")
}

// mapper knows Deployments only.
type mapper struct{ meta.RESTMapper }

func (mapper) RESTMappings(gk schema.GroupKind, _ ...string) ([]*meta.RESTMapping, error) {
	return []*meta.RESTMapping{{
		Resource:         schema.GroupVersionResource{Group: gk.Group, Version: "v1", Resource: "deployments"},
		GroupVersionKind: gk.WithVersion("v1"),
	}}, nil
}

// HPAs.

type hpaClient struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	rig *rig
}

func (w *world) HorizontalPodAutoscalers(namespace string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return hpaClient{rig: w.byNamespace[namespace]}
}

func (c hpaClient) UpdateStatus(_ context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	stored := *c.rig.object
	stored.Status = hpa.Status
	c.rig.object = &stored
	return hpa, nil
}

type hpaLister struct {
	autoscalinglisters.HorizontalPodAutoscalerLister
	world *world
}

func (l hpaLister) HorizontalPodAutoscalers(namespace string) autoscalinglisters.HorizontalPodAutoscalerNamespaceLister {
	return hpaNamespaceLister{rig: l.world.byNamespace[namespace]}
}

type hpaNamespaceLister struct {
	autoscalinglisters.HorizontalPodAutoscalerNamespaceLister
	rig *rig
}

func (l hpaNamespaceLister) Get(string) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	return l.rig.object, nil
}

// Pods.

type podLister struct {
	corelisters.PodLister
	world *world
}

func (l podLister) Pods(namespace string) corelisters.PodNamespaceLister {
	return podNamespaceLister{rig: l.world.byNamespace[namespace]}
}

type podNamespaceLister struct {
	corelisters.PodNamespaceLister
	rig *rig
}

func (l podNamespaceLister) List(labels.Selector) ([]*v1.Pod, error) { return l.rig.pods, nil }

// Informers that have synced and never say anything, except for the HPAs that start hands to the handler.

type informer struct {
	cache.SharedIndexInformer
	world *world
}

func (i informer) AddEventHandlerWithResyncPeriod(h cache.ResourceEventHandler, _ time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	i.world.handler = h
	return nil, nil
}

func (informer) HasSynced() bool { return true }

type hpaInformer struct{ world *world }

func (i hpaInformer) Informer() cache.SharedIndexInformer { return informer{world: i.world} }
func (i hpaInformer) Lister() autoscalinglisters.HorizontalPodAutoscalerLister {
	return hpaLister{world: i.world}
}

type podInformer struct{ world *world }

func (i podInformer) Informer() cache.SharedIndexInformer { return informer{world: i.world} }
func (i podInformer) Lister() corelisters.PodLister       { return podLister{world: i.world} }

// Metrics.

func (w *world) podMetrics(namespace, key string) (metricsclient.PodMetricsInfo, time.Time, error) {
	r, err := w.byNamespace[namespace].reading(key)
	if err != nil {
		return nil, time.Time{}, err
	}
	info := make(metricsclient.PodMetricsInfo, len(r.Pods))
	for _, p := range r.Pods {
		info[p.Pod] = metricsclient.PodMetric{Timestamp: p.Time, Window: p.Window, Value: p.Value}
	}
	return info, time.Time{}, nil
}

func (w *world) GetResourceMetric(_ context.Context, resource v1.ResourceName, namespace string, _ labels.Selector, container string) (metricsclient.PodMetricsInfo, time.Time, error) {
	return w.podMetrics(namespace, resourceKey(string(resource), container))
}

func (w *world) GetRawMetric(name, namespace string, _, _ labels.Selector) (metricsclient.PodMetricsInfo, time.Time, error) {
	return w.podMetrics(namespace, name)
}

func (w *world) GetObjectMetric(name, namespace string, _ *autoscalingv2.CrossVersionObjectReference, _ labels.Selector) (int64, time.Time, error) {
	r, err := w.byNamespace[namespace].reading(name)
	return r.Value, time.Time{}, err
}

func (w *world) GetExternalMetric(name, namespace string, _ labels.Selector) ([]int64, time.Time, error) {
	r, err := w.byNamespace[namespace].reading(name)
	return r.Values, time.Time{}, err
}

// Events go nowhere.

type events struct{ v1core.EventInterface }

type eventsGetter struct{}

func (eventsGetter) Events(string) v1core.EventInterface { return events{} }

func (events) CreateWithEventNamespaceWithContext(_ context.Context, e *v1.Event) (*v1.Event, error) {
	return e, nil
}

func (events) UpdateWithEventNamespaceWithContext(_ context.Context, e *v1.Event) (*v1.Event, error) {
	return e, nil
}

func (events) PatchWithEventNamespaceWithContext(_ context.Context, e *v1.Event, _ []byte) (*v1.Event, error) {
	return e, nil
}

func (events) CreateWithEventNamespace(e *v1.Event) (*v1.Event, error) { return e, nil }
func (events) UpdateWithEventNamespace(e *v1.Event) (*v1.Event, error) { return e, nil }
func (events) PatchWithEventNamespace(e *v1.Event, _ []byte) (*v1.Event, error) {
	return e, nil
}
