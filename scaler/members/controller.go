// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// DefaultNamespace is where the Secrets with the members' kubeconfigs are.
const DefaultNamespace = "plimsoll-members"

// Options are the controller's.
type Options struct {
	// Now is the clock that members are judged by; nil: time.Now.
	Now func() time.Time
	// Namespace of the Secrets with the members' kubeconfigs; "": DefaultNamespace.
	Namespace string
	// Registerer gets the metrics; nil: nobody.
	Registerer prometheus.Registerer
	// Concurrency is how many MemberClusters are looked at at once; 0: 4. Members are probed independently of it.
	Concurrency int
}

// Add adds the controller to a manager, whose scheme must know plimsoll.dev/v1alpha1 and what is cached of members, and
// whose cache must have the Secrets of the namespace. Only the leader's probes and connects.
func Add(mgr manager.Manager, o Options) (*Fleet, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.Concurrency == 0 {
		o.Concurrency = 4
	}
	c := &fleetController{
		client: mgr.GetClient(), fleet: NewFleet(mgr.GetScheme()), events: mgr.GetEventRecorder("plimsoll-scaler"),
		metrics: newMetrics(), now: o.Now, namespace: o.Namespace, started: make(chan struct{}),
		probers: map[string]*prober{}, judged: map[string]health.Member{}, claims: map[string]claim{},
	}
	ask, err := askDemand(mgr.GetConfig())
	if err != nil {
		return nil, err
	}
	c.demand = newDemandWatch(ask, c.fleet, o.Now)
	if o.Registerer != nil {
		if err := o.Registerer.Register(c.metrics); err != nil {
			return nil, fmt.Errorf("cannot register the metrics of MemberClusters: %w", err)
		}
	}
	if err := mgr.Add(c); err != nil {
		return nil, fmt.Errorf("set up the probes of MemberClusters: %w", err)
	}
	err = builder.ControllerManagedBy(mgr).
		Named("members").
		For(&v1alpha1.MemberCluster{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.ofSecret), builder.WithPredicates(predicate.NewPredicateFuncs(func(object client.Object) bool {
			return object.GetNamespace() == c.namespace
		}))).
		WithOptions(controller.Options{MaxConcurrentReconciles: o.Concurrency}).
		Complete(c)
	if err != nil {
		return nil, fmt.Errorf("set up the controller of MemberClusters: %w", err)
	}
	return c.fleet, nil
}

// fleetController keeps one prober for each MemberCluster. Reconcile only tells it what is asked for, so that no member
// delays another.
type fleetController struct {
	client    client.Client
	fleet     *Fleet
	demand    *demandWatch
	events    events.EventRecorder
	metrics   *metrics
	now       func() time.Time
	namespace string

	started chan struct{}   // closed once life is there
	life    context.Context //nolint:containedctx // that of the leader, for the probers
	running sync.WaitGroup

	mu      sync.Mutex // of what follows
	probers map[string]*prober
	judged  map[string]health.Member // what is thought of each member, for the question whether it is the hub
	claims  map[string]claim         // which cluster each MemberCluster is
	doubt   health.Doubt
}

// Start implements manager.Runnable.
func (c *fleetController) Start(ctx context.Context) error {
	c.life = ctx
	c.running.Go(func() { c.demand.run(ctx) })
	close(c.started)
	<-ctx.Done()
	c.running.Wait()
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *fleetController) NeedLeaderElection() bool { return true }

// Reconcile implements reconcile.Reconciler.
func (c *fleetController) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	select {
	case <-c.started:
	case <-ctx.Done():
		return reconcile.Result{}, ctx.Err()
	}
	member := &v1alpha1.MemberCluster{}
	err := c.client.Get(ctx, request.NamespacedName, member)
	switch {
	case apierrors.IsNotFound(err):
		c.forget(request.Name)
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("cannot read MemberCluster %s: %w", request.Name, err)
	case !member.DeletionTimestamp.IsZero():
		return reconcile.Result{}, nil // its end forgets it
	}
	way, err := c.wayTo(ctx, member)
	if err != nil {
		return reconcile.Result{}, err
	}
	c.proberOf(member).tell(task{member: member, way: way})
	return reconcile.Result{}, nil
}

// proberOf is the prober of a MemberCluster; there is one from the first time it is asked for.
func (c *fleetController) proberOf(member *v1alpha1.MemberCluster) *prober {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.probers[member.Name]; old != nil {
		if old.uid == member.UID {
			return old
		}
		old.cancel() // this is another one of the same name
	}
	p := newProber(c, member)
	c.probers[member.Name] = p
	c.judged[member.Name] = asMember(p.kept, member)
	c.claims[member.Name] = claim{cluster: p.known.ID, created: p.created}
	c.running.Go(p.run)
	return p
}

// forget ends what there is for a MemberCluster that is gone. Nothing changes in the cluster.
func (c *fleetController) forget(name string) {
	c.mu.Lock()
	p := c.probers[name]
	delete(c.probers, name)
	c.mu.Unlock()
	if p == nil {
		return
	}
	p.cancel()
	c.fleet.Disconnect(name)
	klog.FromContext(c.life).Info("A MemberCluster is gone; its connection ends, and what runs there goes on", "member", name)
}

// ended clears what a prober has left, unless there is another one for its name.
func (c *fleetController) ended(p *prober) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.probers[p.name] != nil {
		return
	}
	c.fleet.forget(p.name)
	c.demand.forget(p.name)
	c.metrics.forget(p.name)
	delete(c.judged, p.name)
	c.unclaim(p.name)
	c.reconsider()
}

// note notes what a prober thinks of its member, and returns whether the hub suspects itself.
func (c *fleetController) note(p *prober, judged health.Member) health.Doubt {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.probers[p.name] == p {
		c.judged[p.name] = judged
		c.reconsider()
	}
	return c.doubt
}

// reconsider asks whether the hub suspects itself. If that is news, all members are told. The lock is held.
func (c *fleetController) reconsider() {
	all := make([]health.Member, 0, len(c.judged))
	for _, one := range c.judged {
		all = append(all, one)
	}
	doubt := health.HubSuspect(all, health.Together)
	if doubt.Message == c.doubt.Message {
		return
	}
	c.doubt = doubt
	c.metrics.doubt(doubt.Suspect)
	klog.FromContext(c.life).Info("Whether the hub suspects itself has changed", "suspects", doubt.Suspect, "why", doubt.Message)
	for _, p := range c.probers {
		p.poke()
	}
}

// ofSecret maps a Secret to the MemberClusters whose kubeconfig it may have.
func (c *fleetController) ofSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var list v1alpha1.MemberClusterList
	if err := c.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		klog.FromContext(ctx).Error(err, "The MemberClusters of a Secret are not known", "secret", secret.GetName())
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if slices.Contains(secretNames(&list.Items[i]), secret.GetName()) {
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: list.Items[i].Name}})
		}
	}
	return requests
}
