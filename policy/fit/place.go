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
	p := newPlacing(nodes, demands)
	if strategy == Pack {
		p.pack()
	} else {
		p.spread()
	}
	return p.out
}

// placing has what nodes have left of the resources that are asked for, as plain numbers: it is looked at for every pod.
type placing struct {
	resources  int
	free, size []int64 // of node n and resource r: [n*resources+r]
	pods       []int64 // by node
	demands    []Demand
	asks       [][]ask // by demand
	out        []Placement
}

// ask is how much a pod of a demand requests of a resource.
type ask struct {
	resource int
	amount   int64
}

func newPlacing(nodes []Node, demands []Demand) *placing {
	p := &placing{pods: make([]int64, len(nodes)), demands: demands, asks: make([][]ask, len(demands)), out: make([]Placement, len(demands))}
	asked := Resources{}
	for _, d := range demands {
		if d.Count > 0 {
			maps.Copy(asked, d.Requests)
		}
	}
	names := slices.Sorted(maps.Keys(asked)) // sums of floats depend on the order
	p.resources = len(names)
	p.free, p.size = make([]int64, len(nodes)*len(names)), make([]int64, len(nodes)*len(names))
	for i, n := range nodes {
		p.pods[i] = n.Pods
		size := n.Size
		if size == nil {
			size = n.Free
		}
		for r, name := range names {
			p.free[i*len(names)+r], p.size[i*len(names)+r] = n.Free[name], size[name]
		}
	}
	for i, d := range demands {
		p.out[i].OnNode = map[int]int64{}
		for r, name := range names {
			if amount, is := d.Requests[name]; is {
				p.asks[i] = append(p.asks[i], ask{r, amount})
			}
		}
	}
	return p
}

// put takes count pods of a demand from what a node has left.
func (p *placing) put(demand, node int, count int64) {
	p.pods[node] -= count
	for _, a := range p.asks[demand] {
		if a.amount > 0 {
			p.free[node*p.resources+a.resource] -= times(a.amount, count)
		}
	}
	p.out[demand].Placed += count
	p.out[demand].OnNode[node] += count
}

// room is how many more pods of a demand a node takes.
func (p *placing) room(demand, node int) int64 {
	room := p.pods[node]
	for _, a := range p.asks[demand] {
		if a.amount > 0 {
			room = min(room, p.free[node*p.resources+a.resource]/a.amount)
		}
	}
	if most := p.demands[demand].PerNode; most > 0 {
		room = min(room, most-p.out[demand].OnNode[node])
	}
	return max(room, 0)
}

// share is what a node would have left with one more pod: the mean of the shares of what the demand requests.
func (p *placing) share(demand, node int) float64 {
	sum, count := 0.0, 0
	for _, a := range p.asks[demand] {
		at := node*p.resources + a.resource
		if size := p.size[at]; size > 0 {
			sum += float64(p.free[at]-a.amount) / float64(size)
			count++
		}
	}
	if count == 0 {
		return float64(p.pods[node])
	}
	return sum / float64(count)
}

func (p *placing) pack() {
	var order []int
	total, on, size := p.total(), make([][]int, len(p.demands)), make([]float64, len(p.demands))
	for i, d := range p.demands {
		if d.Count > 0 {
			order, on[i], size[i] = append(order, i), d.on(len(p.pods)), p.largest(i, total)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(len(on[a]), len(on[b])), cmp.Compare(size[b], size[a]))
	})
	for _, demand := range order {
		on := on[demand]
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

// total is what all nodes have together, by resource.
func (p *placing) total() []int64 {
	total := make([]int64, p.resources)
	for i, size := range p.size {
		total[i%p.resources] = add(total[i%p.resources], size)
	}
	return total
}

// largest is the largest share of an average node that a pod of the demand takes.
func (p *placing) largest(demand int, total []int64) float64 {
	most := 0.0
	for _, a := range p.asks[demand] {
		if total[a.resource] > 0 {
			most = max(most, float64(a.amount)/float64(total[a.resource]))
		}
	}
	return most
}

// spread gives pods in turn: next is always the demand of which the smallest share was tried.
func (p *placing) spread() {
	queues := make([]*nodeHeap, len(p.demands))
	for i, d := range p.demands {
		if d.Count <= 0 {
			continue
		}
		on := d.on(len(p.pods))
		queue := make(nodeHeap, 0, len(on))
		for _, node := range on {
			if p.room(i, node) > 0 {
				queue = append(queue, scored{node, p.share(i, node)})
			}
		}
		queues[i] = &queue
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
