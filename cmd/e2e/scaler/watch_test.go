// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// replicaWatch sees every change of a Deployment's replicas and notes those that fall below what was agreed.
type replicaWatch struct {
	mu    sync.Mutex
	least map[string]int32    // by namespace: what every Deployment there must have
	fell  map[string][]string // by namespace
	seen  map[string]int32    // by namespace: replicas of its Deployment
}

// watchReplicas watches all Deployments until quit is closed. An API server that is away is waited for; what happened
// meanwhile is seen when it is back.
func watchReplicas(factory informers.SharedInformerFactory, quit <-chan struct{}) (*replicaWatch, error) {
	w := &replicaWatch{least: map[string]int32{}, fell: map[string][]string{}, seen: map[string]int32{}}
	informer := factory.Apps().V1().Deployments().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { w.look(object) },
		UpdateFunc: func(_, object any) { w.look(object) },
	})
	if err != nil {
		return nil, err
	}
	factory.Start(quit)
	if !cache.WaitForCacheSync(quit, informer.HasSynced) {
		return nil, errors.New("the Deployments cannot be watched")
	}
	return w, nil
}

func (w *replicaWatch) look(object any) {
	d, ok := object.(*appsv1.Deployment)
	if !ok || d.Spec.Replicas == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[d.Namespace] = *d.Spec.Replicas
	w.judge(d.Namespace)
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

// end stops watching a namespace and returns what was noted.
func (w *replicaWatch) end(ns string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	fell := w.fell[ns]
	delete(w.least, ns)
	delete(w.fell, ns)
	return fell
}
