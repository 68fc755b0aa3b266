// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// A write that failed is tried again after soonestRetry, and after twice as long each time, up to latestRetry: a window
// does not wait for longer once the API server takes writes again.
const (
	soonestRetry = 50 * time.Millisecond
	latestRetry  = 30 * time.Second
)

// watch has an HPA looked at when it changes, or what wants something of it. Pods are not watched for it: there are
// many, and no bound depends on a single one.
func (r *reconciler) watch(mgr manager.Manager, concurrency int) error {
	namespace := new(metav1.PartialObjectMetadata)
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return builder.ControllerManagedBy(mgr).
		Named("target").
		For(&autoscalingv2.HorizontalPodAutoscaler{}).
		Watches(&v1alpha1.ScaleSchedule{}, handler.EnqueueRequestsFromMapFunc(r.ofSchedule), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.ScaleForecast{}, handler.EnqueueRequestsFromMapFunc(ofForecast), builder.WithPredicates(predicate.Funcs{UpdateFunc: forecastChanged})).
		Watches(namespace, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), builder.WithPredicates(predicate.Funcs{UpdateFunc: pauseChanged, CreateFunc: paused})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](soonestRetry, latestRetry),
		}).
		Complete(r)
}

// ofSchedule maps a schedule to its HPAs. An update is mapped as it was and as it is, so that those it no longer means
// are looked at too; an HPA whose labels change is looked at anyway.
func (r *reconciler) ofSchedule(ctx context.Context, object client.Object) []reconcile.Request {
	s, ok := object.(*v1alpha1.ScaleSchedule)
	if !ok {
		return nil
	}
	if s.Spec.TargetRef.IsHPA() {
		return []reconcile.Request{requestFor(s.Namespace, s.Spec.TargetRef.Name)}
	}
	hpas, err := situation.Targets(ctx, r.client, s)
	if err != nil {
		klog.FromContext(ctx).Error(err, "The HPAs of a ScaleSchedule are not known", "schedule", key(s))
		return nil
	}
	requests := make([]reconcile.Request, len(hpas))
	for i := range hpas {
		requests[i] = requestFor(hpas[i].Namespace, hpas[i].Name)
	}
	return requests
}

func ofForecast(_ context.Context, object client.Object) []reconcile.Request {
	f, ok := object.(*v1alpha1.ScaleForecast)
	if !ok {
		return nil
	}
	return []reconcile.Request{requestFor(f.Namespace, f.Spec.TargetRef.Name)}
}

// forecastChanged says whether a forecast's contribution may have changed.
func forecastChanged(e event.UpdateEvent) bool {
	old, isOld := e.ObjectOld.(*v1alpha1.ScaleForecast)
	f, isNew := e.ObjectNew.(*v1alpha1.ScaleForecast)
	if !isOld || !isNew {
		return true
	}
	return old.Generation != f.Generation || old.Status.ObservedGeneration != f.Status.ObservedGeneration || old.Status.Target != f.Status.Target ||
		old.Status.Effective != f.Status.Effective || !equal(old.Status.Floor, f.Status.Floor) ||
		old.DeletionTimestamp.IsZero() != f.DeletionTimestamp.IsZero()
}

func equal(a, b *int32) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// ofNamespace maps a namespace to its HPAs.
func (r *reconciler) ofNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := r.client.List(ctx, &list, client.InNamespace(object.GetName()), client.UnsafeDisableDeepCopy); err != nil {
		klog.FromContext(ctx).Error(err, "The HPAs of a namespace are not known", "namespace", object.GetName())
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i] = requestFor(list.Items[i].Namespace, list.Items[i].Name)
	}
	return requests
}

func pauseChanged(e event.UpdateEvent) bool {
	return e.ObjectOld.GetAnnotations()[record.PausedAnnotation] != e.ObjectNew.GetAnnotations()[record.PausedAnnotation]
}

// paused says whether a namespace that has come into sight is paused; its HPAs may have been seen before it.
func paused(e event.CreateEvent) bool {
	return e.Object.GetAnnotations()[record.PausedAnnotation] == "true"
}

func requestFor(namespace, name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
}
