// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"context"
	"fmt"
	"maps"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
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

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// A look that failed is repeated after retryFirst, then twice as long each time, at most retryMost: a status is true
// again soon after a long outage of the API server.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 30 * time.Second
)

// Add adds the controller to a manager, whose cache must have situation.Indexes and keep managedFields of HPAs.
func Add(mgr manager.Manager, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	zones := new(schedule.Zones)
	r := &reconciler{
		client: mgr.GetClient(), options: o, zones: zones, recorder: mgr.GetEventRecorder(record.Manager),
		observer: situation.Observer{Reader: mgr.GetClient(), Indexed: true, Zones: zones, Now: o.Now},
		seen:     map[types.NamespacedName]look{},
	}
	namespace := new(metav1.PartialObjectMetadata)
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := builder.ControllerManagedBy(mgr).
		Named("schedules").
		For(&v1alpha1.ScaleSchedule{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(r.ofHPA), builder.WithPredicates(predicate.Funcs{UpdateFunc: matters})).
		Watches(namespace, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), builder.WithPredicates(predicate.Funcs{
			CreateFunc: func(event.CreateEvent) bool { return false }, UpdateFunc: pauseChanged,
		})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: o.Concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryFirst, retryMost),
		}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the controller of ScaleSchedules: %w", err)
	}
	return nil
}

// matters says whether a change of an HPA may change the status of a schedule. Metric values do not: they change all
// the time.
func matters(e event.UpdateEvent) bool {
	old, isOld := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
	hpa, isNew := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
	if !isOld || !isNew {
		return true
	}
	return old.Status.CurrentReplicas != hpa.Status.CurrentReplicas || old.Status.DesiredReplicas != hpa.Status.DesiredReplicas ||
		!maps.Equal(old.Annotations, hpa.Annotations) || !maps.Equal(old.Labels, hpa.Labels) || !equality.Semantic.DeepEqual(old.Spec, hpa.Spec)
}

func pauseChanged(e event.UpdateEvent) bool {
	return e.ObjectOld.GetAnnotations()[record.PausedAnnotation] != e.ObjectNew.GetAnnotations()[record.PausedAnnotation]
}

// ofHPA maps an HPA to the schedules that mean it, and to those that name the workload which it scales.
func (r *reconciler) ofHPA(ctx context.Context, object client.Object) []reconcile.Request {
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	found, err := r.observer.SchedulesOf(ctx, hpa)
	if err != nil {
		klog.FromContext(ctx).Error(err, "The ScaleSchedules of an HPA are not known", "hpa", client.ObjectKeyFromObject(hpa))
		return nil
	}
	var named v1alpha1.ScaleScheduleList
	value := situation.WorkloadValue(hpa.Spec.ScaleTargetRef.Kind, hpa.Spec.ScaleTargetRef.Name)
	err = r.client.List(ctx, &named, client.InNamespace(hpa.Namespace), client.MatchingFields{situation.ScheduleTargetIndex: value}, client.UnsafeDisableDeepCopy)
	if err != nil {
		klog.FromContext(ctx).Error(err, "The ScaleSchedules of a workload are not known", "workload", value)
	}
	return requests(append(found, named.Items...))
}

func (r *reconciler) ofNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	var list v1alpha1.ScaleScheduleList
	if err := r.client.List(ctx, &list, client.InNamespace(object.GetName()), client.UnsafeDisableDeepCopy); err != nil {
		klog.FromContext(ctx).Error(err, "The ScaleSchedules of a namespace are not known", "namespace", object.GetName())
		return nil
	}
	return requests(list.Items)
}

func requests(schedules []v1alpha1.ScaleSchedule) []reconcile.Request {
	all := make([]reconcile.Request, len(schedules))
	for i := range schedules {
		all[i] = reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&schedules[i])}
	}
	return all
}
