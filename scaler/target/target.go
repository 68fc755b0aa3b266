// SPDX-License-Identifier: Apache-2.0

// Package target writes the bounds of HorizontalPodAutoscalers: it observes one HPA, asks policy, writes the bounds and
// their record, and gives the fields back to whoever had them when nothing is held any more. The record in the HPA's
// annotations is all its memory.
package target

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/scaler/situation"
)

// Options are the controller's.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Registerer gets the metrics; nil: nobody.
	Registerer prometheus.Registerer
	// Wrote is told how the last write of an HPA ended: nil, or the API server's error; nil too when it is left alone or
	// gone. May be nil.
	Wrote func(hpa types.NamespacedName, err error)
	// Concurrency is how many HPAs are looked at at once; 0: 4.
	Concurrency int
}

// Add adds the controller to a manager, whose cache must have situation.Indexes and whose scheme must know
// autoscaling/v2 and plimsoll.dev/v1alpha1. The cache must keep metadata.managedFields of HPAs.
func Add(mgr manager.Manager, options Options) error {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Concurrency == 0 {
		options.Concurrency = 4
	}
	r := &reconciler{
		client:  mgr.GetClient(),
		events:  mgr.GetEventRecorder("plimsoll-scaler"),
		metrics: newMetrics(),
		now:     options.Now,
		wrote:   options.Wrote,
		told:    map[types.NamespacedName]map[string]string{},
		stale:   map[types.NamespacedName]string{},
		begun:   map[types.NamespacedName][]time.Time{},
	}
	r.observer = situation.Observer{Reader: r.client, Indexed: true, Compiled: new(situation.Compiled), Now: options.Now}
	if options.Registerer != nil {
		if err := options.Registerer.Register(r.metrics); err != nil {
			return fmt.Errorf("cannot register the metrics of HPAs: %w", err)
		}
	}
	return r.watch(mgr, options.Concurrency)
}

// reconciler brings the bounds of one HPA to what policy says.
type reconciler struct {
	client   client.Client
	observer situation.Observer
	events   events.EventRecorder
	metrics  *metrics
	now      func() time.Time
	wrote    func(types.NamespacedName, error)

	mu   sync.Mutex
	told map[types.NamespacedName]map[string]string // the mark that was told last, by topic
	// stale has the resourceVersions that were written over: while the cache still shows one, there is nothing to see.
	stale map[types.NamespacedName]string
	begun map[types.NamespacedName][]time.Time // see guardWiped
}

// mostSleep is how long an HPA is not looked at that somebody wants something of. Sleep is measured by a clock that
// stands still while a machine is suspended and does not see the one on the wall being moved, by which windows begin.
const mostSleep = 5 * time.Minute

// again is how soon an HPA is looked at again whose cached state is older than our own write.
const again = time.Second

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	name := request.NamespacedName
	s, err := r.observer.Observe(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		r.forget(name)
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("cannot observe HPA %s: %w", name, err)
	case !s.HPA.DeletionTimestamp.IsZero():
		return reconcile.Result{}, nil // its end forgets it
	case r.isStale(name, s.HPA.ResourceVersion):
		return reconcile.Result{RequeueAfter: again}, nil
	}
	now := r.now()
	out := s.Decide(now)
	r.guardWiped(s, &out, now)
	did, err := r.act(ctx, s, &out, now)
	switch {
	case apierrors.IsConflict(err):
		klog.FromContext(ctx).V(2).Info("Somebody else wrote the HPA first; it is looked at again", "hpa", name)
		return reconcile.Result{RequeueAfter: again}, nil
	case apierrors.IsNotFound(err):
		r.forget(name)
		return reconcile.Result{}, nil
	case err != nil:
		r.tell(s, []news{{topic: "write", mark: err.Error(), reason: reasonFailed, warning: true, text: err.Error()}})
		return reconcile.Result{}, err
	}
	r.metrics.show(s, &out)
	all := append(standing(s, &out), news{topic: "write"})
	if did.any() {
		all = append(all, afterWrite(s, &out, did)...)
	}
	r.tell(s, all)
	return reconcile.Result{RequeueAfter: r.sleep(s, &out)}, nil
}

// sleep is in how long an HPA is to be looked at again; 0: when something changes.
func (r *reconciler) sleep(s *situation.Situation, out *situation.Outcome) time.Duration {
	var sleep time.Duration
	if !out.Next.IsZero() {
		sleep = max(out.Next.Sub(r.now()), 10*time.Millisecond)
	}
	if concerned(s) && (sleep == 0 || sleep > mostSleep) {
		sleep = mostSleep
	}
	return sleep
}

// act writes what was decided.
func (r *reconciler) act(ctx context.Context, s *situation.Situation, out *situation.Outcome, now time.Time) (done, error) {
	if out.Leave != "" {
		r.ended(key(s.HPA), nil) // what is not written cannot fail
		return done{}, nil
	}
	did, err := writer{client: r.client, now: now}.write(ctx, s.HPA, wish{bounds: out.Result.Bounds, record: out.Record})
	if !apierrors.IsConflict(err) {
		r.ended(key(s.HPA), err)
	}
	switch {
	case apierrors.IsConflict(err):
		r.metrics.writes.WithLabelValues(resultConflict).Inc()
	case err != nil:
		r.metrics.writes.WithLabelValues(resultError).Inc()
	}
	if did.any() {
		r.metrics.writes.WithLabelValues(resultOK).Inc()
		r.mu.Lock()
		r.stale[key(s.HPA)] = s.HPA.ResourceVersion
		r.mu.Unlock()
		r.noteWritten(s, out, now)
		klog.FromContext(ctx).Info("HPA written", "hpa", key(s.HPA), "minReplicas", out.Result.Bounds.Min, "maxReplicas", out.Result.Bounds.Max,
			"minBy", out.Result.FloorBy.String(), "maxBy", out.Result.MaxBy.String(), "handedBack", did.handedBack)
	}
	return did, err
}

// ended tells how the last write of an HPA ended.
func (r *reconciler) ended(name types.NamespacedName, err error) {
	if r.wrote != nil {
		r.wrote(name, err)
	}
}

func (r *reconciler) isStale(name types.NamespacedName, version string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stale[name] == version {
		return true
	}
	delete(r.stale, name)
	return false
}

// tell records events for the news that are new.
func (r *reconciler) tell(s *situation.Situation, all []news) {
	for _, n := range together(r.fresh(key(s.HPA), all)) {
		if n.text != "" {
			r.events.Eventf(s.HPA, nil, n.kind(), n.reason, "SetBounds", "%s", short(n.text))
		}
	}
}

// fresh returns the news that were not told yet, and remembers that they were.
func (r *reconciler) fresh(name types.NamespacedName, all []news) []news {
	r.mu.Lock()
	defer r.mu.Unlock()
	var fresh []news
	told := r.told[name]
	for _, n := range all {
		if told[n.topic] == n.mark {
			continue
		}
		if told == nil {
			told = map[string]string{}
			r.told[name] = told
		}
		told[n.topic] = n.mark
		fresh = append(fresh, n)
	}
	return fresh
}

// short keeps a note within what the events API takes.
func short(text string) string {
	const most = 1000
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

func (r *reconciler) forget(name types.NamespacedName) {
	r.metrics.forget(name)
	r.ended(name, nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.told, name)
	delete(r.stale, name)
	delete(r.begun, name)
}

func key(object client.Object) types.NamespacedName { return client.ObjectKeyFromObject(object) }
