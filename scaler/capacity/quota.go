// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// QuotaLeft is what ResourceQuotas have left of what they limit: "shop/quota/requests.cpu", by namespace, name and resource,
// in millicores for all kinds of cpu. It is below 0 where more is used than is allowed by now.
func QuotaLeft(quotas []corev1.ResourceQuota) fit.Resources {
	out := fit.Resources{}
	for i := range quotas {
		used := quotaAmounts(quotas[i].Status.Used)
		for name, hard := range quotaAmounts(quotas[i].Status.Hard) {
			out[nameInQuota(&quotas[i], name)] = hard - used[name]
		}
	}
	return out
}

// QuotaCosts is what one pod takes of what ResourceQuotas of its namespace limit, by the same names; what it takes nothing of
// is left out.
func QuotaCosts(quotas []corev1.ResourceQuota, pod *corev1.PodSpec) fit.Resources {
	out := fit.Resources{}
	for i := range quotas {
		if !concerns(&quotas[i], pod) {
			continue
		}
		for name := range quotas[i].Status.Hard {
			if each := costs(string(name), pod); each > 0 {
				out[nameInQuota(&quotas[i], string(name))] = each
			}
		}
	}
	return out
}

func nameInQuota(q *corev1.ResourceQuota, resource string) string {
	return q.Namespace + "/" + q.Name + "/" + resource
}

// costs is how much of a quota one pod takes; 0: nothing.
func costs(name string, pod *corev1.PodSpec) int64 {
	switch name {
	case string(corev1.ResourcePods), "count/pods":
		return 1
	case string(corev1.ResourceCPU), string(corev1.ResourceMemory), string(corev1.ResourceEphemeralStorage):
		return Requests(pod)[name]
	}
	if resource, ok := strings.CutPrefix(name, "requests."); ok {
		return Requests(pod)[resource]
	}
	if resource, ok := strings.CutPrefix(name, "limits."); ok {
		return Limits(pod)[resource]
	}
	return 0
}

// quotaAmounts are a quota's, as plain numbers: all kinds of cpu in millicores, everything else in whole units.
func quotaAmounts(list corev1.ResourceList) fit.Resources {
	out := fit.Resources{}
	for name, q := range list {
		if strings.HasSuffix(string(name), "."+string(corev1.ResourceCPU)) || name == corev1.ResourceCPU {
			out[string(name)] = q.MilliValue()
		} else {
			out[string(name)] = q.Value()
		}
	}
	return out
}

// concerns says whether a quota counts a pod. One with a scope that cannot be judged here does not: what it refuses is
// seen afterwards.
func concerns(q *corev1.ResourceQuota, pod *corev1.PodSpec) bool {
	for _, scope := range q.Spec.Scopes {
		if !inScope(corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}, pod) {
			return false
		}
	}
	if q.Spec.ScopeSelector == nil {
		return true
	}
	return !slices.ContainsFunc(q.Spec.ScopeSelector.MatchExpressions, func(r corev1.ScopedResourceSelectorRequirement) bool { return !inScope(r, pod) })
}

func inScope(r corev1.ScopedResourceSelectorRequirement, pod *corev1.PodSpec) bool {
	bestEffort := len(Requests(pod))+len(Limits(pod)) == 0
	switch r.ScopeName {
	case corev1.ResourceQuotaScopeBestEffort:
		return bestEffort
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !bestEffort
	case corev1.ResourceQuotaScopeTerminating:
		return pod.ActiveDeadlineSeconds != nil
	case corev1.ResourceQuotaScopeNotTerminating:
		return pod.ActiveDeadlineSeconds == nil
	case corev1.ResourceQuotaScopePriorityClass:
		named := slices.Contains(r.Values, pod.PriorityClassName)
		return r.Operator == corev1.ScopeSelectorOpIn && named || r.Operator == corev1.ScopeSelectorOpNotIn && !named ||
			r.Operator == corev1.ScopeSelectorOpExists && pod.PriorityClassName != ""
	}
	return false
}
