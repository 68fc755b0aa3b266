// SPDX-License-Identifier: Apache-2.0

package capacity

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/fit"
)

func TestQuotaLetsThrough(t *testing.T) {
	pod := corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("1Gi")},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")},
	}}}}
	for name, want := range map[string]int64{
		"pods": 1, "count/pods": 1, "cpu": 500, "requests.cpu": 500, "limits.cpu": 2000, "requests.memory": 1 << 30, "memory": 1 << 30,
		"limits.memory": 0, "requests.nvidia.com/gpu": 0, "services": 0, "count/deployments.apps": 0,
	} {
		require.Equal(t, want, costs(name, &pod), name)
	}
	scope := func(name corev1.ResourceQuotaScope, operator corev1.ScopeSelectorOperator, values ...string) *corev1.ResourceQuota {
		return &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{ScopeSelector: &corev1.ScopeSelector{
			MatchExpressions: []corev1.ScopedResourceSelectorRequirement{{ScopeName: name, Operator: operator, Values: values}},
		}}}
	}
	pod.PriorityClassName = "gold"
	require.True(t, concerns(scope(corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpIn, "gold"), &pod))
	require.False(t, concerns(scope(corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpIn, "silver"), &pod))
	require.True(t, concerns(scope(corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpNotIn, "silver"), &pod))
	require.True(t, concerns(scope(corev1.ResourceQuotaScopeNotBestEffort, corev1.ScopeSelectorOpExists), &pod))
	require.False(t, concerns(&corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Scopes: []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeTerminating}}}, &pod))
	require.False(t, concerns(scope(corev1.ResourceQuotaScopeCrossNamespacePodAffinity, corev1.ScopeSelectorOpExists), &pod))
	require.True(t, concerns(&corev1.ResourceQuota{}, &pod))

	amount := func(cpu, pods string) corev1.ResourceList {
		return corev1.ResourceList{"requests.cpu": resource.MustParse(cpu), corev1.ResourcePods: resource.MustParse(pods), "services": resource.MustParse("3")}
	}
	quotas := []corev1.ResourceQuota{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "a"}, Status: corev1.ResourceQuotaStatus{Hard: amount("4", "10"), Used: amount("4500m", "3")}},
		*scope(corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpIn, "silver"),
	}
	quotas[1].Status.Hard = amount("1", "1")
	require.Equal(t, fit.Resources{"shop/a/requests.cpu": 500, "shop/a/pods": 1}, QuotaCosts(quotas, &pod))
	require.Equal(t, fit.Resources{"shop/a/requests.cpu": -500, "shop/a/pods": 7, "shop/a/services": 0, "//requests.cpu": 1000, "//pods": 1, "//services": 3}, QuotaLeft(quotas))
}
