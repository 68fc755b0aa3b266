// SPDX-License-Identifier: Apache-2.0

// Package fit answers how many pods fit on nodes: arithmetic on what pods request and nodes have left, without clocks,
// clients or Kubernetes' types. Which nodes a pod may run on at all is decided by the caller.
//
// Capacity counts pods of one shape, where every order of placing them gives the same number. Place puts pods of
// several shapes on the same nodes, either one after another as Kubernetes' scheduler does by default (Spread) or as
// tightly as a simple rule can (Pack). Whatever is placed is a real placement, so "fits" is never claimed for pods
// that could not be placed; the other way round, a cleverer packing than either may exist.
package fit

import "math"

// Resources are amounts by name, in whole units that the caller chooses: millicores for cpu, bytes for memory.
// A name that is not there is 0.
type Resources map[string]int64

// Add returns the sum of two amounts. It stays within the range of int64.
func (r Resources) Add(other Resources) Resources {
	sum := make(Resources, max(len(r), len(other)))
	for name, n := range r {
		sum[name] = n
	}
	for name, n := range other {
		sum[name] = add(sum[name], n)
	}
	return sum
}

// Times returns n times the amounts. It stays within the range of int64.
func (r Resources) Times(n int64) Resources {
	product := make(Resources, len(r))
	for name, amount := range r {
		product[name] = times(amount, n)
	}
	return product
}

// Node is what one node has left.
type Node struct {
	// Free is what may still be requested; below 0 where more is requested than there is.
	Free Resources
	// Size is what the node has in all, against which Spread compares what is left. nil: Free.
	Size Resources
	// Pods is how many more pods it takes.
	Pods int64
}

// Room returns how many pods of the same requests fit on one node. Resources that are not requested do not matter.
func (n Node) Room(requests Resources) int64 {
	room := n.Pods
	for name, amount := range requests {
		if amount > 0 {
			room = min(room, n.Free[name]/amount)
		}
	}
	return max(room, 0)
}

// Shape is what pods have in common.
type Shape struct {
	Requests Resources
	// Nodes are the indices of the nodes on which they may run. nil: all; empty: none.
	Nodes []int
	// PerNode is the most that one node takes, besides what its resources allow. 0: no such limit.
	PerNode int64
}

// Demand is a number of pods that are to be placed.
type Demand struct {
	Shape
	Count int64
}

// Capacity returns how many pods of a shape fit on the nodes.
func Capacity(nodes []Node, s Shape) int64 {
	var all int64
	for _, i := range s.on(len(nodes)) {
		all = add(all, s.room(nodes[i], 0))
	}
	return all
}

// room is how many more pods of the shape a node takes that got some already.
func (s Shape) room(n Node, already int64) int64 {
	room := n.Room(s.Requests)
	if s.PerNode > 0 {
		room = min(room, max(s.PerNode-already, 0))
	}
	return room
}

// on are the indices of the nodes of the shape, of a number of nodes; those that do not exist are left out.
func (s Shape) on(nodes int) []int {
	if s.Nodes == nil {
		indices := make([]int, nodes)
		for i := range indices {
			indices[i] = i
		}
		return indices
	}
	indices, seen := make([]int, 0, min(nodes, len(s.Nodes))), make([]bool, nodes)
	for _, i := range s.Nodes {
		if i >= 0 && i < nodes && !seen[i] {
			seen[i] = true
			indices = append(indices, i)
		}
	}
	return indices
}

// add and times stay at the ends of int64 instead of going round them.
func add(a, b int64) int64 {
	sum := a + b
	switch {
	case a > 0 && b > 0 && sum < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && sum >= 0:
		return math.MinInt64
	}
	return sum
}

func times(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	product := a * b
	if product/b != a || a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
		if (a < 0) == (b < 0) {
			return math.MaxInt64
		}
		return math.MinInt64
	}
	return product
}
