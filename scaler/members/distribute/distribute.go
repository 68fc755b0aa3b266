// SPDX-License-Identifier: Apache-2.0

// Package distribute applies the hub's MetricRules, ClusterMetricRules, ScaleSchedules and ScaleForecasts with the label
// plimsoll.dev/distribute: "true" to the members, in the same namespace, and removes them there when they lose the label
// or are deleted. A copy has the spec and nothing else of its original: labels and annotations of deployment tools would
// make those of the member take it for theirs. What is there already, and the hub did not make, is left alone and named.
package distribute

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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
	"github.com/plimsoll/plimsoll/scaler/members"
)

const (
	// Label marks in the hub, with the value "true", what is distributed.
	Label = "plimsoll.dev/distribute"
	// ByLabel marks the copies; its value is the hub, by the UID of its namespace kube-system.
	ByLabel = "plimsoll.dev/distributed-by"
	// FieldManager owns the copies' fields.
	FieldManager = "plimsoll-hub"

	statusManager = "plimsoll-distribute" // of status.distributed in the hub
)

const (
	lookEvery = 5 * time.Minute  // at a member where nothing seems to change: somebody may have changed a copy
	tryAgain  = 30 * time.Second // after something could not be applied
	connectIn = 2 * time.Second  // look again for a connection that is being made
	// workers is how many members are looked at at once. They mostly wait for answers, and some for a member that hangs.
	workers = 16
)

// Add adds the controller to a manager, whose cache must have the four kinds, MemberClusters and the metadata of
// namespaces.
func Add(mgr manager.Manager, fleet *members.Fleet) error {
	r := &reconciler{client: mgr.GetClient(), fleet: fleet}
	build := builder.ControllerManagedBy(mgr).
		Named("distribute").
		For(&v1alpha1.MemberCluster{}, builder.WithPredicates(predicate.Funcs{UpdateFunc: memberChanged})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	for _, k := range kinds() {
		build = build.Watches(k.object(), handler.EnqueueRequestsFromMapFunc(r.toMembers), builder.WithPredicates(predicate.Funcs{UpdateFunc: originalChanged}))
	}
	if err := build.Complete(r); err != nil {
		return fmt.Errorf("set up the distribution to members: %w", err)
	}
	return nil
}

// memberChanged says whether it may now be another question what a member has.
func memberChanged(e event.UpdateEvent) bool {
	old, isOld := e.ObjectOld.(*v1alpha1.MemberCluster)
	m, isNew := e.ObjectNew.(*v1alpha1.MemberCluster)
	return !isOld || !isNew || old.Generation != m.Generation || old.Status.State != m.Status.State
}

// originalChanged says whether an object is, or was, distributed, and what of it has changed.
func originalChanged(e event.UpdateEvent) bool {
	was, is := e.ObjectOld.GetLabels()[Label] == "true", e.ObjectNew.GetLabels()[Label] == "true"
	return was != is || is && e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration()
}

// toMembers maps an object that is distributed, or was, to all members.
func (r *reconciler) toMembers(ctx context.Context, object client.Object) []reconcile.Request {
	if _, labelled := object.GetLabels()[Label]; !labelled {
		return nil // an update is mapped as it was, too
	}
	var list v1alpha1.MemberClusterList
	if err := r.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		klog.FromContext(ctx).Error(err, "The members that something is distributed to are not known", "object", client.ObjectKeyFromObject(object))
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i] = reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}}
	}
	return requests
}

// reconciler brings one member to what the hub has.
type reconciler struct {
	client client.Client
	fleet  *members.Fleet

	mu  sync.Mutex
	hub string // see ByLabel
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	cluster := &v1alpha1.MemberCluster{}
	if err := r.client.Get(ctx, request.NamespacedName, cluster); err != nil {
		if apierrors.IsNotFound(err) {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("cannot read MemberCluster %s: %w", request.Name, err)
	}
	if !cluster.DeletionTimestamp.IsZero() || cluster.Spec.Suspend || cluster.Status.State != v1alpha1.MemberHealthy {
		return reconcile.Result{}, nil // its state will change
	}
	m := r.fleet.Member(request.Name)
	if m == nil {
		return reconcile.Result{RequeueAfter: connectIn}, nil
	}
	hub, err := r.hubName(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	wanted, err := r.originals(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	done := newRound(m, hub, wanted)
	unreached := done.run(ctx)
	if unreached != nil {
		klog.FromContext(ctx).V(1).Info("A member does not take what is distributed", "member", m.Name(), "err", unreached)
	}
	if err := r.writeStatus(ctx, cluster, done.status(unreached)); err != nil {
		return reconcile.Result{}, err
	}
	if unreached != nil || len(done.failed) > 0 {
		return reconcile.Result{RequeueAfter: tryAgain}, nil //nolint:nilerr // the status says it
	}
	return reconcile.Result{RequeueAfter: lookEvery}, nil
}

// hubName is the value of ByLabel.
func (r *reconciler) hubName(ctx context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hub != "" {
		return r.hub, nil
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.client.Get(ctx, types.NamespacedName{Name: metav1.NamespaceSystem}, namespace); err != nil {
		return "", fmt.Errorf("cannot read namespace %s, whose UID names the hub in its members: %w", metav1.NamespaceSystem, err)
	}
	if namespace.UID == "" {
		return "", errors.New("namespace " + metav1.NamespaceSystem + " has no UID, which names the hub in its members")
	}
	r.hub = string(namespace.UID)
	return r.hub, nil
}
