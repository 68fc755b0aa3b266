// SPDX-License-Identifier: Apache-2.0

// Package reserve says how much room clusters keep free for a surge, where, and what fits when one of them dies:
// arithmetic on plain values, without clocks, clients or Kubernetes' types.
//
// The reserve of a cluster is a percentage of what its nodes can allocate, and no less than the next replicas of the
// workloads need: with a workload at n replicas and a surge of h, a cluster keeps room for alloc(n+h) - alloc(n) of them,
// which is never negative, as a division of more replicas never shrinks a cluster (package divide). So the room is where
// the surge will land.
package reserve

import (
	"strings"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// Node is a node as headroom sees it. cpu is in millicores, memory in bytes.
type Node struct {
	Name        string
	Allocatable fit.Resources
	// Requested is what the pods on it request; the pods of the reserve itself do not count, as any other pod may take
	// their place.
	Requested fit.Resources
	Pods      int64 // that it takes in all
	Running   int64 // pods on it, without those of the reserve
	Cordoned  bool
	NotReady  bool
	Tainted   bool // with a taint, NoSchedule or NoExecute, that the headroom does not tolerate
	Named     bool // the headroom names its kind: neither taints nor extended resources leave it out
	Unnamed   bool // the headroom names other kinds only
}

// Left is why a node counts for neither the base nor the reserve; "" if it counts.
type Left string

// The reasons, the first that holds.
const (
	Cordoned Left = "Cordoned"
	NotReady Left = "NotReady"
	Unnamed  Left = "Unnamed"
	Tainted  Left = "Tainted"
	Extended Left = "ExtendedResources" // GPUs and the like: too dear to be kept for pods that do not ask for them
)

// Left returns why the node does not count.
func (n Node) Left() Left {
	switch {
	case n.Cordoned:
		return Cordoned
	case n.NotReady:
		return NotReady
	case n.Unnamed:
		return Unnamed
	case n.Named:
		return ""
	case n.Tainted:
		return Tainted
	}
	for name, amount := range n.Allocatable {
		if amount > 0 && dear(name) {
			return Extended
		}
	}
	return ""
}

// Holds says whether a node on which a workload's pods may run also holds room for them. Nodes with a taint that the pods
// tolerate do, and those with GPUs if the pods ask for some.
func (l Left) Holds(requests fit.Resources) bool {
	switch l {
	case Unnamed:
		return false
	case Extended:
		for name, amount := range requests {
			if amount > 0 && strings.Contains(name, "/") {
				return true
			}
		}
		return false
	}
	return true
}

// dear says whether a resource is a device such as a GPU: the names of extended resources have a domain. Network interfaces
// and addresses, which Amazon's nodes offer by the dozen, have one too and are none.
func dear(name string) bool {
	return strings.Contains(name, "/") && !strings.HasPrefix(name, "vpc.amazonaws.com/")
}

// free is what pods may still request of it.
func (n Node) free() fit.Node {
	out := fit.Node{Free: fit.Resources{}, Size: n.Allocatable, Pods: max(n.Pods-n.Running, 0)}
	for name, amount := range n.Allocatable {
		out.Free[name] = max(amount-max(n.Requested[name], 0), 0)
	}
	return out
}

// Base is what the nodes that count have together.
type Base struct {
	Nodes       int
	Allocatable fit.Resources
	Free        fit.Resources // the reserve is in it
	Left        map[Left]int  // nodes that do not count, by reason
}

// BaseOf sums up the nodes.
func BaseOf(nodes []Node) Base {
	b := Base{Allocatable: fit.Resources{}, Free: fit.Resources{}, Left: map[Left]int{}}
	for _, n := range nodes {
		if left := n.Left(); left != "" {
			b.Left[left]++
			continue
		}
		b.Nodes++
		b.Allocatable, b.Free = b.Allocatable.Add(n.Allocatable), b.Free.Add(n.free().Free)
	}
	return b
}

// Percent returns a percentage of an amount, rounded up. Percentages count from 0 to 1000, amounts below 0 as 0.
func Percent(amount, percent int64) int64 {
	amount, percent = max(amount, 0), min(max(percent, 0), 1000)
	if high := amount / 100; high > (1<<62)/1000 {
		return 1 << 62
	}
	return amount/100*percent + (amount%100*percent+99)/100
}

// room is what a cluster's nodes have left.
type room struct {
	nodes []fit.Node // by the index of the Node; those that take nothing have no room for pods
	count []int      // the indices of those that count
}

func roomOf(nodes []Node) room {
	r := room{nodes: make([]fit.Node, len(nodes)), count: []int{}}
	for i, n := range nodes {
		r.nodes[i] = n.free()
		switch n.Left() {
		case "":
			r.count = append(r.count, i)
		case Cordoned, NotReady:
			r.nodes[i].Pods = 0
		}
	}
	return r
}

// shape is a workload's shape: where it says nothing about nodes, it runs on those that count.
func (r room) shape(s fit.Shape) fit.Shape {
	if s.Nodes == nil {
		s.Nodes = r.count
	}
	return s
}
