// SPDX-License-Identifier: Apache-2.0

// Package federation divides the replicas of FederatedScales over member clusters: it observes the workload in every
// member, asks policy/divide, stores what was decided in the status, and writes the members' scales. The status is all
// its memory: a restart or another leader goes on where it says.
package federation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members"
)

// Options are the controller's.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Concurrency is how many FederatedScales are looked at at once; 0: 4.
	Concurrency int
	// AnswerWithin is how long a member may take to answer; 0: 5 s.
	AnswerWithin time.Duration
	// Registerer gets the metrics; nil: nobody.
	Registerer prometheus.Registerer
}

// Add adds the controller to a manager of the hub, whose scheme must know autoscaling/v2 and plimsoll.dev/v1alpha1. It
// must be called before the fleet has connections.
func Add(mgr manager.Manager, fleet *members.Fleet, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Concurrency == 0 {
		o.Concurrency = 4
	}
	if o.AnswerWithin == 0 {
		o.AnswerWithin = answerWithin
	}
	r := &reconciler{
		client: mgr.GetClient(), fleet: fleet, events: mgr.GetEventRecorder("plimsoll-scaler"), metrics: newMetrics(), now: o.Now, answerWithin: o.AnswerWithin,
		memos: map[types.NamespacedName]*memo{}, hung: hung{now: o.Now, until: map[string]time.Time{}},
		holders: holders{all: map[types.NamespacedName]int{}},
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(r.metrics); err != nil {
			return fmt.Errorf("cannot register the metrics of FederatedScales: %w", err)
		}
	}
	fleet.OnConnect(r.watchMember)
	return r.watch(mgr, o.Concurrency)
}

// reconciler brings the members' scales of one FederatedScale to what policy says.
type reconciler struct {
	client  client.Client
	fleet   *members.Fleet
	events  events.EventRecorder
	metrics *metrics
	now     func() time.Time
	hung    hung
	queue   lateQueue
	holders holders

	answerWithin time.Duration

	mu    sync.Mutex
	memos map[types.NamespacedName]*memo
}

const (
	// mostSleep is how long a FederatedScale is not looked at: the clock may have been moved.
	mostSleep = 5 * time.Minute
	// soon is when one is looked at again of which something could not be read or written.
	soon = time.Second
	// atOnce is when one is looked at again whose cached state is older than our own write, or that somebody else wrote.
	atOnce = 50 * time.Millisecond
	// settled is when one is looked at again after a write even if nothing was heard of it.
	settled = 2 * time.Second
)

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	f := &v1alpha1.FederatedScale{}
	err := r.client.Get(ctx, request.NamespacedName, f)
	if apierrors.IsNotFound(err) || err == nil && !f.DeletionTimestamp.IsZero() {
		r.forget(request.NamespacedName) // it changes no replicas
		sleep, err := r.letGo(ctx, request.NamespacedName, func(string, string) bool { return false })
		return reconcile.Result{RequeueAfter: sleep}, err
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("cannot read FederatedScale %s: %w", request.NamespacedName, err)
	}
	m := r.memo(request.NamespacedName)
	if m.waitsFor(f.ResourceVersion) {
		return reconcile.Result{RequeueAfter: atOnce}, nil
	}
	sleep, err := r.bring(ctx, f, m)
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: atOnce}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("FederatedScale %s: %w", request.NamespacedName, err)
	}
	return reconcile.Result{RequeueAfter: sleep}, nil
}

// bring observes, decides, stores the decision, and acts. What is decided is stored before it is written to the members,
// so that nobody who comes after takes a member for larger than it may be (divide.State).
func (r *reconciler) bring(ctx context.Context, f *v1alpha1.FederatedScale, m *memo) (time.Duration, error) {
	now := r.now()
	rule, err := f.Compile()
	if err != nil {
		return mostSleep, r.store(ctx, f, m, invalid(f, err, now), now)
	}
	s, err := r.observe(ctx, f, rule, m, now)
	if err != nil {
		return 0, err
	}
	if s.connects() {
		return soon, nil
	}
	plan := r.decide(ctx, s)
	s.forgive(&plan)
	status := s.status(&plan)
	if err := r.store(ctx, f, m, status, now); err != nil {
		return 0, err
	}
	for _, one := range s.sights {
		one.decided()
	}
	var written []outcome
	if s.acts() {
		written = r.act(ctx, s, &plan)
	}
	r.tell(s, &plan, status, written)
	r.metrics.show(f, status)
	key := client.ObjectKeyFromObject(f)
	if s.acts() && rule.Bounds {
		r.holders.add(key) // before anybody sees what was written
	}
	left, err := r.letGo(ctx, key, s.keeps)
	if sleep := s.sleep(&plan, written); left == 0 || sleep < left {
		left = sleep
	}
	return left, err
}

// connectWithin is for how long a decision waits for the connection to a Healthy member, as after a restart: what is to be raised
// meanwhile would all go to those that were connected first, and move on in a moment.
const connectWithin = 5 * time.Second

// connects says whether a connection to a Healthy member is about to come.
func (s *scene) connects() bool {
	return slices.ContainsFunc(s.sights, func(one *sight) bool {
		since := one.memo.apartSince
		return one.asked && one.member == nil && !since.IsZero() && s.now.Sub(since) < connectWithin && !s.now.Before(since)
	})
}

// keeps says whether the share on a member's HPA is to stand there further on.
func (s *scene) keeps(cluster, hpa string) bool {
	if s.paused != "" || s.taken != "" {
		return true // nothing is written at all
	}
	ours := s.acts() && s.rule.Bounds && hpa == s.rule.Target.Name
	return ours && slices.ContainsFunc(s.sights, func(one *sight) bool { return one.name == cluster })
}

// decide asks policy. What is to be lowered is decided by what the members say now: a cache may show pods that are gone.
func (r *reconciler) decide(ctx context.Context, s *scene) divide.Plan {
	r.weigh(ctx, s)
	plan := s.plan()
	if s.acts() && s.lowers(&plan) {
		r.lookAtAll(ctx, s, true)
		plan = s.plan()
	}
	return plan
}

func (s *scene) plan() divide.Plan {
	plan := divide.Decide(s.observed(), s.state, s.now)
	s.leave(&plan)
	return plan
}

// sleep is in how long a FederatedScale is to be looked at again at the latest.
func (s *scene) sleep(plan *divide.Plan, written []outcome) time.Duration {
	sleep := mostSleep
	until := func(at time.Time) {
		if !at.IsZero() {
			sleep = min(sleep, max(at.Sub(s.now), atOnce))
		}
	}
	until(plan.Next)
	until(s.weighAt)
	for _, one := range s.sights {
		until(one.wake)
		if one.asked && !one.seen {
			sleep = min(sleep, soon)
		}
	}
	for _, w := range written {
		sleep = min(sleep, w.again())
	}
	if s.acts() && further(s.state, plan.State) {
		sleep = min(sleep, settled)
	}
	return sleep
}

// further says whether another replica count is kept of a member than before, which may be reason to decide further.
func further(before, after divide.State) bool {
	for name, kept := range after.Members {
		if kept.Replicas != before.Members[name].Replicas {
			return true
		}
	}
	return false
}

func (r *reconciler) memo(key types.NamespacedName) *memo {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.memos[key]
	if m == nil {
		m = &memo{members: map[string]*memberMemo{}}
		r.memos[key] = m
	}
	return m
}

func (r *reconciler) forget(key types.NamespacedName) {
	r.metrics.forget(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.memos, key)
}
