// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// stranded are the pods of divided workloads that wait in a cluster although everything is full, as far as they find no
// room: the division counts nodes that the groups may still add, so somebody must have them added. A reserve that falls
// short has nodes added as well, but it may be whole while pods wait: where the next replicas go elsewhere, what fills it up
// is smaller than they are and may be on nodes that they may not use.
func (s *scene) stranded(ctx context.Context, one *row) ([]fit.Demand, error) {
	snapshot := one.sight.snapshot
	if snapshot.Waiting == 0 {
		return nil, nil
	}
	waiting, err := one.sight.unplaced(ctx)
	if err != nil {
		return nil, err
	}
	var out []fit.Demand
	for _, w := range s.workloads {
		p := w.in[one.cluster.Name]
		if !w.acts || p == nil || p.pod == nil || len(p.pod.Labels) == 0 {
			continue
		}
		count := takeOut(waiting, p.pod)
		if count == 0 {
			continue
		}
		shape := snapshot.Shape(p.pod)
		if count -= fit.Capacity(snapshot.Left(), shape); count <= 0 {
			continue // the scheduler will find it
		}
		shape.Nodes = one.sight.groups.takes(p.pod, shape.Requests)
		out = append(out, fit.Demand{Shape: shape, Count: count})
	}
	return out, nil
}

// takeOut removes the pods that have a workload's labels from those that wait, so that no other workload counts them as well,
// and returns their number.
func takeOut(waiting map[string][]*corev1.Pod, of *corev1.Pod) int64 {
	before, selector := waiting[of.Namespace], labels.SelectorFromSet(of.Labels)
	after := slices.DeleteFunc(slices.Clone(before), func(pod *corev1.Pod) bool { return selector.Matches(labels.Set(pod.Labels)) })
	waiting[of.Namespace] = after
	return int64(len(before) - len(after))
}

// unplaced are the pods that have been told that they fit nowhere, by namespace.
func (one *sight) unplaced(ctx context.Context) (map[string][]*corev1.Pod, error) {
	var pods corev1.PodList
	if err := one.member.List(ctx, &pods, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the pods of member %s: %w", one.member.Name(), err)
	}
	out := map[string][]*corev1.Pod{}
	for i := range pods.Items {
		note(out, &pods.Items[i])
	}
	return out, nil
}

// note adds a pod to those that have been told that they fit nowhere, if it has been.
func note(waiting map[string][]*corev1.Pod, pod *corev1.Pod) {
	if pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, unschedulable) {
		waiting[pod.Namespace] = append(waiting[pod.Namespace], pod)
	}
}

func unschedulable(c corev1.PodCondition) bool {
	return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
}

// takes are the groups on whose nodes a pod may run and has room kept for it, by their index.
func (g *groups) takes(pod *corev1.Pod, requests fit.Resources) []int {
	on, _ := g.Nodes.Eligible(pod)
	return slices.DeleteFunc(on, func(i int) bool { return !g.left[i].Holds(requests) })
}
