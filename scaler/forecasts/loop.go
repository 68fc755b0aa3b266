// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/forecasts/history"
	"github.com/plimsoll/plimsoll/scaler/forecasts/model"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// loop looks at one ScaleForecast at a time: what is new at the source, what is seen of the HPA, the verdict, its status.
type loop struct {
	options  Options
	client   client.Client
	events   events.EventRecorder
	source   *history.Client
	entries  *entries
	loading  chan struct{} // a place for each that reads history
	metrics  *meters
	observer situation.Observer
}

// Reconcile implements reconcile.Reconciler.
func (l *loop) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	f := new(v1alpha1.ScaleForecast)
	if err := l.client.Get(ctx, request.NamespacedName, f); err != nil {
		if apierrors.IsNotFound(err) {
			l.entries.drop(request.NamespacedName)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, err
	}
	now := l.options.Now()
	e := l.entries.of(request.NamespacedName, f.UID)
	e.adopt(f)
	in, seen, err := l.look(ctx, f, e, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	due, err := l.ask(ctx, f, e, &in, seen)
	if err != nil {
		return reconcile.Result{}, err
	}
	v, err := e.judge(&in)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("cannot look ahead with what ScaleForecast %s has learned: %w", request, err)
	}
	e.show(&in, v)
	err = l.write(ctx, f, e, statusOf(f, e, &in, v, seen), now)
	switch {
	case apierrors.IsConflict(err): // the object has changed since it was read
		return reconcile.Result{RequeueAfter: conflictWait}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	if v.Next > 0 {
		due = min(due, v.Next)
	}
	return reconcile.Result{RequeueAfter: max(due, leastWait)}, nil
}

const (
	// leastWait between two looks at one forecast.
	leastWait = 10 * time.Millisecond
	// conflictWait is until the cache has what somebody else has written.
	conflictWait = 200 * time.Millisecond
	// idleWait is for forecasts that have nothing to ask: their objects' changes are watched, and this is for what is not,
	// such as a MetricRule.
	idleWait = time.Minute
)

// sight is what was seen of one forecast and its HPA.
type sight struct {
	demand          // to ask; no query: it is not known
	from     string // of the lead time
	censored func(value float64) bool
}

// look gathers what the verdict depends on, but for the source.
func (l *loop) look(ctx context.Context, f *v1alpha1.ScaleForecast, e *entry, now time.Time) (model.Input, sight, error) {
	rule, invalid := f.Compile()
	in := model.Input{Now: now, Rule: rule, Target: model.Target{Name: f.Spec.TargetRef.Name}}
	if invalid != nil {
		in.Invalid = invalid.Error()
		in.Rule.Enforce = f.Spec.Mode == v1alpha1.ForecastEnforce
		in.Rule.Interval = max(rule.Interval, time.Second)
	}
	e.aim(f.Spec.TargetRef.Name)
	e.restore(f, in.Rule.Interval, now)
	in.Armed = e.armed(f)
	seen := sight{demand: demand{query: f.Spec.Query, shown: f.Spec.Query}, censored: func(float64) bool { return false }}
	s, err := l.observer.Observe(ctx, types.NamespacedName{Namespace: f.Namespace, Name: f.Spec.TargetRef.Name})
	switch {
	case apierrors.IsNotFound(err):
		in.Target.Missing, err = true, nil
	case err != nil:
		return in, seen, fmt.Errorf("cannot look at HPA %s: %w", f.Spec.TargetRef.Name, err)
	default:
		l.lookAt(&in.Target, s, now)
		seen.censored = censoring(s, in.Target.PerReplica, now)
		if s.Pods.Lead > 0 {
			e.measured = decisionTime + s.Pods.Lead
		}
	}
	in.Lead, seen.from = leadOf(in.Rule, e.measured)
	if s != nil && seen.query == "" {
		seen.demand, err = demandOf(ctx, l.client, s.HPA)
		if errors.Is(err, errNoDemand) {
			in.Target.Unknown, err = err.Error(), nil
		}
	}
	return in, seen, err
}

// decisionTime is from a new floor to the pods' creation: the HPA controller looks every 15 s.
const decisionTime = 15 * time.Second

// The origins of a lead time.
const (
	leadGiven    = "Spec"
	leadMeasured = "Measured"
	leadDefault  = "Default"
)

func leadOf(rule forecast.Rule, measured time.Duration) (lead time.Duration, from string) {
	// seconds do not matter, and would have the status written for nothing
	const coarse = 5 * time.Second
	if rest := measured % coarse; rest > 0 {
		measured += coarse - rest
	}
	switch {
	case rule.Lead > 0:
		from = leadGiven
	case measured > 0:
		from = leadMeasured
	default:
		from = leadDefault
	}
	return rule.LeadTime(measured), from
}

func (l *loop) lookAt(t *model.Target, s *situation.Situation, now time.Time) {
	milli, err := situation.PerReplicaMilli(s.HPA)
	if err != nil {
		t.Unknown = err.Error()
	}
	live := situation.LiveBounds(s.HPA)
	t.PerReplica = float64(milli) / 1000
	t.Owner, t.PausedBy = s.Owner, s.PausedBy
	t.Replicas, t.Ready, t.Pending, t.Unschedulable = s.Replicas, s.Pods.Ready, s.Pods.Pending, s.Pods.Unschedulable
	t.Max, t.Min = s.Base().Max, live.Min
	if len(s.Record.State.Reverts) > 0 {
		t.Contested = s.Decide(now).Adoption.Change == bounds.Contested
	}
	if l.options.WriteProblem != nil {
		t.WriteProblem = l.options.WriteProblem(client.ObjectKeyFromObject(s.HPA))
	}
}

// censoring says which values are not the true demand: while an override holds the replicas, while nobody serves, and
// while the replicas are at their maximum with more to do than they should have.
func censoring(s *situation.Situation, perReplica float64, now time.Time) func(float64) bool {
	override := s.Override()
	held := override != nil && override.Active(now)
	outage := s.Pods.Total > 0 && s.Pods.Ready == 0
	most := situation.LiveBounds(s.HPA).Max
	return func(value float64) bool {
		return held || outage || model.Saturated(value, perReplica, s.Replicas, most)
	}
}

// ask asks the source for what is due, and returns in how long the next is.
func (l *loop) ask(ctx context.Context, f *v1alpha1.ScaleForecast, e *entry, in *model.Input, seen sight) (time.Duration, error) {
	if in.Invalid != "" || seen.query == "" {
		in.Problem = e.problem
		return idleWait, nil
	}
	e.begin(identityOf(in.Rule, in.Target.Name, seen.query))
	if e.model != nil && !e.model.Aim(in.Lead) && !e.loading {
		e.reload()
	}
	after := delay(f.UID, in.Rule.Interval)
	newest := gridTime(in.Now.Add(-after), in.Rule.Interval)
	err := l.fetch(ctx, e, asking{
		key: client.ObjectKeyFromObject(f), demand: seen.demand, rule: in.Rule, lead: in.Lead,
		now: in.Now, newest: newest, censored: seen.censored,
	})
	in.Problem = e.problem
	due := newest.Add(in.Rule.Interval + after).Sub(in.Now)
	switch {
	case e.retry.After(in.Now):
		due = min(due, e.retry.Sub(in.Now))
	case newest.After(e.asked):
		due = 0
	}
	return due, err
}

// judge decides, and keeps what the next decision needs.
func (e *entry) judge(in *model.Input) (model.Verdict, error) {
	if e.model != nil {
		view, err := e.model.Look(gridTime(in.Now, in.Rule.Interval))
		if err != nil {
			return model.Verdict{}, err
		}
		in.View = view
	}
	in.Held, in.Kept, in.Relearned, in.Risen = e.held, e.kept, !e.changed, e.risen
	v := model.Decide(*in)
	if v.Floor > in.Held.Floor {
		e.risen = in.Now
	}
	e.held = v.Held
	if in.View != nil && in.View.Gate.Trust == forecast.Armed {
		e.changed = false
	}
	return v, nil
}
