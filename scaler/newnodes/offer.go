// SPDX-License-Identifier: Apache-2.0

package newnodes

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// HoldFor is how long an Offer counts. A server that does not answer for so long shifts nothing; after that its member
// counts without new nodes.
const HoldFor = 10 * time.Minute

// Offer is what a member's node groups may still add, and somebody has them add when pods need it. It does not change.
type Offer struct {
	at    time.Time
	nodes *capacity.Snapshot // a new node of each kind; nil: no nodes
	count []int64            // of each kind
	left  []reserve.Left
}

// Nothing is the offer of a member where nobody has node groups grown.
func Nothing(at time.Time) *Offer { return &Offer{at: at} }

// Offer is what the groups offer to one who grows them by some rules. idle says of a group, by its index, that it is not
// grown at present, whatever its maximum; what is on its way counts all the same.
func (g *Groups) Offer(rules capacity.Rules, idle func(i int) bool) *Offer {
	o := &Offer{at: g.At, nodes: g.Nodes}
	for i, n := range g.Nodes.Nodes(rules) {
		count := int64(g.MayAdd(i))
		if idle(i) {
			count = min(count, int64(g.Pending[i]))
		}
		o.count, o.left = append(o.count, count), append(o.left, n.Left())
	}
	return o
}

// Since is from when on an offer counts; the zero time: there is none.
func (o *Offer) Since() time.Time {
	if o == nil {
		return time.Time{}
	}
	return o.at
}

// Fits is how many pods like one fit on the new nodes, at most divide.MaxReplicas: on each node by itself, all nodes of a
// kind being alike.
func (o *Offer) Fits(pod *corev1.Pod) int64 {
	if o == nil || o.nodes == nil {
		return 0
	}
	shape, sum := o.nodes.Shape(pod), int64(0)
	on := shape.Nodes
	for _, i := range on {
		if !o.left[i].Holds(shape.Requests) {
			continue
		}
		shape.Nodes = []int{i}
		each := min(fit.Capacity(o.nodes.Left(), shape), divide.MaxReplicas)
		sum = min(sum+each*min(o.count[i], divide.MaxReplicas), divide.MaxReplicas)
	}
	return sum
}
