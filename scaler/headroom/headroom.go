// SPDX-License-Identifier: Apache-2.0

// Package headroom keeps what Headrooms ask for: it observes the member clusters and the workloads that are divided over
// them, asks policy/reserve what is to be kept where, and has it kept by one of three means in each cluster.
//
// Placeholder pods hold room on nodes by being there; a surge preempts them. A CapacityBuffer tells a node autoscaler to
// keep nodes; nothing runs on them. Node groups are grown until the reserve fits and no pod of a divided workload waits for
// a node, where nobody else adds nodes; nothing runs on the reserve's either, because nobody would remove empty nodes there, and a pod that finds a node empty starts sooner than
// one that must preempt first. None of them reserves anything against pods of priority 0 or more: whoever comes first
// takes it.
//
// The number of a cluster's nodes has one writer: the first Headroom that names the cluster, by age, and in it the one
// means of the cluster.
package headroom

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
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
	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Options are the controller's.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Namespace of the Secrets with the credentials of node group servers; "": members.DefaultNamespace.
	Namespace string
	// Registerer gets the metrics; nil: nobody.
	Registerer prometheus.Registerer
	// Concurrency is how many clusters are written to at once; 0: 8.
	Concurrency int
	// Every is the time between two looks when nothing changes; 0: 15s.
	Every time.Duration
}

// Add adds the controller to a manager of the hub, whose scheme must know autoscaling/v2 and plimsoll.dev/v1alpha1, and
// whose cache must have the Secrets of the namespace. It must be called before the fleet has connections.
func Add(mgr manager.Manager, fleet *members.Fleet, o Options) error {
	_, err := add(mgr, fleet, o)
	return err
}

func add(mgr manager.Manager, fleet *members.Fleet, o Options) (*reconciler, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Namespace == "" {
		o.Namespace = members.DefaultNamespace
	}
	if o.Concurrency == 0 {
		o.Concurrency = 8
	}
	if o.Every == 0 {
		o.Every = 15 * time.Second
	}
	timed := newLatency(o.Now)
	r := &reconciler{
		client: mgr.GetClient(), fleet: fleet, events: mgr.GetEventRecorder("plimsoll-scaler"), metrics: newMetrics(timed),
		options: o, zones: new(schedule.Zones), memos: map[string]*memo{}, latency: timed,
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(r.metrics); err != nil {
			return nil, fmt.Errorf("cannot register the metrics of Headrooms: %w", err)
		}
	}
	if err := r.latency.watchHub(context.Background(), mgr.GetCache()); err != nil {
		return nil, err
	}
	fleet.OnConnect(r.latency.watch)
	return r, r.watch(mgr)
}

// reconciler looks at all Headrooms at once: they share clusters, and the workloads that surge.
type reconciler struct {
	client  client.Client
	fleet   *members.Fleet
	events  events.EventRecorder
	metrics *metrics
	options Options
	zones   *schedule.Zones
	latency *latency

	// What follows is the one look's that is under way.
	memos map[string]*memo // by member
	said  time.Time        // when statuses were last written although only amounts had changed
	last  time.Time        // when the last look began
}

// all is the one request there is.
var all = reconcile.Request{NamespacedName: types.NamespacedName{Name: "all"}}

// spacing is the least time between two looks: a surge changes many objects in a moment.
const spacing = time.Second

func (r *reconciler) watch(mgr manager.Manager) error {
	everything := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{all}
	})
	err := builder.ControllerManagedBy(mgr).
		Named("headrooms").
		Watches(&v1alpha1.Headroom{}, everything, builder.WithPredicates(predicate.Or[client.Object](
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))).
		Watches(&v1alpha1.MemberCluster{}, everything, builder.WithPredicates(predicate.Or[client.Object](
			predicate.GenerationChangedPredicate{}, changed(func(c *v1alpha1.MemberCluster) any { return c.Status.State })))).
		Watches(&v1alpha1.FederatedScale{}, everything, builder.WithPredicates(predicate.Or[client.Object](
			predicate.GenerationChangedPredicate{}, changed(replicasOf)))).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the controller of Headrooms: %w", err)
	}
	return nil
}

// changed lets updates through in which a part of the object has another value.
func changed[T client.Object](part func(T) any) predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return true },
		DeleteFunc: func(event.DeleteEvent) bool { return true },
		UpdateFunc: func(e event.UpdateEvent) bool {
			old, isOld := e.ObjectOld.(T)
			is, isNew := e.ObjectNew.(T)
			return isOld && isNew && part(old) != part(is)
		},
	}
}

// replicasOf is what of a FederatedScale's status a reserve depends on.
func replicasOf(f *v1alpha1.FederatedScale) any {
	text := fmt.Sprint(f.Status.Divided)
	for i := range f.Status.Clusters {
		row := &f.Status.Clusters[i]
		text += fmt.Sprint(" ", row.Name, row.Replicas, row.Target, row.Weight)
	}
	return text
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	if early := spacing - time.Since(r.last); early > 0 {
		return reconcile.Result{RequeueAfter: early}, nil
	}
	r.last = time.Now()
	w, err := r.observe(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	for _, s := range w.scenes {
		s.decide(ctx)
	}
	r.act(ctx, w)
	r.offer(w)
	if err := r.report(ctx, w); err != nil {
		return reconcile.Result{}, err
	}
	next := r.options.Every
	for _, s := range w.scenes {
		if slices.ContainsFunc(s.rows, func(one *row) bool { return one.result.waits || one.result.yields }) {
			next = min(next, lookAgain)
		}
	}
	return reconcile.Result{RequeueAfter: next}, nil
}

// paused says whether a Headroom's annotation forbids writing.
func paused(h *v1alpha1.Headroom) bool { return h.Annotations[record.PausedAnnotation] == "true" }
