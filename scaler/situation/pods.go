// SPDX-License-Identifier: Apache-2.0

package situation

import (
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
	var leads []time.Duration
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
		if lead, ok := leadOf(pod, ready); ok {
			leads = append(leads, lead)
		}
	}
	p.Lead, p.LeadSamples = quantile90(leads), len(leads)
	return p
}

// sameStart is how much later than the last container a pod may become Ready within one start.
const sameStart = 10 * time.Minute

// leadOf is the time from a pod's creation to its first Ready. The condition Ready says only when it turned True last,
// which in a pod that failed a probe or restarted since is much later than its first start. So a pod counts only if
// it was scheduled and then became Ready within sameStart of its creation plus the time that it waited for a node;
// any other pod says nothing about starts. Late first starts are lost with the restarts; of a workload that always
// takes longer no pod counts, and the lead is unmeasured, which the user can set right with leadTime.
func leadOf(pod *corev1.Pod, ready *corev1.PodCondition) (time.Duration, bool) {
	lead := ready.LastTransitionTime.Sub(pod.CreationTimestamp.Time)
	if pod.CreationTimestamp.IsZero() || ready.LastTransitionTime.IsZero() || lead < 0 {
		return 0, false
	}
	waited := time.Duration(0)
	if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionTrue {
		waited = max(0, c.LastTransitionTime.Sub(pod.CreationTimestamp.Time))
	}
	return lead, lead <= waited+sameStart
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
