// SPDX-License-Identifier: Apache-2.0

package reserve

import (
	"cmp"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/fit"
)

// counted are the resources of which a share is reserved.
func counted() []string { return []string{"cpu", "memory"} }

// Block is a number of pods of the same shape that stand for a workload's next replicas.
type Block struct {
	Workload string // "": what fills up to the percentage, for whoever comes
	Shape    fit.Shape
	Count    int64
	Fits     int64 // that fit on the nodes there are; the others need nodes
}

// Reserve is what one cluster keeps.
type Reserve struct {
	Cluster string
	Base    Base
	Wanted  fit.Resources // cpu and memory
	Held    fit.Resources // of that, what fits on the nodes there are
	Blocks  []Block       // by workload, the filling last
	Short   int64         // pods of all blocks that need nodes
}

// Surge is what one workload could take.
type Surge struct {
	Workload string
	Ahead    int64            // replicas beyond the present ones for which room is kept
	By       string           // the peak that asks for most of them, "" for none
	Next     map[string]int64 // of Ahead, those for which each cluster keeps room
	Unplaced int64            // of Ahead, those that no cluster takes
	Refused  int64            // of Ahead, those for which quotas or the limit on peaks leave no room
	// AtOnce is how many more replicas fit on the nodes of each cluster without waiting for any, if it surges alone and the
	// whole reserve is for it; no more than its limits allow.
	AtOnce map[string]int64
	// Together is how many of Next fit if all workloads surge at a time, NeedNodes how many of the others would fit on the
	// nodes that the cluster's node groups may still add.
	Together, NeedNodes map[string]int64

	calm map[string]int64 // what Next would be without the peak
}

// Plan is the reserve of all clusters.
type Plan struct {
	Reserves []Reserve // by the cluster's name
	Surges   []Surge   // in the workloads' order
	Losses   []Loss    // by the cluster's name: what happens if it dies now
}

// Decide says what the clusters keep, for what, and what happens when one of them dies. It is a function of its arguments
// only. It fails if a workload's division does: then nothing should be changed.
func Decide(clusters []Cluster, workloads []Workload, o Options, now time.Time) (Plan, error) {
	clusters = slices.Clone(clusters)
	slices.SortFunc(clusters, func(a, b Cluster) int { return cmp.Compare(a.Name, b.Name) })
	workloads = limited(clusters, workloads)
	var p Plan
	for _, w := range workloads {
		s, err := w.surge(o, now)
		if err != nil {
			return Plan{}, err
		}
		p.Surges = append(p.Surges, s)
	}
	rooms := make([]room, len(clusters))
	for i, c := range clusters {
		rooms[i] = roomOf(c.Nodes)
		p.Reserves = append(p.Reserves, p.reserve(c, rooms[i], workloads, o))
	}
	for _, c := range clusters {
		loss, err := ifLost(c.Name, clusters, rooms, workloads)
		if err != nil {
			return Plan{}, err
		}
		p.Losses = append(p.Losses, loss)
	}
	return p, nil
}

// surge is what a workload could take, before it is known what the clusters let through.
func (w Workload) surge(o Options, now time.Time) (Surge, error) {
	s := Surge{Workload: w.Name, AtOnce: map[string]int64{}, Together: map[string]int64{}, NeedNodes: map[string]int64{}}
	s.Ahead, s.By = w.Surge(o, now)
	quiet := w
	quiet.Peaks = nil
	calm, _ := quiet.Surge(o, now)
	var err error
	s.Next, s.Unplaced, err = w.Next(s.Ahead)
	if s.calm = s.Next; err == nil && calm != s.Ahead {
		s.calm, _, err = w.Next(calm)
	}
	return s, err
}

// reserve plans one cluster, and fills in what of the surges fits there.
func (p Plan) reserve(c Cluster, room room, workloads []Workload, o Options) Reserve {
	r := Reserve{Cluster: c.Name, Base: BaseOf(c.Nodes), Held: fit.Resources{}}
	wanted, keeps := fit.Resources{}, p.next(c, r.Base, workloads, o)
	for i, w := range workloads {
		in, there := w.In[c.Name]
		if !there {
			continue
		}
		shape := room.shape(in.Shape)
		p.Surges[i].AtOnce[c.Name] = min(fit.Capacity(room.nodes, shape), w.room(c.Name))
		s := &p.Surges[i]
		s.Refused += s.Next[c.Name] - keeps[i]
		s.Next[c.Name] = keeps[i]
		if next := keeps[i]; next > 0 {
			r.Blocks = append(r.Blocks, Block{Workload: w.Name, Shape: shape, Count: next})
			wanted = wanted.Add(in.Shape.Requests.Times(next))
		}
	}
	for i, placed := range fit.Place(room.nodes, demands(r.Blocks), fit.Spread) {
		p.together(r.Blocks[i].Workload, c.Name, placed.Placed)
	}
	p.needNodes(c, workloads)
	r.Wanted = fit.Resources{}
	missing := fit.Resources{}
	for _, name := range counted() {
		r.Wanted[name] = max(wanted[name], Percent(r.Base.Allocatable[name], o.Percent))
		missing[name] = r.Wanted[name] - wanted[name]
	}
	if b, some := filling(missing, r.Base, room); some {
		r.Blocks = append(r.Blocks, b)
	}
	for i, placed := range fit.Place(room.nodes, demands(r.Blocks), fit.Spread) {
		b := &r.Blocks[i]
		b.Fits = placed.Placed
		r.Short += b.Count - b.Fits
		for _, name := range counted() {
			r.Held[name] += b.Shape.Requests.Times(b.Fits)[name]
		}
	}
	return r
}

func (p Plan) together(workload, cluster string, placed int64) {
	for _, s := range p.Surges {
		if s.Workload == workload {
			s.Together[cluster] = placed
		}
	}
}

// needNodes places what did not fit together on the nodes that the cluster may add.
func (p Plan) needNodes(c Cluster, workloads []Workload) {
	if len(c.New) == 0 {
		return
	}
	wanted := make([]fit.Demand, len(workloads))
	for i, w := range workloads {
		in, there := w.In[c.Name]
		if !there {
			continue
		}
		shape := in.Shape
		shape.Nodes = in.New
		wanted[i] = fit.Demand{Shape: shape, Count: p.Surges[i].Next[c.Name] - p.Surges[i].Together[c.Name]}
	}
	for i, placed := range fit.Place(c.New, wanted, fit.Pack) {
		if placed.Placed > 0 {
			p.Surges[i].NeedNodes[c.Name] = placed.Placed
		}
	}
}

// room is how many replicas more than it has the workload's limit allows it in a cluster.
func (w Workload) room(cluster string) int64 {
	for _, c := range w.Clusters {
		if c.Name == cluster && c.Max != nil {
			return max(*c.Max-w.In[cluster].Replicas, 0)
		}
	}
	return count(1 << 62)
}

func demands(blocks []Block) []fit.Demand {
	out := make([]fit.Demand, len(blocks))
	for i, b := range blocks {
		out[i] = fit.Demand{Shape: b.Shape, Count: b.Count}
	}
	return out
}

// Placed is how many pods of each block fit on a cluster's nodes, all of them together. The blocks are those of Decide, or of
// other counts and sizes.
func Placed(nodes []Node, blocks []Block) []int64 {
	out := make([]int64, len(blocks))
	for i, placed := range fit.Place(roomOf(nodes).nodes, demands(blocks), fit.Spread) {
		out[i] = placed.Placed
	}
	return out
}

// parts of an average node are the pods that fill up to the percentage: small enough to go where there is room.
const parts = 8

// filling divides what is missing to the percentage into equal pods, none larger than a part of an average node.
func filling(missing fit.Resources, b Base, r room) (Block, bool) {
	pods := int64(0)
	for name, amount := range missing {
		if part := b.Allocatable[name] / int64(max(b.Nodes, 1)) / parts; amount > 0 {
			pods = max(pods, (amount+max(part, 1)-1)/max(part, 1))
		}
	}
	if pods == 0 {
		return Block{}, false
	}
	requests := fit.Resources{}
	for name, amount := range missing {
		requests[name] = (amount + pods - 1) / pods
	}
	return Block{Shape: fit.Shape{Requests: requests, Nodes: r.count}, Count: pods}, true
}
