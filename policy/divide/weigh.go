// SPDX-License-Identifier: Apache-2.0

package divide

import "github.com/plimsoll/plimsoll/policy/fit"

// Capacity is what a cluster could hold of one workload.
type Capacity struct {
	Nodes []fit.Node // what they have free, besides the workload's own pods
	Shape fit.Shape  // of the workload's pods
	// Own is how many of the workload's replicas have a node there now. Without them a busy cluster would weigh little,
	// its replicas would move away, and it would weigh much again.
	Own int64
	// Promised is how many more replicas of the shape the headroom promised to others would take. A reserve that whoever
	// comes first may take is promised to nobody.
	Promised int64
	// Quota is how many more pods the namespace's ResourceQuota allows; nil: no quota.
	Quota *int64
	// Expandable is how many pods of the shape would fit on nodes that its node groups may still add.
	Expandable int64
	// ExpandablePercent is how much of Expandable counts, from 0 to 100: those nodes take minutes and may not come.
	ExpandablePercent int64
}

// Weight returns how many replicas the cluster counts for, from 0 to MaxReplicas: its own, and those that fit besides on
// each node (not on the sum of what the nodes have left), at most what the quota allows.
func (c Capacity) Weight() int64 {
	fits := min(fit.Capacity(c.Nodes, c.Shape), MaxReplicas) - min(max(c.Promised, 0), MaxReplicas)
	more := max(fits, 0) + min(max(c.Expandable, 0), MaxReplicas)*min(max(c.ExpandablePercent, 0), 100)/100
	if c.Quota != nil {
		more = min(more, max(*c.Quota, 0))
	}
	return min(c.own()+more, MaxReplicas)
}

// Limit returns the most replicas that the quota allows the cluster, nil without a quota. A share above it would be
// refused by the API server.
func (c Capacity) Limit() *int64 {
	if c.Quota == nil {
		return nil
	}
	return new(min(c.own()+min(max(*c.Quota, 0), MaxReplicas), MaxReplicas))
}

func (c Capacity) own() int64 { return min(max(c.Own, 0), MaxReplicas) }
