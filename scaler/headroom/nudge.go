// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// nudgeAfter is how long a pod may wait for which there is room before the scheduler is nudged, and the time between two
// nudges. While one waits, the cluster is looked at every lookAgain.
const (
	nudgeAfter = 5 * time.Second
	lookAgain  = 3 * time.Second
)

// mostNudges is how often the scheduler is nudged for one pod: if that does not help, it waits for something else.
const mostNudges = 2

// nudge ends one placeholder pod where a workload's pod waits although it would fit in its place.
//
// Since it preempts asynchronously (1.33), kube-scheduler now and then forgets a pod for which it has preempted: the
// victim's end comes to its attention before the pod waits for it, and nothing wakes the pod for minutes (issue 141694 of
// kubernetes/kubernetes, open). In a surge of 20 pods on full nodes that was seen once in three surges. The end of another
// pod wakes it, and all others that wait. What a pod lacks besides room, such as a volume, is not known here.
func (s *scene) nudge(ctx context.Context, one *row) error {
	memo := one.sight.memo
	if one.sight.snapshot.Waiting == 0 {
		clear(memo.nudges)
		return nil
	}
	if age := s.now.Sub(memo.nudged); age >= 0 && age < nudgeAfter {
		one.result.waits = true
		return nil
	}
	waiting, err := one.sight.unplaced(ctx)
	if err != nil {
		return err
	}
	memo.forget(waiting)
	for _, surge := range s.plan.Surges {
		if surge.AtOnce[one.cluster.Name] == 0 {
			continue
		}
		pods := memo.helpless(waiting, s.podOf(one, surge.Workload))
		if len(pods) == 0 {
			continue
		}
		one.result.waits = true
		if pods = slices.DeleteFunc(pods, func(p *corev1.Pod) bool { return s.now.Sub(waitsSince(p)) < nudgeAfter }); len(pods) == 0 {
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
		for _, pod := range pods {
			memo.nudges[pod.UID]++
		}
		logger(ctx, one.cluster.Name).Info("A pod waits although there is room: the scheduler is nudged", "workload", surge.Workload, "placeholder", victim.Name)
		return nil
	}
	return nil
}

// podOf is a pod of a workload in a cluster; nil: it is not known, or nothing tells its pods from others.
func (s *scene) podOf(one *row, name string) *corev1.Pod {
	i := slices.IndexFunc(s.workloads, func(w *workload) bool { return w.name == name })
	if i < 0 {
		return nil
	}
	p := s.workloads[i].in[one.cluster.Name]
	if p == nil || p.pod == nil || len(p.pod.Labels) == 0 {
		return nil
	}
	return p.pod
}

// helpless are the pods of a workload among those that have been told that they fit nowhere, without those for which the
// scheduler was nudged often enough.
func (m *memo) helpless(waiting map[string][]*corev1.Pod, of *corev1.Pod) []*corev1.Pod {
	if of == nil {
		return nil
	}
	var out []*corev1.Pod
	selector := labels.SelectorFromSet(of.Labels)
	for _, pod := range waiting[of.Namespace] {
		if selector.Matches(labels.Set(pod.Labels)) && m.nudges[pod.UID] < mostNudges {
			out = append(out, pod)
		}
	}
	return out
}

// forget removes from memory the pods that wait no more.
func (m *memo) forget(waiting map[string][]*corev1.Pod) {
	wait := map[types.UID]bool{}
	for _, pods := range waiting {
		for _, pod := range pods {
			wait[pod.UID] = true
		}
	}
	maps.DeleteFunc(m.nudges, func(uid types.UID, _ int) bool { return !wait[uid] })
}

// waitsSince is since when a pod has been told that it fits nowhere.
func waitsSince(pod *corev1.Pod) time.Time {
	i := slices.IndexFunc(pod.Status.Conditions, unschedulable)
	if i < 0 {
		return time.Time{}
	}
	return pod.Status.Conditions[i].LastTransitionTime.Time
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
