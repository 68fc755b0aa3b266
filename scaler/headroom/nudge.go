// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// nudgeAfter is how long a pod may wait for which there is room before the scheduler is nudged, and the time between two
// nudges.
const nudgeAfter = 10 * time.Second

// nudge ends one placeholder pod where a workload's pod waits although it would fit in its place.
//
// Since it preempts asynchronously (1.33), kube-scheduler now and then forgets a pod for which it has preempted: the
// victim's end comes to its attention before the pod waits for it, and nothing wakes the pod for minutes (issue 141694 of
// kubernetes/kubernetes, open). In a surge of 20 pods on full nodes that was seen once in three surges. The end of another
// pod wakes it.
func (s *scene) nudge(ctx context.Context, one *row) error {
	memo := one.sight.memo
	if age := s.now.Sub(memo.nudged); one.sight.snapshot.Waiting == 0 || age >= 0 && age < nudgeAfter {
		return nil
	}
	for _, surge := range s.plan.Surges {
		if surge.AtOnce[one.cluster.Name] == 0 {
			continue
		}
		waits, err := s.waits(ctx, one, surge.Workload)
		if err != nil {
			return err
		}
		if !waits {
			continue
		}
		victim, err := one.sight.placeholder(ctx, nameOf(surge.Workload))
		if err != nil || victim == nil {
			return err
		}
		memo.nudged = s.now
		if err := one.sight.member.Delete(ctx, victim, client.Preconditions{UID: &victim.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("end placeholder pod %s for a pod of %s that waits: %w; apply manifests/member there", victim.Name, surge.Workload, err)
		}
		logger(ctx, one.cluster.Name).Info("A pod waits although there is room: the scheduler is nudged", "workload", surge.Workload, "placeholder", victim.Name)
		return nil
	}
	return nil
}

// waits says whether a pod of a workload has been told some time ago that it fits nowhere.
func (s *scene) waits(ctx context.Context, one *row, name string) (bool, error) {
	i := slices.IndexFunc(s.workloads, func(w *workload) bool { return w.name == name })
	if i < 0 {
		return false, nil
	}
	p := s.workloads[i].in[one.cluster.Name]
	if p == nil || p.pod == nil || len(p.pod.Labels) == 0 {
		return false, nil
	}
	var pods corev1.PodList
	err := one.sight.member.List(ctx, &pods, client.InNamespace(p.pod.Namespace), client.MatchingLabels(p.pod.Labels), client.UnsafeDisableDeepCopy)
	if err != nil {
		return false, fmt.Errorf("list the pods of %s in member %s: %w", name, one.cluster.Name, err)
	}
	return slices.ContainsFunc(pods.Items, func(pod corev1.Pod) bool {
		if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
			return false
		}
		return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && s.now.Sub(c.LastTransitionTime.Time) >= nudgeAfter
		})
	}), nil
}

// placeholder is a placeholder pod that holds room: of a block if it has one, else of any; nil: there is none.
func (one *sight) placeholder(ctx context.Context, block string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := one.member.List(ctx, &pods, client.InNamespace(capacity.HeadroomNamespace), client.HasLabels{reserveLabel}); err != nil {
		return nil, fmt.Errorf("list the placeholder pods of member %s: %w", one.member.Name(), err)
	}
	var found *corev1.Pod
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName == "" || pod.DeletionTimestamp != nil || capacity.Ended(pod) {
			continue
		}
		if found == nil || pod.Labels[reserveLabel] == block {
			found = pod
		}
	}
	return found, nil
}
