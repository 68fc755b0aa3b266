// SPDX-License-Identifier: Apache-2.0

// Package workloads changes the replicas of workloads that have a scale subresource and no HPA, by ScaleSchedules that
// name them. What must survive a restart is on the workload itself, as with HPAs.
package workloads

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// Options are what Add needs.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Poll is how often a workload whose replicas are held is looked at for edits of others. Default: 30s.
	Poll time.Duration
	// Concurrency is how many workloads are looked at at once. Default: 1.
	Concurrency int
	// Indexed says that the manager's cache has situation.Indexes.
	Indexed bool
	// Zones keeps time zones that are used again; may be nil.
	Zones *schedule.Zones
}

// idleLook is how often a workload that is not held is looked at, at least: the clock may have been moved.
const idleLook = 5 * time.Minute

// Controller holds the replicas of workloads. Add makes it.
type Controller struct {
	Observer Observer

	writer   Writer
	recorder events.EventRecorder
	now      func() time.Time
	poll     time.Duration
	failures sync.Map // Key -> error: the last write, if it failed
}

// NewObserver observes workloads through any client, such as that of the command line.
func NewObserver(config *rest.Config, reader, live client.Reader, mapper meta.RESTMapper) (Observer, error) {
	kinds, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return Observer{}, fmt.Errorf("make a discovery client: %w", err)
	}
	scales, err := scale.NewForConfig(config, preferred{mapper}, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(kinds))
	if err != nil {
		return Observer{}, fmt.Errorf("make a client for scales: %w", err)
	}
	return Observer{Around: situation.Observer{Reader: reader}, Live: live, Scales: scales, Mapper: mapper}, nil
}

// preferred is a RESTMapper in the words of client-go/scale.
type preferred struct{ meta.RESTMapper }

// WriteFailure is why the last write of a workload failed; nil: it did not.
func (c *Controller) WriteFailure(key Key) error {
	if err, failed := c.failures.Load(key); failed {
		return err.(error)
	}
	return nil
}

// Somebody else's write in between is no failure: a rollout changes the object all the time.
const (
	attempts  = 4
	soonAgain = time.Second
)

// Reconcile looks at one workload, decides, and writes what differs.
func (c *Controller) Reconcile(ctx context.Context, key Key) (reconcile.Result, error) {
	for range attempts {
		result, err := c.once(ctx, key)
		if !errors.Is(err, errMoved) && !apierrors.IsConflict(err) {
			return result, err
		}
	}
	return reconcile.Result{RequeueAfter: soonAgain}, nil
}

func (c *Controller) once(ctx context.Context, key Key) (reconcile.Result, error) {
	w, err := c.Observer.Observe(ctx, key)
	var never *NoScaleError
	switch {
	case apierrors.IsNotFound(err) || errors.As(err, &never):
		c.failures.Delete(key)
		return c.untilThere(ctx, key)
	case apierrors.IsForbidden(err): // the schedule's status says so
		return c.untilThere(ctx, key)
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("observe %s: %w", key, err)
	case len(w.Around.Schedules) == 0 && w.Object.Labels[HeldLabel] == "" && w.Around.Record.Empty():
		c.failures.Delete(key)
		return reconcile.Result{}, nil
	}
	now := c.now()
	out := w.Decide(now)
	if w.Refused != "" {
		return c.refuse(ctx, w)
	}
	if out.Leave != "" {
		return c.again(w, &out, now), nil
	}
	before := w.Replicas()
	changed, err := c.writer.Write(ctx, w, out.Record, out.Result.Bounds.Min)
	if err != nil {
		return reconcile.Result{}, c.failed(key, err)
	}
	c.failures.Delete(key)
	if changed {
		klog.FromContext(ctx).V(2).Info("Replicas changed", "workload", key, "from", before, "to", out.Result.Bounds.Min, "by", out.Result.FloorBy.String())
	}
	c.tell(w, &out, before, changed)
	return c.again(w, &out, now), nil
}

// untilThere looks again at a workload that cannot be had, as long as a schedule names it.
func (c *Controller) untilThere(ctx context.Context, key Key) (reconcile.Result, error) {
	schedules, err := c.Observer.schedules(ctx, key)
	if err != nil || len(schedules) == 0 {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: idleLook}, nil
}

// failed remembers why a write failed, unless it is only to be tried again, and returns it.
func (c *Controller) failed(key Key, err error) error {
	if !errors.Is(err, errMoved) && !apierrors.IsConflict(err) {
		c.failures.Store(key, err)
	}
	return err
}

// refuse forgets what was kept of a workload that somebody else scales now, and changes no number.
func (c *Controller) refuse(ctx context.Context, w *Workload) (reconcile.Result, error) {
	if !w.Around.Record.Empty() || w.Object.Labels[HeldLabel] != "" {
		if _, err := c.writer.Write(ctx, w, record.Record{}, w.Replicas()); err != nil {
			return reconcile.Result{}, c.failed(w.Key, err)
		}
	}
	c.failures.Delete(w.Key)
	return reconcile.Result{RequeueAfter: idleLook}, nil
}

// again says when to look at the workload again.
func (c *Controller) again(w *Workload, out *situation.Outcome, now time.Time) reconcile.Result {
	limit := idleLook
	if !out.Record.Empty() || !w.Around.Record.Empty() {
		limit = c.poll
	}
	if len(w.Around.Schedules) == 0 && out.Record.Empty() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: min(max(out.Next.Sub(now), time.Second/10), limit)}
}

// tell writes the events of what has happened.
func (c *Controller) tell(w *Workload, out *situation.Outcome, before int32, changed bool) {
	after := out.Result.Bounds.Min
	switch out.Adoption.Change {
	case bounds.Edited:
		c.event(w, "NewBase", "%d replicas are kept as the workload's own number, which comes back when no window is on", out.Adoption.Base.Min)
	case bounds.Reverted:
		c.event(w, "Reverted", "somebody set replicas back to %d; they are set to %d again, at most %d times in %s", before, after, bounds.MaxReverts, bounds.RevertWindow)
	}
	switch {
	case !changed:
	case out.Record.Empty():
		c.event(w, "Restored", "replicas are back at the workload's own %d", after)
	default:
		c.event(w, "ReplicasChanged", "replicas go from %d to %d by %s; %d is stored as the workload's own number", before, after, out.Result.FloorBy, out.Adoption.Base.Min)
	}
}

func (c *Controller) event(w *Workload, reason, format string, args ...any) {
	c.recorder.Eventf(w.Object, nil, "Normal", reason, "Scale", format, args...)
}
