// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
	"github.com/plimsoll/plimsoll/scaler/workloads"
)

// Options are what Add needs.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Concurrency is how many schedules are looked at at once. Default: 1.
	Concurrency int
	// Workloads observes targets without an HPA and knows why a write of one failed. Required.
	Workloads *workloads.Controller
	// Failures knows why the last write of an HPA failed; may be nil.
	Failures *Failures
}

// How often the status is looked at again although nothing is known to change: pods and workloads are not watched, and
// the clock may have been moved.
const (
	busyLook = time.Minute
	idleLook = 5 * time.Minute
)

// A schedule with many targets is looked at no more often than lookTime for each of them, so that it takes a small part
// of a core whatever happens to its targets.
const (
	lookTime  = 10 * time.Millisecond
	maxPause  = time.Minute
	staleLook = time.Second
)

// reconciler writes the status of ScaleSchedules.
type reconciler struct {
	client   client.Client
	observer situation.Observer
	options  Options
	recorder events.EventRecorder
	zones    *schedule.Zones

	mu   sync.Mutex
	seen map[types.NamespacedName]look
}

// look is what is remembered of the last look at a schedule.
type look struct {
	generation int64
	again      time.Time // not before, while the generation is the same
	stale      string    // the resourceVersion that was written over
}

// Reconcile brings the status of one schedule up to date.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	s := &v1alpha1.ScaleSchedule{}
	if err := r.client.Get(ctx, request.NamespacedName, s); err != nil {
		r.forget(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !s.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, nil
	}
	if wait := r.early(s); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	now := r.options.Now()
	status, next, err := r.status(ctx, s, now)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("look at ScaleSchedule %s: %w", request.NamespacedName, err)
	}
	if err := r.write(ctx, s, status, now); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: again(&status, next, now)}, nil
}

// again is how long to wait for the next look.
func again(status *v1alpha1.ScaleScheduleStatus, next, now time.Time) time.Duration {
	limit := busyLook
	if reason := status.Conditions[0].Reason; reason == v1alpha1.ScheduleIdle || reason == v1alpha1.ScheduleSuspended || reason == v1alpha1.ScheduleInvalid {
		limit = idleLook
	}
	if next.IsZero() {
		return limit
	}
	return min(max(next.Sub(now), 10*time.Millisecond), limit)
}

// early is how long to wait before a schedule may be looked at again.
func (r *reconciler) early(s *v1alpha1.ScaleSchedule) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.seen[client.ObjectKeyFromObject(s)]
	switch {
	case last.stale != "" && last.stale == s.ResourceVersion:
		return staleLook
	case last.generation == s.Generation:
		return time.Until(last.again)
	}
	return 0
}

func (r *reconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, key)
}

// status observes the targets one by one and adds them up.
func (r *reconciler) status(ctx context.Context, s *v1alpha1.ScaleSchedule, now time.Time) (v1alpha1.ScaleScheduleStatus, time.Time, error) {
	var trouble Trouble
	compiled, err := s.Compile(r.zones)
	if err != nil {
		trouble.Invalid, compiled = err, nil
	}
	m := NewSummary(s, compiled, now)
	if s.Spec.TargetRef.IsWorkload() {
		err = r.addWorkload(ctx, m, s, &trouble)
	} else {
		err = r.addHPAs(ctx, m, s, &trouble)
	}
	if err != nil {
		return v1alpha1.ScaleScheduleStatus{}, time.Time{}, err
	}
	r.mu.Lock()
	r.seen[client.ObjectKeyFromObject(s)] = look{generation: s.Generation, again: time.Now().Add(min(time.Duration(m.targets-1)*lookTime, maxPause))}
	r.mu.Unlock()
	return m.Status(trouble), m.Next(), nil
}

func (r *reconciler) addHPAs(ctx context.Context, m *Summary, s *v1alpha1.ScaleSchedule, trouble *Trouble) error {
	hpas, err := situation.Targets(ctx, r.client, s)
	if err != nil {
		return err
	}
	// The order decides which target is named, and a cache has none.
	slices.SortFunc(hpas, func(a, b autoscalingv2.HorizontalPodAutoscaler) int { return strings.Compare(a.Name, b.Name) })
	for i := range hpas {
		key := client.ObjectKeyFromObject(&hpas[i])
		observed, err := r.observer.Observe(ctx, key)
		if apierrors.IsNotFound(err) {
			continue // deleted meanwhile
		}
		if err != nil {
			return fmt.Errorf("observe HPA %s: %w", key, err)
		}
		t := ofHPA(observed, observed.Decide(m.now))
		t.WriteFailure = r.options.Failures.Of(key)
		m.Add(t)
	}
	switch {
	case m.targets > 0:
	case s.Spec.TargetRef != nil:
		trouble.NoTarget = fmt.Sprintf("there is no HPA %s in namespace %s; create it or correct spec.targetRef", s.Spec.TargetRef.Name, s.Namespace)
	default:
		trouble.NoTarget = fmt.Sprintf("no HPA of namespace %s has the labels of spec.targetSelector", s.Namespace)
	}
	return nil
}

func (r *reconciler) addWorkload(ctx context.Context, m *Summary, s *v1alpha1.ScaleSchedule, trouble *Trouble) error {
	key, _ := workloads.KeyOf(s)
	w, err := r.options.Workloads.Observer.Observe(ctx, key)
	var never *workloads.NoScaleError
	switch {
	case apierrors.IsNotFound(err):
		trouble.NoTarget = fmt.Sprintf("there is no %s in namespace %s; create it or correct spec.targetRef", key, key.Namespace)
		return nil
	case errors.As(err, &never):
		trouble.Refused = never.Error()
		return nil
	case apierrors.IsForbidden(err):
		trouble.Failed = fmt.Sprintf("%v; give the scaler the right by a ClusterRole with the label plimsoll.dev/aggregate-to-scaler", err)
		return nil
	case err != nil:
		return fmt.Errorf("observe %s: %w", key, err)
	}
	t := ofWorkload(w, w.Decide(m.now))
	t.WriteFailure = r.options.Workloads.WriteFailure(key)
	m.Add(t)
	return nil
}

// write writes the status if it says something new, and then the events.
func (r *reconciler) write(ctx context.Context, old *v1alpha1.ScaleSchedule, status v1alpha1.ScaleScheduleStatus, now time.Time) error {
	condition := status.Conditions[0]
	condition.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
	status.Conditions = append([]metav1.Condition(nil), old.Status.Conditions...)
	meta.SetStatusCondition(&status.Conditions, condition)
	if equality.Semantic.DeepEqual(old.Status, status) {
		return nil
	}
	changed := old.DeepCopy()
	changed.Status = status
	if err := r.client.Status().Patch(ctx, changed, client.MergeFrom(old), client.FieldOwner(record.Manager)); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("write the status of ScaleSchedule %s/%s: %w", old.Namespace, old.Name, err)
	}
	r.mu.Lock()
	if last := r.seen[client.ObjectKeyFromObject(old)]; changed.ResourceVersion != old.ResourceVersion {
		last.stale = old.ResourceVersion
		r.seen[client.ObjectKeyFromObject(old)] = last
	}
	r.mu.Unlock()
	for _, n := range newsOf(&old.Status, &status) {
		r.recorder.Eventf(changed, nil, n.kind, n.reason, "FollowSchedule", "%s", n.text)
	}
	return nil
}
