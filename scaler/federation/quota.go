// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// quota is how many more pods of a template the ResourceQuotas of a namespace let through; nil: none limits them.
func (r reader) quota(ctx context.Context, namespace string, template *corev1.PodTemplateSpec) (*int64, error) {
	var list corev1.ResourceQuotaList
	if err := r.member.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the ResourceQuotas of namespace %s: %w", namespace, err)
	}
	var most *int64
	left := capacity.QuotaLeft(list.Items)
	for name, each := range capacity.QuotaCosts(list.Items, &template.Spec) {
		if fits := max(left[name], 0) / each; most == nil || fits < *most {
			most = &fits
		}
	}
	return most, nil
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
