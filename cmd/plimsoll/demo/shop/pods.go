// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Pods are the pods of a shop, read from a watch.
type Pods struct {
	list func() []*corev1.Pod

	mu     sync.Mutex
	starts map[types.UID]*Start
}

// Start is when a pod was first seen, and when it was first seen to serve; zero: it never did.
type Start struct{ Seen, Served time.Time }

// Watch watches the pods of the namespace with the label selector until the context ends, and waits until the watch
// has its first answer.
func Watch(ctx context.Context, client kubernetes.Interface, namespace, selector string) (*Pods, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selector }))
	pods := factory.Core().V1().Pods()
	lister := pods.Lister().Pods(namespace)
	p := &Pods{starts: map[types.UID]*Start{}, list: func() []*corev1.Pod {
		all, _ := lister.List(labels.Everything()) // from memory: has no error
		return all
	}}
	handler, err := pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: p.saw, UpdateFunc: func(_, object any) { p.saw(object) },
	})
	if err != nil {
		return nil, fmt.Errorf("the pods of namespace %s cannot be watched: %w", namespace, err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), handler.HasSynced) {
		return nil, fmt.Errorf("the pods of namespace %s cannot be watched: %w", namespace, context.Cause(ctx))
	}
	return p, nil
}

// saw notes when a pod is there, and when it serves. Its own times are whole seconds.
func (p *Pods) saw(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	start := p.starts[pod.UID]
	if start == nil {
		start = &Start{Seen: time.Now()}
		p.starts[pod.UID] = start
	}
	if start.Served.IsZero() && serving(pod) {
		start.Served = time.Now()
	}
}

// Starts are those of all pods so far, in the order of their times.
func (p *Pods) Starts() []Start {
	p.mu.Lock()
	defer p.mu.Unlock()
	starts := make([]Start, 0, len(p.starts))
	for _, s := range p.starts {
		starts = append(starts, *s)
	}
	slices.SortFunc(starts, func(a, b Start) int { return a.Seen.Compare(b.Seen) })
	return starts
}

// Serving names the pods that are running and Ready, sorted.
func (p *Pods) Serving() []string {
	var names []string
	for _, pod := range p.list() {
		if serving(pod) {
			names = append(names, pod.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Count is how many pods there are that are not being deleted, Ready or not.
func (p *Pods) Count() int {
	n := 0
	for _, pod := range p.list() {
		if pod.DeletionTimestamp == nil {
			n++
		}
	}
	return n
}

// serving is what an Endpoints controller asks of a pod before it sends users there.
func serving(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning {
		return false
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Branch is a shop whose users go to pods.
type Branch struct {
	*Shop
	Serving func() []string // names the pods that are Ready
}

// Run steps shops many times a second until the context ends, all of them at the same times. at tells the time of their
// day.
func Run(ctx context.Context, at func() time.Duration, branches ...Branch) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		now := at()
		for _, b := range branches {
			b.Step(now, b.Serving())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
