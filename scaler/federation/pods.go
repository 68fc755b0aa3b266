// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// The indexes of a member's caches, both by workload: "Deployment/shop".
const (
	podIndex = "plimsoll.dev/federation.workload"
	hpaIndex = "plimsoll.dev/federation.target"
)

func indexValue(kind, name string) string { return kind + "/" + name }

// podWorkloads are the workloads that a pod belongs to, read from the pod alone: its controller, and where that is a
// ReplicaSet, whose name is that of its maker and the hash of the template, the Deployment or Argo Rollout that made it.
func podWorkloads(object client.Object) []string {
	owner := metav1.GetControllerOfNoCopy(object)
	if owner == nil {
		return nil
	}
	values := []string{indexValue(owner.Kind, owner.Name)}
	if owner.Kind != "ReplicaSet" {
		return values
	}
	for label, kind := range map[string]string{"pod-template-hash": "Deployment", "rollouts-pod-template-hash": "Rollout"} {
		if hash := object.GetLabels()[label]; hash != "" {
			if maker, ok := strings.CutSuffix(owner.Name, "-"+hash); ok {
				values = append(values, indexValue(kind, maker))
			}
		}
	}
	return values
}

// hpaWorkload is the workload that an HPA scales.
func hpaWorkload(object client.Object) []string {
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return nil
	}
	return []string{indexValue(hpa.Spec.ScaleTargetRef.Kind, hpa.Spec.ScaleTargetRef.Name)}
}

// pods are a workload's pods in one member, those not counted that end or have ended.
type pods struct {
	all, ready int64
	placed     int64 // that have a node, and are not overdue there
	waiting    []waiting
	sample     *corev1.Pod
	// overdue are those of the waiting that have been for too long; due is when the next will be.
	overdue int64
	due     time.Time
}

// waiting is a pod of which no container runs: it has no node yet, or its images and volumes are not there.
type waiting struct {
	uid    types.UID
	placed bool
}

// startFactor is how many times the time-out for a node a pod may take to start on it: a large image takes minutes.
const startFactor = 5

// countPods counts the pods of a workload.
func (r reader) countPods(ctx context.Context, w *workload, namespace string) (pods, error) {
	var list corev1.PodList
	options := []client.ListOption{client.InNamespace(namespace), client.UnsafeDisableDeepCopy}
	if w.selector != nil {
		options = append(options, client.MatchingLabelsSelector{Selector: w.selector})
	} else {
		options = append(options, client.MatchingFields{podIndex: indexValue(w.kind, w.name)})
	}
	if err := r.member.List(ctx, &list, options...); err != nil {
		return pods{}, fmt.Errorf("list the pods of %s %s: %w", w.kind, w.name, err)
	}
	var p pods
	for i := range list.Items {
		pod := &list.Items[i]
		if !pod.DeletionTimestamp.IsZero() || capacity.Ended(pod) {
			continue
		}
		p.all++
		p.sample = pod
		if isReady(pod) {
			p.ready++
		}
		placed := pod.Spec.NodeName != ""
		if placed {
			p.placed++
		}
		if !placed || pod.Status.Phase == corev1.PodPending {
			p.waiting = append(p.waiting, waiting{pod.UID, placed})
		}
	}
	return p, nil
}

// time notes since when pods have been seen waiting, and counts those that have waited for a node for longer than a time-out,
// or have not started on it after startFactor times that. A pod's own times are by its cluster's clock, which may be wrong.
func (p *pods) time(seen map[types.UID]time.Time, now time.Time, timeout time.Duration) map[types.UID]time.Time {
	since := make(map[types.UID]time.Time, len(p.waiting))
	for _, pod := range p.waiting {
		first, known := seen[pod.uid]
		if !known || now.Before(first) {
			first = now
		}
		since[pod.uid] = first
		at := first.Add(timeout)
		if pod.placed {
			at = first.Add(startFactor * timeout)
		}
		if !now.Before(at) {
			p.overdue++
			if pod.placed {
				p.placed--
			}
		} else if p.due.IsZero() || at.Before(p.due) {
			p.due = at
		}
	}
	return since
}

func isReady(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// template is that of the workload's pods, as far as it is known.
func (w *workload) podTemplate(p *pods) *corev1.PodTemplateSpec {
	switch {
	case w.template != nil:
		return w.template
	case p.sample != nil: // requests and labels, no rules of placement: the cache has none
		return &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: p.sample.Labels}, Spec: corev1.PodSpec{Containers: p.sample.Spec.Containers}}
	}
	return &corev1.PodTemplateSpec{}
}

// ownerHPA is the name of an HPA of the member that scales the workload, "" if there is none.
func (r reader) ownerHPA(ctx context.Context, w *workload, namespace string) (string, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	err := r.member.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{hpaIndex: indexValue(w.kind, w.name)})
	if err != nil {
		return "", fmt.Errorf("list the HPAs of %s %s: %w", w.kind, w.name, err)
	}
	name := ""
	for i := range list.Items {
		if name == "" || list.Items[i].Name < name {
			name = list.Items[i].Name
		}
	}
	return name, nil
}
