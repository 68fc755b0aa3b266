// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/plimsoll/plimsoll/scaler/capacity"
)

func requestsOf(r corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }
func limitsOf(r corev1.ResourceRequirements) corev1.ResourceList   { return r.Limits }

// withDefaults is a pod's spec as it is after admission: LimitRanges fill in what containers leave out, and a limit stands
// in for a request that is missing.
func withDefaults(pod corev1.PodSpec, limits []corev1.LimitRange) corev1.PodSpec {
	pod = *pod.DeepCopy()
	for _, list := range [][]corev1.Container{pod.Containers, pod.InitContainers} {
		for i := range list {
			r := &list[i].Resources
			fill(&r.Requests, r.Limits)
			for j := range limits {
				for _, item := range limits[j].Spec.Limits {
					if item.Type == corev1.LimitTypeContainer {
						fill(&r.Limits, item.Default)
						fill(&r.Requests, item.DefaultRequest)
					}
				}
			}
			fill(&r.Requests, r.Limits)
		}
	}
	return pod
}

func fill(list *corev1.ResourceList, from corev1.ResourceList) {
	for name, q := range from {
		if _, set := (*list)[name]; !set {
			if *list == nil {
				*list = corev1.ResourceList{}
			}
			(*list)[name] = q
		}
	}
}

// leftOut names a container that states neither a request nor a limit of cpu or memory, and which; "" if all state both, or
// the pod does for them. The pod is one withDefaults.
func leftOut(pod *corev1.PodSpec) (container string, resource corev1.ResourceName) {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if pod.Resources != nil {
			if _, set := pod.Resources.Requests[name]; set {
				continue
			}
		}
		for _, list := range [][]corev1.Container{pod.Containers, pod.InitContainers} {
			for i := range list {
				if _, set := list[i].Resources.Requests[name]; !set {
					return list[i].Name, name
				}
			}
		}
	}
	return "", ""
}

// crowd are the pods of one workload.
type crowd struct {
	all    int64       // that will stay
	bound  int64       // of them on a node
	newest *corev1.Pod // of those that will stay
}

// podsOf finds the pods of a workload. They are known by its selector.
func (w *World) podsOf(workload *Workload) crowd {
	var c crowd
	selector, err := metav1.LabelSelectorAsSelector(workload.Selector)
	if workload.Selector == nil || err != nil || selector.Empty() {
		return c
	}
	for i := range w.Pods {
		pod := &w.Pods[i]
		if pod.Namespace != workload.Namespace || capacity.Ended(pod) || pod.DeletionTimestamp != nil || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		c.all++
		if pod.Spec.NodeName != "" {
			c.bound++
		}
		if c.newest == nil || pod.CreationTimestamp.After(c.newest.CreationTimestamp.Time) {
			c.newest = pod
		}
	}
	return c
}

// podOf is what the next pod of a workload will be: as its newest one is, which has what admission adds, or else as its
// template and the namespace's LimitRanges say.
func (w *World) podOf(workload *Workload, c crowd) *corev1.Pod {
	if c.newest != nil && !workload.FromFile {
		return c.newest
	}
	if workload.Template == nil {
		return nil
	}
	pod := &corev1.Pod{ObjectMeta: workload.Template.ObjectMeta, Spec: withDefaults(workload.Template.Spec, w.limitsOf(workload.Namespace))}
	pod.Namespace = workload.Namespace
	return pod
}

func (w *World) limitsOf(namespace string) []corev1.LimitRange {
	return slices.DeleteFunc(slices.Clone(w.Limits), func(l corev1.LimitRange) bool { return l.Namespace != namespace })
}
