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
// nudges. While one waits, the cluster is looked at every lookAgain.
const (
	nudgeAfter = 5 * time.Second
	lookAgain  = 3 * time.Second
)

// nudge ends one placeholder pod where a workload's pod waits although it would fit in its place.
//
// Since it preempts asynchronously (1.33), kube-scheduler now and then forgets a pod for which it has preempted: the
// victim's end comes to its attention before the pod waits for it, and nothing wakes the pod for minutes (issue 141694 of
// kubernetes/kubernetes, open). In a surge of 20 pods on full nodes that was seen once in three surges. The end of another
// pod wakes it.
func (s *scene) nudge(ctx context.Context, one *row) error {
	memo := one.sight.memo
	if one.sight.snapshot.Waiting == 0 {
		return nil
	}
	if age := s.now.Sub(memo.nudged); age >= 0 && age < nudgeAfter {
		one.result.waits = true
		return nil
	}
	for _, surge := range s.plan.Surges {
		if surge.AtOnce[one.cluster.Name] == 0 {
			continue
		}
		since, err := s.waits(ctx, one, surge.Workload)
		if err != nil {
			return err
		}
		if since.IsZero() {
			continue
		}
		one.result.waits = true
		if s.now.Sub(since) < nudgeAfter {
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

// waits is since when a pod of a workload has been told that it fits nowhere, the longest; the zero time: none has.
func (s *scene) waits(ctx context.Context, one *row, name string) (time.Time, error) {
	i := slices.IndexFunc(s.workloads, func(w *workload) bool { return w.name == name })
	if i < 0 {
		return time.Time{}, nil
	}
	p := s.workloads[i].in[one.cluster.Name]
	if p == nil || p.pod == nil || len(p.pod.Labels) == 0 {
		return time.Time{}, nil
	}
	var pods corev1.PodList
	err := one.sight.member.List(ctx, &pods, client.InNamespace(p.pod.Namespace), client.MatchingLabels(p.pod.Labels), client.UnsafeDisableDeepCopy)
	if err != nil {
		return time.Time{}, fmt.Errorf("list the pods of %s in member %s: %w", name, one.cluster.Name, err)
	}
	var first time.Time
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
			continue
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && (first.IsZero() || c.LastTransitionTime.Time.Before(first)) {
				first = c.LastTransitionTime.Time
			}
		}
	}
	return first, nil
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
