// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pods is what is known of the pods of the workload that an HPA scales.
type Pods struct {
	Total         int32 // that are not being deleted and have not ended
	Ready         int32
	Pending       int32 // not yet on a node or not yet started
	Unschedulable int32 // of the pending ones: no node has place for them

	Lead        time.Duration // 90th percentile from creation to Ready; 0: not measured
	LeadSamples int           // pods that it is measured from
}

// Workload names the object whose pods they are, as an HPA's scaleTargetRef does.
type Workload struct {
	Kind string
	Name string
}

// workloadsOf are the workloads that a pod belongs to, read from the pod alone: its controller, and where that is a
// ReplicaSet made by a Deployment (or an Argo Rollout), whose name is that of its maker and the hash of the template,
// the maker too. So neither the HPA's pods nor their number need any right to read workloads.
func workloadsOf(pod *corev1.Pod) []Workload {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return nil
	}
	all := []Workload{{owner.Kind, owner.Name}}
	if owner.Kind != "ReplicaSet" {
		return all
	}
	for label, kind := range map[string]string{"pod-template-hash": "Deployment", "rollouts-pod-template-hash": "Rollout"} {
		if hash := pod.Labels[label]; hash != "" {
			if maker, ok := strings.CutSuffix(owner.Name, "-"+hash); ok {
				all = append(all, Workload{kind, maker})
			}
		}
	}
	return all
}

// measure counts pods and measures their lead time.
func measure(pods []corev1.Pod) Pods {
	var p Pods
	var starts []start
	for i := range pods {
		pod := &pods[i]
		if !pod.DeletionTimestamp.IsZero() || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		p.Total++
		if pod.Status.Phase == corev1.PodPending || pod.Status.Phase == "" {
			p.Pending++
			if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
				p.Unschedulable++
			}
		}
		ready := condition(pod, corev1.PodReady)
		if ready == nil || ready.Status != corev1.ConditionTrue {
			continue
		}
		p.Ready++
		if s, ok := startOf(pod, ready); ok {
			starts = append(starts, s)
		}
	}
	leads := leadTimes(starts)
	p.Lead, p.LeadSamples = quantile90(leads), len(leads)
	return p
}

// start is how one pod came to be Ready.
type start struct {
	waited time.Duration // from creation to a node
	took   time.Duration // from the node to Ready
}

// slowestStart is the longest time from a node to Ready that is believed.
const slowestStart = 30 * time.Minute

// startOf reads a pod's start from its conditions. Ready says only when it turned True last, which in a pod that failed
// a probe or restarted since is later than its first start; leadTimes leaves such pods out.
func startOf(pod *corev1.Pod, ready *corev1.PodCondition) (start, bool) {
	if pod.CreationTimestamp.IsZero() || ready.LastTransitionTime.IsZero() {
		return start{}, false
	}
	var s start
	if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionTrue {
		s.waited = max(0, c.LastTransitionTime.Sub(pod.CreationTimestamp.Time))
	}
	s.took = ready.LastTransitionTime.Sub(pod.CreationTimestamp.Time) - s.waited
	return s, s.took >= 0 && s.took <= slowestStart
}

// leadTimes are the times from creation to the first Ready. A pod that took more than four times as long as the median
// from its node on (and more than a minute longer) became unready and Ready again since: its conditions tell nothing
// of its start. The wait for a node counts in full however long it was: it is part of what scaling up takes.
func leadTimes(starts []start) []time.Duration {
	if len(starts) == 0 {
		return nil
	}
	slices.SortFunc(starts, func(a, b start) int { return cmp.Compare(a.took, b.took) })
	limit := starts[(len(starts)-1)/2].took*4 + time.Minute
	var leads []time.Duration
	for _, s := range starts {
		if s.took <= limit {
			leads = append(leads, s.waited+s.took)
		}
	}
	return leads
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// quantile90 is the smallest duration that at least nine of ten are not above; 0 of none.
func quantile90(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)*9+9)/10-1]
}
