// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/health"
)

// HealthOptions are the rules by which the cluster's health is judged, with defaults for what is absent.
func (m *MemberCluster) HealthOptions() health.Options {
	p, o := &m.Spec.Probe, health.DefaultOptions()
	for _, each := range []struct {
		from *metav1.Duration
		to   *time.Duration
	}{
		{p.Interval, &o.Interval}, {p.Timeout, &o.Timeout}, {p.FailedAfter, &o.FailedAfter}, {p.HealthyAfter, &o.HealthyAfter}, {p.NodesAfter, &o.SharesFor},
		{p.DemandFor, &o.DemandAtMost},
	} {
		if each.from != nil {
			*each.to = max(each.from.Duration, 1) // 0 would be the default
		}
	}
	if p.FailureThreshold > 0 {
		o.FailureThreshold = p.FailureThreshold
	}
	if p.SuccessThreshold > 0 {
		o.SuccessThreshold = p.SuccessThreshold
	}
	o.MinReadyPods = p.MinReadyPodsPercent
	if p.MinReadyNodesPercent != nil {
		o.MinReadyNodes = *p.MinReadyNodesPercent
	}
	return o
}

// DefaultExpandablePercent is how much of what new nodes could hold counts where nothing is said.
const DefaultExpandablePercent = 50

// ExpandablePercent is how much of what nodes could hold that its node groups may still add counts in a division, in
// percent; 0 without node groups.
func (m *MemberCluster) ExpandablePercent() int64 {
	switch g := m.Spec.NodeGroups; {
	case g == nil:
		return 0
	case g.ExpandablePercent == nil:
		return DefaultExpandablePercent
	default:
		return int64(*g.ExpandablePercent)
	}
}
