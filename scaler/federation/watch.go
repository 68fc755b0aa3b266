// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// targetIndex is the index of the hub's FederatedScales by their targets: "Deployment/shop".
const targetIndex = "plimsoll.dev/federation.target"

// A look that failed is repeated after retryFirst, then twice as long each time, at most retryMost.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 30 * time.Second
)

// gathered is for how long changes in members are gathered before a FederatedScale is looked at: pods come in crowds.
const gathered = 100 * time.Millisecond

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// lateQueue is the controller's queue once it runs. What is added before waits for that: a FederatedScale that is gone, and
// whose shares still stand in members, is found by nothing else.
type lateQueue struct {
	mu    sync.Mutex
	queue queue
	early map[reconcile.Request]bool
}

func (l *lateQueue) start(_ context.Context, q queue) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = q
	for request := range l.early {
		q.AddAfter(request, gathered)
	}
	l.early = nil
	return nil
}

func (l *lateQueue) add(namespace, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
	if l.queue != nil {
		l.queue.AddAfter(request, gathered)
		return
	}
	if l.early == nil {
		l.early = map[reconcile.Request]bool{}
	}
	l.early[request] = true
}

// watch has a FederatedScale looked at when it or its HPA changes, when a cluster's state does, and when its workload or
// pods change in a member.
func (r *reconciler) watch(mgr manager.Manager, concurrency int) error {
	err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.FederatedScale{}, targetIndex, targets)
	if err != nil {
		return fmt.Errorf("cannot index FederatedScales by their targets: %w", err)
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &autoscalingv2.HorizontalPodAutoscaler{}, hubIndex, scaled); err != nil {
		return fmt.Errorf("cannot index HPAs by the FederatedScales that they scale: %w", err)
	}
	namespace := new(metav1.PartialObjectMetadata)
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return builder.ControllerManagedBy(mgr).
		Named("federation").
		For(&v1alpha1.FederatedScale{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&v1alpha1.FederatedScale{}, handler.EnqueueRequestsFromMapFunc(r.rivals), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.MemberCluster{}, handler.EnqueueRequestsFromMapFunc(r.ofCluster), builder.WithPredicates(predicate.Funcs{UpdateFunc: clusterChanged})).
		Watches(&v1alpha1.MemberCluster{}, handler.EnqueueRequestsFromMapFunc(r.everyone), builder.WithPredicates(predicate.Funcs{UpdateFunc: doubtChanged})).
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, handler.EnqueueRequestsFromMapFunc(ofHubHPA), builder.WithPredicates(predicate.Funcs{UpdateFunc: hpaChanged})).
		Watches(namespace, handler.EnqueueRequestsFromMapFunc(r.ofNamespace), builder.WithPredicates(predicate.Funcs{UpdateFunc: pauseChanged, CreateFunc: paused})).
		WatchesRawSource(source.Func(r.queue.start)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryFirst, retryMost),
		}).
		Complete(r)
}

func targets(object client.Object) []string {
	f, ok := object.(*v1alpha1.FederatedScale)
	if !ok {
		return nil
	}
	rule, err := f.Compile()
	if err != nil {
		return nil
	}
	return []string{indexValue(rule.Target.Kind, rule.Target.Name)}
}

// ofCluster maps a cluster to the FederatedScales that are divided over it.
func (r *reconciler) ofCluster(ctx context.Context, object client.Object) []reconcile.Request {
	return r.all(ctx, "", func(f *v1alpha1.FederatedScale) bool {
		if len(f.Spec.Clusters) == 0 {
			return true
		}
		for i := range f.Spec.Clusters {
			if f.Spec.Clusters[i].Name == object.GetName() {
				return true
			}
		}
		return false
	})
}

func (r *reconciler) all(ctx context.Context, namespace string, which func(*v1alpha1.FederatedScale) bool) []reconcile.Request {
	var list v1alpha1.FederatedScaleList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		klog.FromContext(ctx).Error(err, "The FederatedScales are not known")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if which(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

// clusterChanged: what a division depends on, and not each answer to a probe.
func clusterChanged(e event.UpdateEvent) bool {
	old, isOld := e.ObjectOld.(*v1alpha1.MemberCluster)
	now, isNew := e.ObjectNew.(*v1alpha1.MemberCluster)
	return !isOld || !isNew || old.Generation != now.Generation || old.Status.State != now.Status.State ||
		!old.Status.Since.Equal(now.Status.Since) || answersAgain(old) != answersAgain(now) || old.DeletionTimestamp.IsZero() != now.DeletionTimestamp.IsZero()
}

// answersAgain: a cluster has failed, but nothing is wrong with it any more; that has only not lasted for long enough.
func answersAgain(c *v1alpha1.MemberCluster) bool {
	h := c.Status.Health
	return c.Status.State == v1alpha1.MemberFailed && h != nil && h.Cause == string(health.Settling)
}

// everyone are all FederatedScales: that the hub suspects itself concerns also those whose own clusters are well.
func (r *reconciler) everyone(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.all(ctx, "", func(*v1alpha1.FederatedScale) bool { return true })
}

func doubtChanged(e event.UpdateEvent) bool {
	old, isOld := e.ObjectOld.(*v1alpha1.MemberCluster)
	now, isNew := e.ObjectNew.(*v1alpha1.MemberCluster)
	return isOld && isNew && doubts(old) != doubts(now)
}

// doubts: the hub suspects itself, and says so of this cluster.
func doubts(c *v1alpha1.MemberCluster) bool {
	ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == v1alpha1.MemberHubSuspect
}

func ofHubHPA(_ context.Context, object client.Object) []reconcile.Request {
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok || scales(hpa) == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: hpa.Namespace, Name: scales(hpa)}}}
}

func hpaChanged(e event.UpdateEvent) bool {
	old, isOld := e.ObjectOld.(*autoscalingv2.HorizontalPodAutoscaler)
	now, isNew := e.ObjectNew.(*autoscalingv2.HorizontalPodAutoscaler)
	return !isOld || !isNew || !equality.Semantic.DeepEqual(old.Spec, now.Spec) || unread(old) != unread(now)
}

func (r *reconciler) ofNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	return r.all(ctx, object.GetName(), func(*v1alpha1.FederatedScale) bool { return true })
}

func pauseChanged(e event.UpdateEvent) bool {
	return e.ObjectOld.GetAnnotations()[record.PausedAnnotation] != e.ObjectNew.GetAnnotations()[record.PausedAnnotation]
}

func paused(e event.CreateEvent) bool {
	return e.Object.GetAnnotations()[record.PausedAnnotation] == "true"
}

// watchMember has FederatedScales looked at when something of theirs changes in a member.
func (r *reconciler) watchMember(ctx context.Context, m *members.Member) error {
	for _, index := range []struct {
		object client.Object
		name   string
		values client.IndexerFunc
	}{
		{&corev1.Pod{}, podIndex, podWorkloads},
		{&autoscalingv2.HorizontalPodAutoscaler{}, hpaIndex, hpaWorkload},
		{&autoscalingv2.HorizontalPodAutoscaler{}, floorIndex, held},
	} {
		if err := m.Cache().IndexField(ctx, index.object, index.name, index.values); err != nil {
			return fmt.Errorf("index %T as %s: %w", index.object, index.name, err)
		}
	}
	for _, object := range []client.Object{&appsv1.Deployment{}, &appsv1.StatefulSet{}, &autoscalingv2.HorizontalPodAutoscaler{}, &corev1.Pod{}, &corev1.ResourceQuota{}} {
		informer, err := m.Cache().GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { r.changed(ctx, m, object) },
			DeleteFunc: func(object any) { r.changed(ctx, m, object) },
			UpdateFunc: func(old, object any) {
				if matters(old, object) {
					r.changed(ctx, m, object)
				}
			},
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	return nil
}

// matters says whether a change may change a decision.
func matters(old, object any) bool {
	switch now := object.(type) {
	case *corev1.Pod:
		before, ok := old.(*corev1.Pod)
		return !ok || isReady(before) != isReady(now) || before.Spec.NodeName != now.Spec.NodeName || before.Status.Phase != now.Status.Phase ||
			before.DeletionTimestamp.IsZero() != now.DeletionTimestamp.IsZero()
	case *corev1.ResourceQuota: // what is used changes with every pod
		before, ok := old.(*corev1.ResourceQuota)
		return !ok || !equality.Semantic.DeepEqual(before.Status.Hard, now.Status.Hard)
	case *autoscalingv2.HorizontalPodAutoscaler:
		before, ok := old.(*autoscalingv2.HorizontalPodAutoscaler)
		return !ok || !equality.Semantic.DeepEqual(before.Spec, now.Spec) || !equality.Semantic.DeepEqual(before.Annotations, now.Annotations)
	}
	return true
}

// changed has the FederatedScales looked at that an object of a member concerns.
func (r *reconciler) changed(ctx context.Context, m *members.Member, object any) {
	if tombstone, gone := object.(toolscache.DeletedFinalStateUnknown); gone {
		object = tombstone.Obj
	}
	switch o := object.(type) {
	case *appsv1.Deployment:
		r.add(ctx, m, o.Namespace, indexValue(v1alpha1.DefaultWorkloadKind, o.Name))
	case *appsv1.StatefulSet:
		r.add(ctx, m, o.Namespace, indexValue(kindStatefulSet, o.Name))
	case *corev1.Pod:
		for _, value := range podWorkloads(o) {
			r.add(ctx, m, o.Namespace, value)
		}
	case *autoscalingv2.HorizontalPodAutoscaler:
		r.addTargets(ctx, o.Namespace, indexValue(v1alpha1.DefaultTargetKind, o.Name))
		r.addTargets(ctx, o.Namespace, hpaWorkload(o)[0])
		if name := heldBy(o); name != "" { // it may be gone
			r.holders.add(types.NamespacedName{Namespace: o.Namespace, Name: name})
			r.queue.add(o.Namespace, name)
		}
	case *corev1.ResourceQuota:
		for _, request := range r.all(ctx, o.Namespace, func(*v1alpha1.FederatedScale) bool { return true }) {
			r.queue.add(request.Namespace, request.Name)
		}
	}
}

// add has those looked at that divide a workload, or the bounds of an HPA of the member that scales it.
func (r *reconciler) add(ctx context.Context, m *members.Member, namespace, workload string) {
	r.addTargets(ctx, namespace, workload)
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	err := m.List(ctx, &hpas, client.InNamespace(namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{hpaIndex: workload})
	if err != nil {
		return // the cache is not filled yet, and all are looked at when it is
	}
	for i := range hpas.Items {
		r.addTargets(ctx, namespace, indexValue(v1alpha1.DefaultTargetKind, hpas.Items[i].Name))
	}
}

func (r *reconciler) addTargets(ctx context.Context, namespace, target string) {
	var list v1alpha1.FederatedScaleList
	err := r.client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{targetIndex: target})
	if err != nil {
		klog.FromContext(ctx).V(2).Info("The FederatedScales of a target are not known", "target", target, "err", err)
		return
	}
	for i := range list.Items {
		r.queue.add(namespace, list.Items[i].Name)
	}
}
