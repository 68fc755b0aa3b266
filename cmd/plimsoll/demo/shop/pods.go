// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Pods are the pods of a shop, read from a watch.
type Pods struct {
	list func() []*corev1.Pod
}

// Watch watches the pods of the namespace with the label selector until the context ends, and waits until the watch
// has its first answer.
func Watch(ctx context.Context, client kubernetes.Interface, namespace, selector string) (*Pods, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selector }))
	pods := factory.Core().V1().Pods()
	synced := pods.Informer().HasSynced
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), synced) {
		return nil, fmt.Errorf("the pods of namespace %s cannot be watched: %w", namespace, context.Cause(ctx))
	}
	lister := pods.Lister().Pods(namespace)
	return &Pods{list: func() []*corev1.Pod {
		all, _ := lister.List(labels.Everything()) // from memory: has no error
		return all
	}}, nil
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

// Run steps the shop several times a second until the context ends. at tells the time of the shop's day.
func (s *Shop) Run(ctx context.Context, at func() time.Duration, pods func() []string) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		s.Step(at(), pods())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
