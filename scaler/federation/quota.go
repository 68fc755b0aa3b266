// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// quota is how many more pods of a template the ResourceQuotas of a namespace let through; nil: none limits them.
func (r reader) quota(ctx context.Context, namespace string, template *corev1.PodTemplateSpec) (*int64, error) {
	var list corev1.ResourceQuotaList
	if err := r.member.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the ResourceQuotas of namespace %s: %w", namespace, err)
	}
	var most *int64
	for i := range list.Items {
		q := &list.Items[i]
		if !concerns(q, &template.Spec) {
			continue
		}
		used := amounts(q.Status.Used)
		for name, hard := range amounts(q.Status.Hard) {
			each := costs(name, &template.Spec)
			if each <= 0 {
				continue
			}
			if fits := max(hard-used[name], 0) / each; most == nil || fits < *most {
				most = &fits
			}
		}
	}
	return most, nil
}

// costs is how much of a quota one pod takes; 0: nothing.
func costs(name string, pod *corev1.PodSpec) int64 {
	switch name {
	case string(corev1.ResourcePods), "count/pods":
		return 1
	case string(corev1.ResourceCPU), string(corev1.ResourceMemory), string(corev1.ResourceEphemeralStorage):
		return capacity.Requests(pod)[name]
	}
	if resource, ok := strings.CutPrefix(name, "requests."); ok {
		return capacity.Requests(pod)[resource]
	}
	if resource, ok := strings.CutPrefix(name, "limits."); ok {
		return capacity.Limits(pod)[resource]
	}
	return 0
}

// amounts are a quota's, as plain numbers: all kinds of cpu in millicores, everything else in whole units.
func amounts(list corev1.ResourceList) fit.Resources {
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
	bestEffort := len(capacity.Requests(pod))+len(capacity.Limits(pod)) == 0
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

// quotaLimit is the most replicas that the quota allows. What was asked for there already stands: quotas refuse new pods
// and end none, and what they refuse shows as such.
func quotaLimit(more *int64, p *pods, replicas int64) *int64 {
	limit := divide.Capacity{Own: p.all, Quota: more}.Limit()
	if limit != nil {
		*limit = max(*limit, replicas)
	}
	return limit
}
