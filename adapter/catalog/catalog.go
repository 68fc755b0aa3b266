// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Options say what a Controller works on; all are required.
type Options struct {
	Client  dynamic.Interface
	Mapper  meta.ResettableRESTMapper
	Store   *snapshot.Store
	Readers func(*snapshot.Catalog) map[rule.Key]int
}

// Controller watches rules, puts them in force and writes their status.
type Controller struct {
	Options
	rules, clusterRules cache.SharedIndexInformer
	changed             chan struct{} // holds one: something changed since the last look
	judgement           atomic.Pointer[judgement]
	mapperReset         time.Time
	loaded              atomic.Bool
}

var (
	rulesResource        = v1alpha1.SchemeGroupVersion.WithResource("metricrules")
	clusterRulesResource = v1alpha1.SchemeGroupVersion.WithResource("clustermetricrules")
)

// New starts nothing; Run does.
func New(o Options) (*Controller, error) {
	c := &Controller{Options: o, changed: make(chan struct{}, 1)}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(o.Client, 0)
	c.rules = factory.ForResource(rulesResource).Informer()
	c.clusterRules = factory.ForResource(clusterRulesResource).Informer()
	for _, informer := range []cache.SharedIndexInformer{c.rules, c.clusterRules} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { c.poke() },
			UpdateFunc: func(old, new any) { c.pokeIfChanged(old, new) },
			DeleteFunc: func(any) { c.poke() },
		}); err != nil {
			return nil, fmt.Errorf("watching rules: %w", err)
		}
	}
	return c, nil
}

func (c *Controller) poke() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// pokeIfChanged ignores changes of status, which are our own.
func (c *Controller) pokeIfChanged(old, new any) {
	a, okA := old.(*unstructured.Unstructured)
	b, okB := new.(*unstructured.Unstructured)
	if !okA || !okB || a.GetGeneration() != b.GetGeneration() || a.GetUID() != b.GetUID() {
		c.poke()
	}
}

// Loaded reports whether the rules that were there at the start are in force.
func (c *Controller) Loaded() bool { return c.loaded.Load() }

// Run works until ctx ends. Statuses are written beside: an API server that hangs delays no rule.
func (c *Controller) Run(ctx context.Context) {
	go c.rules.RunWithContext(ctx)
	go c.clusterRules.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), c.rules.HasSynced, c.clusterRules.HasSynced) {
		return
	}
	c.rebuild(ctx)
	c.loaded.Store(true)
	var statuses sync.WaitGroup
	statuses.Go(func() { wait.UntilWithContext(ctx, c.writeStatuses, time.Second) })
	defer statuses.Wait()
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		select {
		case <-c.changed:
			c.rebuild(ctx)
		default:
			c.retryRefused(ctx)
		}
	}, time.Second)
}

// judgement is what a rebuild decided, beside the catalog.
type judgement struct {
	refusals  map[rule.Key]refusal
	conflicts map[rule.Key]rule.Key
}

// rebuild compiles every rule and puts the new catalog in force.
func (c *Controller) rebuild(ctx context.Context) {
	var rules []*rule.Rule
	j := &judgement{refusals: map[rule.Key]refusal{}}
	before := c.Store.Catalog()
	for _, o := range c.objects(ctx) {
		if o.meta.DeletionTimestamp != nil {
			continue
		}
		r, no := compile(o, c.Mapper)
		if no != nil && no.reason == v1alpha1.ReasonUnknownResource && stands(before.Entry(o.key()), r) {
			// Discovery has failed us, as it does while the API server restarts: a resource that was known still is.
			r, no = before.Entry(o.key()).Rule, nil
		}
		if no != nil {
			j.refusals[o.key()] = *no
		}
		rules = append(rules, r)
	}
	next, conflicts := snapshot.NewCatalog(rules, before)
	j.conflicts = conflicts
	c.judgement.Store(j)
	c.Store.Swap(next)
	klog.FromContext(ctx).Info("Rules in force", "rules", len(next.Entries())-len(j.refusals), "refused", len(j.refusals), "conflicting", len(conflicts))
}

// stands reports that a rule was in force already and has not changed since.
func stands(e *snapshot.Entry, r *rule.Rule) bool {
	return e != nil && e.Rule.Refusal == nil && e.Rule.Generation == r.Generation && e.Rule.Created.Equal(r.Created)
}

// mapperPatience is how often discovery is asked again for the sake of rules with an unknown resource.
const mapperPatience = 30 * time.Second

// retryRefused looks again at rules whose resource was unknown: its CustomResourceDefinition may have come since.
func (c *Controller) retryRefused(ctx context.Context) {
	now := time.Now()
	if now.Sub(c.mapperReset) < mapperPatience {
		return
	}
	refused := c.judgement.Load().refusals
	asked := false
	for _, o := range c.objects(ctx) {
		if refused[o.key()].reason != v1alpha1.ReasonUnknownResource {
			continue
		}
		if !asked {
			asked, c.mapperReset = true, now
			c.Mapper.Reset()
		}
		if _, err := resolve(o.spec.Object, c.Mapper); err == nil {
			c.rebuild(ctx)
			return
		}
	}
}

// objects reads all rules from the informers.
func (c *Controller) objects(ctx context.Context) []*object {
	var out []*object
	for _, item := range append(c.rules.GetStore().List(), c.clusterRules.GetStore().List()...) {
		u, ok := item.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		o, err := decode(u)
		if err != nil {
			klog.FromContext(ctx).Error(err, "Rule left out", "rule", klog.KObj(u))
			continue
		}
		out = append(out, o)
	}
	return out
}

func decode(u *unstructured.Unstructured) (*object, error) {
	if u.GetNamespace() == "" {
		var r v1alpha1.ClusterMetricRule
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &r); err != nil {
			return nil, fmt.Errorf("reading ClusterMetricRule %s: %w", u.GetName(), err)
		}
		return &object{r.ObjectMeta, r.WithDefaults(), r.Status}, nil
	}
	var r v1alpha1.MetricRule
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &r); err != nil {
		return nil, fmt.Errorf("reading MetricRule %s/%s: %w", u.GetNamespace(), u.GetName(), err)
	}
	return &object{r.ObjectMeta, r.WithDefaults(), r.Status}, nil
}

// writeStatuses writes what is worth writing; a conflict or a missing API server is made good by the next round.
func (c *Controller) writeStatuses(ctx context.Context) {
	catalog, now := c.Store.Catalog(), time.Now()
	readers := c.Readers(catalog)
	for _, o := range c.objects(ctx) {
		status := c.status(catalog, o, readers[o.key()], now)
		if !worthWriting(&o.status, &status, now) {
			continue
		}
		if err := c.write(ctx, o, status); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Status not written", "rule", o.key())
		}
	}
}

func (c *Controller) status(catalog *snapshot.Catalog, o *object, readers int, now time.Time) v1alpha1.MetricRuleStatus {
	j := c.judgement.Load()
	if no, ok := j.refusals[o.key()]; ok {
		return refused(o, bad(no.reason, "%s", no.err.Error()))
	}
	if winner, ok := j.conflicts[o.key()]; ok {
		return refused(o, conflicting(winner))
	}
	e := catalog.Entry(o.key())
	if e == nil {
		return refused(o, verdict{metav1.ConditionUnknown, v1alpha1.ReasonNotEvaluated, "the first evaluation has not ended yet"})
	}
	return statusOf(o, e, readers, now)
}

// writeTimeout bounds one write; the next round makes good what one misses.
const writeTimeout = 5 * time.Second

// write replaces the whole status, so that counts that are 0 now are not left at their old value.
func (c *Controller) write(ctx context.Context, o *object, status v1alpha1.MetricRuleStatus) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return fmt.Errorf("encoding the status of %s: %w", o.key(), err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": content}}
	u.SetName(o.meta.Name)
	u.SetUID(o.meta.UID)
	u.SetResourceVersion(o.meta.ResourceVersion)
	if o.meta.Namespace == "" {
		u.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ClusterMetricRule"))
		_, err = c.Client.Resource(clusterRulesResource).UpdateStatus(ctx, u, metav1.UpdateOptions{})
	} else {
		u.SetNamespace(o.meta.Namespace)
		u.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("MetricRule"))
		_, err = c.Client.Resource(rulesResource).Namespace(o.meta.Namespace).UpdateStatus(ctx, u, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("writing the status of %s: %w", o.key(), err)
	}
	return nil
}
