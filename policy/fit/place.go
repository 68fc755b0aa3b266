// SPDX-License-Identifier: Apache-2.0

package fit

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
)

// Strategy is how pods of several shapes share nodes.
type Strategy int

const (
	// Spread places pods in turn, so that all demands grow at the same pace, each on the node that has the largest share
	// left: what Kubernetes' scheduler does by default (LeastAllocated), and what leaves a little on every node.
	Spread Strategy = iota
	// Pack places whole demands, first those that may use the fewest nodes and then the largest, on the fullest nodes.
	Pack
)

// Placement is where the pods of a demand went.
type Placement struct {
	Placed int64
	OnNode map[int]int64 // by the index of the node; nodes without any are left out
}

// Place places demands together. It returns one Placement for each demand, and changes none of its arguments.
func Place(nodes []Node, demands []Demand, strategy Strategy) []Placement {
	p := placing{nodes: make([]Node, len(nodes)), demands: demands, out: make([]Placement, len(demands))}
	for i, n := range nodes {
		p.nodes[i] = Node{Free: maps.Clone(n.Free), Size: n.Size, Pods: n.Pods}
		if p.nodes[i].Size == nil {
			p.nodes[i].Size = maps.Clone(n.Free)
		}
		if p.nodes[i].Free == nil {
			p.nodes[i].Free = Resources{}
		}
	}
	for i := range p.out {
		p.out[i].OnNode = map[int]int64{}
	}
	if strategy == Pack {
		p.pack()
	} else {
		p.spread()
	}
	return p.out
}

type placing struct {
	nodes   []Node
	demands []Demand
	out     []Placement
}

// put takes count pods of a demand from what a node has left.
func (p *placing) put(demand, node int, count int64) {
	n := &p.nodes[node]
	n.Pods -= count
	for name, amount := range p.demands[demand].Requests {
		if amount > 0 {
			n.Free[name] -= times(amount, count)
		}
	}
	p.out[demand].Placed += count
	p.out[demand].OnNode[node] += count
}

func (p *placing) room(demand, node int) int64 {
	return p.demands[demand].room(p.nodes[node], p.out[demand].OnNode[node])
}

// share is what a node would have left with one more pod: the mean of the shares of what the demand requests.
func (p *placing) share(demand, node int) float64 {
	n, sum, count := p.nodes[node], 0.0, 0
	for _, name := range slices.Sorted(maps.Keys(p.demands[demand].Requests)) { // floats depend on the order
		if size := n.Size[name]; size > 0 {
			sum += float64(n.Free[name]-p.demands[demand].Requests[name]) / float64(size)
			count++
		}
	}
	if count == 0 {
		return float64(n.Pods)
	}
	return sum / float64(count)
}

func (p *placing) pack() {
	order := make([]int, len(p.demands))
	for i := range order {
		order[i] = i
	}
	width, size := make([]int, len(order)), make([]float64, len(order))
	for i := range order {
		width[i], size[i] = len(p.demands[i].on(len(p.nodes))), p.size(i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(width[a], width[b]), cmp.Compare(size[b], size[a]))
	})
	for _, demand := range order {
		on := p.demands[demand].on(len(p.nodes))
		slices.SortStableFunc(on, func(a, b int) int { return cmp.Compare(p.share(demand, a), p.share(demand, b)) })
		for _, node := range on {
			if left := p.demands[demand].Count - p.out[demand].Placed; left > 0 {
				if count := min(left, p.room(demand, node)); count > 0 {
					p.put(demand, node, count)
				}
			}
		}
	}
}

// size is the largest share of an average node that a pod of the demand takes.
func (p *placing) size(demand int) float64 {
	total := Resources{}
	for _, n := range p.nodes {
		total = total.Add(n.Size)
	}
	most := 0.0
	for name, amount := range p.demands[demand].Requests {
		if total[name] > 0 {
			most = max(most, float64(amount)/float64(total[name]))
		}
	}
	return most
}

// spread gives pods in turn: next is always the demand of which the smallest share was tried.
func (p *placing) spread() {
	queues := make([]*nodeHeap, len(p.demands))
	for i := range queues {
		queues[i] = &nodeHeap{}
		for _, node := range p.demands[i].on(len(p.nodes)) {
			*queues[i] = append(*queues[i], scored{node, p.share(i, node)})
		}
		heap.Init(queues[i])
	}
	for {
		next, least := -1, 1.0
		for i, d := range p.demands {
			if tried := float64(p.out[i].Placed) / float64(max(d.Count, 1)); queues[i] != nil && p.out[i].Placed < d.Count && tried < least {
				next, least = i, tried
			}
		}
		if next < 0 {
			return
		}
		if node := p.best(next, queues[next]); node >= 0 {
			p.put(next, node, 1)
		} else {
			queues[next] = nil // nothing more fits
		}
	}
}

// best returns the node with the largest share left on which one more pod of the demand fits, -1 without any. What nodes
// have left only falls, so an old score is never too low: the first that is still right is the best.
func (p *placing) best(demand int, queue *nodeHeap) int {
	for queue.Len() > 0 {
		top := &(*queue)[0]
		if p.room(demand, top.node) == 0 {
			heap.Pop(queue)
			continue
		}
		score := p.share(demand, top.node)
		if score == top.score {
			return top.node
		}
		top.score = score
		heap.Fix(queue, 0)
	}
	return -1
}

type scored struct {
	node  int
	score float64
}

// nodeHeap has the largest score on top, and of equals the first node.
type nodeHeap []scored

func (h nodeHeap) Len() int { return len(h) }
func (h nodeHeap) Less(i, j int) bool {
	return h[i].score > h[j].score || h[i].score == h[j].score && h[i].node < h[j].node
}
func (h nodeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is heap's.
func (h *nodeHeap) Push(x any) { *h = append(*h, x.(scored)) }

// Pop is heap's.
func (h *nodeHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
