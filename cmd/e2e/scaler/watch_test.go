// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// replicaWatch sees every change of a Deployment's replicas and notes those that fall below what was agreed.
type replicaWatch struct {
	mu    sync.Mutex
	least map[string]int32    // by namespace: what its workload must have
	fell  map[string][]string // by namespace
	seen  map[string]int32    // by namespace: replicas of its Deployment

	live    map[string]bounds.Bounds // by namespace: of its HPA
	changes map[string]int           // by namespace: how often the bounds of its HPA were changed

	versions map[types.UID]string // by object: the last resource version seen
}

// watchReplicas watches all Deployments and HPAs until quit is closed. An API server that is away is waited for; what happened
// meanwhile is seen when it is back.
func watchReplicas(factory informers.SharedInformerFactory, quit <-chan struct{}) (*replicaWatch, error) {
	w := &replicaWatch{least: map[string]int32{}, fell: map[string][]string{}, seen: map[string]int32{}, live: map[string]bounds.Bounds{}, changes: map[string]int{}, versions: map[types.UID]string{}}
	deployments, hpas := factory.Apps().V1().Deployments().Informer(), factory.Autoscaling().V2().HorizontalPodAutoscalers().Informer()
	for informer, look := range map[cache.SharedIndexInformer]func(any){deployments: w.look, hpas: w.lookAtBounds} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, object any) { look(object) }})
		if err != nil {
			return nil, err
		}
	}
	factory.Start(quit)
	if !cache.WaitForCacheSync(quit, deployments.HasSynced, hpas.HasSynced) {
		return nil, errors.New("Deployments and HPAs cannot be watched")
	}
	return w, nil
}

func (w *replicaWatch) look(object any) {
	d, ok := object.(*appsv1.Deployment)
	if !ok || d.Name != app || d.Spec.Replicas == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.versions[d.UID] = d.ResourceVersion
	w.seen[d.Namespace] = *d.Spec.Replicas
	w.judge(d.Namespace)
}

func (w *replicaWatch) lookAtBounds(object any) {
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok || hpa.Name != app {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.versions[hpa.UID] = hpa.ResourceVersion
	now := situation.LiveBounds(hpa)
	if old, known := w.live[hpa.Namespace]; known && old != now {
		w.changes[hpa.Namespace]++
	}
	w.live[hpa.Namespace] = now
}

// judge notes a namespace whose Deployment has too few replicas. The lock is held.
func (w *replicaWatch) judge(ns string) {
	if least, watched := w.least[ns]; watched && w.seen[ns] < least {
		w.fell[ns] = append(w.fell[ns], fmt.Sprintf("%s: %d replicas, less than %d", time.Now().Format(time.TimeOnly), w.seen[ns], least))
	}
}

// atLeast says from now on how many replicas a namespace's Deployment must have at least.
func (w *replicaWatch) atLeast(ns string, least int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.least[ns] = least
	w.judge(ns)
}

// caughtUp fails when the watch has not yet seen an object as it is now.
func (w *replicaWatch) caughtUp(now client.Object) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.versions[now.GetUID()]
	if seen == "" {
		return fmt.Errorf("the watch has not seen %T %s/%s", now, now.GetNamespace(), now.GetName())
	}
	order, err := resourceversion.CompareResourceVersion(seen, now.GetResourceVersion())
	if err == nil && order < 0 {
		err = fmt.Errorf("the watch has seen version %s of %T %s/%s, not %s", seen, now, now.GetNamespace(), now.GetName(), now.GetResourceVersion())
	}
	return err
}

// end stops watching a namespace and returns what was noted.
func (w *replicaWatch) end(ns string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	fell := w.fell[ns]
	delete(w.least, ns)
	delete(w.fell, ns)
	return fell
}
