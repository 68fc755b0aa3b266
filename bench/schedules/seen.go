// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	toolscache "k8s.io/client-go/tools/cache"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// seen is what a watch of our own has shown, and when.
type seen struct {
	mu      sync.Mutex
	high    map[types.NamespacedName]time.Time // when an HPA got the window's bounds
	low     map[types.NamespacedName]time.Time // when it got its own back
	reasons map[types.NamespacedName]string    // of schedules
}

// startWatching watches HPAs and schedules as anybody could.
func (s *stage) startWatching(ctx context.Context) error {
	s.seen = &seen{high: map[types.NamespacedName]time.Time{}, low: map[types.NamespacedName]time.Time{}, reasons: map[types.NamespacedName]string{}}
	watched, err := cache.New(s.stack.RESTConfig, cache.Options{Scheme: s.client.Scheme(), DefaultTransform: cache.TransformStripManagedFields()})
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	for _, object := range []client.Object{&autoscalingv2.HorizontalPodAutoscaler{}, &v1alpha1.ScaleSchedule{}} {
		informer, err := watched.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching: %w", err)
		}
		handler := toolscache.ResourceEventHandlerFuncs{AddFunc: s.seen.look, UpdateFunc: func(_, object any) { s.seen.look(object) }}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watching: %w", err)
		}
	}
	go func() { _ = watched.Start(ctx) }() // it ends with the context
	if !watched.WaitForCacheSync(ctx) {
		return errors.New("watching: HPAs and ScaleSchedules could not be listed")
	}
	return nil
}

func (s *seen) look(object any) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o := object.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		key := client.ObjectKeyFromObject(o)
		lowest, highest := ptr.Deref(o.Spec.MinReplicas, 1), o.Spec.MaxReplicas
		if lowest == windowMin && highest == windowMax {
			first(s.high, key, now)
		} else if lowest == baseMin && highest == baseMax && !s.high[key].IsZero() {
			first(s.low, key, now)
		}
	case *v1alpha1.ScaleSchedule:
		if c := apimeta.FindStatusCondition(o.Status.Conditions, v1alpha1.ConditionReady); c != nil {
			s.reasons[client.ObjectKeyFromObject(o)] = c.Reason
		}
	}
}

func first(times map[types.NamespacedName]time.Time, key types.NamespacedName, now time.Time) {
	if times[key].IsZero() {
		times[key] = now
	}
}

// saying is how many schedules say one of the reasons.
func (s *seen) saying(reasons ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, reason := range s.reasons {
		if slices.Contains(reasons, reason) {
			n++
		}
	}
	return n
}

// since are the times from a moment until each HPA was seen, sorted.
func (s *seen) since(moment time.Time, times map[types.NamespacedName]time.Time) []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []float64
	for _, at := range times {
		all = append(all, at.Sub(moment).Seconds())
	}
	slices.Sort(all)
	return all
}
