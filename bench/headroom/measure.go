// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func measure(ctx context.Context, o Options, dir string, r *Result) error {
	s, err := newStage(ctx, o, dir)
	if err != nil {
		return err
	}
	err = s.measure(ctx, r)
	return errors.Join(err, s.stop())
}

// measure measures with the reserve first; then other pods of the same size take its place, so that the nodes are as full.
func (s *stage) measure(ctx context.Context, r *Result) error {
	if err := s.ready(ctx, "web", s.options.Replicas); err != nil {
		return err
	}
	room := &v1alpha1.Headroom{ObjectMeta: metav1.ObjectMeta{Name: "room"}, Spec: v1alpha1.HeadroomSpec{Mode: v1alpha1.ModeEnforce, Strategy: v1alpha1.HeadroomPlaceholder}}
	if err := s.client.Create(ctx, room); err != nil {
		return fmt.Errorf("making a Headroom: %w", err)
	}
	var refills []float64
	err := s.rounds(ctx, "with the reserve", &r.WithReserve, func(ctx context.Context, _ int) (*surge, error) {
		if err := s.until(ctx, "the reserve is there", s.held); err != nil {
			return nil, err
		}
		return s.surge(ctx)
	}, func(ctx context.Context) error {
		began := time.Now()
		if err := s.until(ctx, "the reserve is back", s.held); err != nil {
			return err
		}
		refills = append(refills, time.Since(began).Seconds())
		return nil
	})
	if err != nil {
		return err
	}
	r.WithReserve.RefillSeconds = median(refills)
	if err := s.client.Delete(ctx, room); err != nil {
		return fmt.Errorf("deleting the Headroom: %w", err)
	}
	if err := s.until(ctx, "the reserve is gone", s.unreserved); err != nil { // what is preempted at its end may be forgotten
		return err
	}
	others := s.options.nodeCPU()*nodes - s.options.Replicas
	if err := s.client.Create(ctx, s.workload("others", int32(others))); err != nil {
		return fmt.Errorf("making other pods: %w", err)
	}
	if err := s.ready(ctx, "others", others); err != nil {
		return err
	}
	return s.rounds(ctx, "without", &r.WithoutReserve, func(ctx context.Context, _ int) (*surge, error) {
		return s.surgeOnNewNodes(ctx)
	}, s.removeNewNodes)
}

// rounds repeats a surge, and what follows when the workload was scaled back.
func (s *stage) rounds(ctx context.Context, what string, w *Waits, surge func(context.Context, int) (*surge, error), after func(context.Context) error) error {
	var first, half []float64
	for i := range s.options.Rounds {
		one, err := surge(ctx, i)
		if err != nil {
			return err
		}
		waits := one.waits()
		first, half, w.AllRounds = append(first, waits[0]), append(half, waits[len(waits)/2]), append(w.AllRounds, waits[len(waits)-1])
		s.say("%s, round %d: all of %d were Ready after %.2f s", what, i+1, len(waits), waits[len(waits)-1])
		if err := s.scale(ctx, s.options.Replicas); err != nil {
			return err
		}
		if err := s.until(ctx, "the surge is over", func(ctx context.Context) (bool, error) {
			pods, err := s.pods(ctx)
			return len(pods) == s.options.Replicas, err
		}); err != nil {
			return err
		}
		if err := after(ctx); err != nil {
			return err
		}
	}
	w.FirstSeconds, w.P50Seconds, w.AllSeconds = median(first), median(half), median(w.AllRounds)
	return nil
}

// surge is when each of the pods that came was seen Ready.
type surge struct {
	began time.Time
	ready map[types.UID]time.Time
}

// waits are the seconds until each of them was, in order.
func (one *surge) waits() []float64 {
	var all []float64
	for _, at := range one.ready {
		all = append(all, at.Sub(one.began).Seconds())
	}
	slices.Sort(all)
	return all
}

// surge scales the workload up and watches its new pods.
func (s *stage) surge(ctx context.Context) (*surge, error) {
	old, err := s.pods(ctx)
	if err != nil {
		return nil, err
	}
	watched, err := s.client.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace), client.MatchingLabels{"app": "web"})
	if err != nil {
		return nil, fmt.Errorf("watching pods: %w", err)
	}
	defer watched.Stop()
	one := &surge{began: time.Now(), ready: map[types.UID]time.Time{}}
	if err := s.scale(ctx, s.options.Replicas+s.options.surge()); err != nil {
		return nil, err
	}
	late := time.After(within)
	for len(one.ready) < s.options.surge() {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return nil, fmt.Errorf("only %d of %d new pods were Ready after %s", len(one.ready), s.options.surge(), within)
		case e, open := <-watched.ResultChan():
			if !open {
				return nil, errors.New("the watch of pods ended")
			}
			pod, is := e.Object.(*corev1.Pod)
			if !is || old[pod.UID] || !isReady(pod) {
				continue
			}
			if _, known := one.ready[pod.UID]; !known {
				one.ready[pod.UID] = time.Now()
			}
		}
	}
	return one, nil
}

// surgeOnNewNodes has as many nodes come as the surge needs, the stated time after the first pod that fits nowhere.
func (s *stage) surgeOnNewNodes(ctx context.Context) (*surge, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	came := make(chan error, 1)
	go func() {
		err := s.until(ctx, "a pod fits nowhere", func(ctx context.Context) (bool, error) {
			var list corev1.PodList
			err := s.client.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app": "web"})
			return slices.ContainsFunc(list.Items, unschedulable), err
		})
		if err == nil {
			select {
			case <-time.After(s.options.NodeDelay):
			case <-ctx.Done():
			}
		}
		perNode := s.options.nodeCPU()
		for n := 0; err == nil && n*perNode < s.options.surge(); n++ {
			err = s.newNode(ctx, n)
		}
		if err != nil {
			cancel()
		}
		came <- err
	}()
	one, err := s.surge(ctx)
	cancel()
	if nodeErr := <-came; nodeErr != nil {
		return nil, nodeErr
	}
	return one, err
}

func unschedulable(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// pods are those of the workload.
func (s *stage) pods(ctx context.Context) (map[types.UID]bool, error) {
	var list corev1.PodList
	if err := s.client.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{"app": "web"}); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	out := map[types.UID]bool{}
	for i := range list.Items {
		out[list.Items[i].UID] = true
	}
	return out, nil
}

// scale writes the workload's scale, and tells the hub.
func (s *stage) scale(ctx context.Context, replicas int) error {
	web := s.workload("web", 0)
	patch := fmt.Appendf(nil, `{"spec": {"replicas": %d}}`, replicas)
	if err := s.client.SubResource("scale").Patch(ctx, web, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("scaling: %w", err)
	}
	return s.divide(ctx, replicas)
}

func (s *stage) ready(ctx context.Context, name string, replicas int) error {
	return s.until(ctx, name+" is Ready", func(ctx context.Context) (bool, error) {
		d := s.workload(name, 0)
		err := s.client.Get(ctx, client.ObjectKeyFromObject(d), d)
		return int(d.Status.ReadyReplicas) == replicas, err
	})
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}
