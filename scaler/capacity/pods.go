// SPDX-License-Identifier: Apache-2.0

// Package capacity says what pods and nodes of Kubernetes mean to policy/fit and policy/reserve: what pods request, on which
// nodes they may run, and what those have left.
package capacity

import (
	"maps"
	"math"

	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// HeadroomNamespace is where, in every cluster, the pods and buffers of the reserve are, and nothing else.
const HeadroomNamespace = "plimsoll-headroom"

// Requests are what the scheduler books for a pod: cpu in millicores, everything else in whole units (memory in bytes).
func Requests(pod *corev1.PodSpec) fit.Resources {
	return amounts(pod, func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Requests })
}

// Limits are a pod's limits, in the units of Requests.
func Limits(pod *corev1.PodSpec) fit.Resources {
	return amounts(pod, func(r *corev1.ResourceRequirements) corev1.ResourceList { return r.Limits })
}

func amounts(pod *corev1.PodSpec, of func(*corev1.ResourceRequirements) corev1.ResourceList) fit.Resources {
	sum := fit.Resources{}
	for i := range pod.Containers {
		add(sum, of(&pod.Containers[i].Resources))
	}
	// Init containers run one after the other; those that restart always (sidecars) stay.
	sidecars, most := fit.Resources{}, fit.Resources{}
	for i := range pod.InitContainers {
		c := &pod.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(sum, of(&c.Resources))
			add(sidecars, of(&c.Resources))
			raise(most, sidecars)
		} else {
			raise(most, sidecars.Add(Amounts(of(&c.Resources))))
		}
	}
	raise(sum, most)
	if pod.Resources != nil {
		for name, amount := range Amounts(of(pod.Resources)) {
			sum[name] = amount
		}
	}
	add(sum, pod.Overhead)
	return sum
}

// book adds what a pod requests to a sum.
func book(sum fit.Resources, pod *corev1.PodSpec) {
	if len(pod.Containers) == 1 && len(pod.InitContainers) == 0 && pod.Resources == nil && pod.Overhead == nil {
		add(sum, pod.Containers[0].Resources.Requests) // as most are, and those that are cached in trimmed form all
		return
	}
	maps.Copy(sum, sum.Add(Requests(pod)))
}

// Amounts are quantities as plain numbers: cpu in millicores, everything else in whole units, rounded up.
func Amounts(list corev1.ResourceList) fit.Resources {
	out := make(fit.Resources, len(list))
	add(out, list)
	return out
}

func add(sum fit.Resources, list corev1.ResourceList) {
	for name, q := range list {
		amount := q.Value()
		if name == corev1.ResourceCPU {
			amount = q.MilliValue()
		}
		if amount > math.MaxInt64-max(sum[string(name)], 0) {
			amount = math.MaxInt64 - sum[string(name)] // no further than int64 reaches
		}
		sum[string(name)] += amount
	}
}

// raise makes of each amount the larger one.
func raise(most, other fit.Resources) {
	for name, amount := range other {
		most[name] = max(most[name], amount)
	}
}

// Ended says whether a pod has run to its end, and requests nothing any more.
func Ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
