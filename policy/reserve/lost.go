// SPDX-License-Identifier: Apache-2.0

package reserve

import (
	"fmt"
	"maps"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
)

// Verdict is what happens to a cluster's replicas if it dies now.
type Verdict string

// The verdicts, of which the worst of all workloads counts.
const (
	Fits        Verdict = "Fits"       // all fit on the other clusters' nodes
	NeedsNodes  Verdict = "NeedsNodes" // some wait for nodes that node groups may add
	DoesNotFit  Verdict = "DoesNotFit" // some fit nowhere
	maxRoutings         = 64           // after which what has not found room counts as without room
)

// Loss is what happens if a cluster dies now.
type Loss struct {
	Cluster   string
	Verdict   Verdict
	Workloads []Moved // those with replicas to move, in the workloads' order
}

// Moved is what happens to one workload. Replicas = Fit + NeedNodes + Homeless.
type Moved struct {
	Workload  string
	Replicas  int64
	Fit       int64
	NeedNodes int64
	Homeless  int64
	To        map[string]int64 // those that fit, by cluster; others are left out
}

// losing is the question what happens when one cluster dies.
type losing struct {
	cluster   string
	survivors []Cluster
	alive     map[string]bool // their names
	rooms     []room          // of the survivors
	workloads []Workload
	full      []map[string]int64 // by workload: the most replicas in a cluster that has no room for more
	out       []Moved
}

// ifLost divides the workloads over the surviving clusters as the failover would. Where the nodes, and the quotas that
// workloads share, take less than the division gives, the cluster is full, and its seats go on by the same sequence. What
// is said to fit was placed, all workloads together, the reserve's room included.
func ifLost(cluster string, clusters []Cluster, rooms []room, workloads []Workload) (Loss, error) {
	l := losing{cluster: cluster, alive: map[string]bool{}}
	for i, c := range clusters {
		if c.Name != cluster {
			l.survivors, l.rooms = append(l.survivors, c), append(l.rooms, rooms[i])
			l.alive[c.Name] = true
		}
	}
	for _, w := range workloads {
		if w.In[cluster].Replicas > 0 && !w.Stays {
			l.workloads = append(l.workloads, w)
			l.full = append(l.full, map[string]int64{})
			l.out = append(l.out, Moved{Workload: w.Name, Replicas: w.In[cluster].Replicas})
		}
	}
	for range maxRoutings {
		again, err := l.route()
		if err != nil {
			return Loss{}, err
		}
		if !again {
			break
		}
	}
	for i := range l.out {
		for _, n := range l.out[i].To {
			l.out[i].Fit += n
		}
	}
	for _, c := range l.survivors {
		l.grow(c)
	}
	return Loss{Cluster: cluster, Verdict: l.verdict(), Workloads: l.out}, nil
}

// route divides and places once, and reports whether some clusters turned out to be full.
func (l *losing) route() (bool, error) {
	gains := make([]map[string]int64, len(l.workloads))
	for i, w := range l.workloads {
		var err error
		if gains[i], err = l.gains(i, w); err != nil {
			return false, fmt.Errorf("if %s dies: %w", l.cluster, err)
		}
		l.out[i].To = map[string]int64{}
	}
	again := false
	for j, c := range l.survivors {
		wanted, left := make([]fit.Demand, len(l.workloads)), maps.Clone(c.Quota)
		for i, w := range l.workloads {
			in := w.In[c.Name]
			wanted[i] = fit.Demand{Shape: l.rooms[j].shape(in.Shape), Count: take(left, in.Quota, gains[i][c.Name])}
		}
		for i, placed := range fit.Place(l.rooms[j].nodes, wanted, fit.Spread) {
			if placed.Placed > 0 {
				l.out[i].To[c.Name] = placed.Placed
			}
			if placed.Placed < gains[i][c.Name] {
				l.full[i][c.Name], again = l.workloads[i].In[c.Name].Replicas+placed.Placed, true
			}
		}
	}
	return again, nil
}

// gains is how many replicas each survivor gets: those of the dead cluster, by the division's sequence from what the
// survivors have.
func (l *losing) gains(i int, w Workload) (map[string]int64, error) {
	clusters, replicas := make([]divide.Cluster, 0, len(w.Clusters)), count(l.out[i].Replicas)
	for _, c := range w.Clusters {
		in, there := w.In[c.Name]
		if !there || !l.alive[c.Name] {
			continue
		}
		c.Min = count(in.Replicas)
		replicas += c.Min
		limit := int64(divide.MaxReplicas)
		if c.Max != nil {
			limit = *c.Max
		}
		if full, is := l.full[i][c.Name]; is {
			limit = min(limit, full)
		}
		c.Max = new(max(limit, c.Min))
		clusters = append(clusters, c)
	}
	d, err := divide.Divide(count(replicas), clusters, w.Name)
	if err != nil {
		return nil, err
	}
	for _, c := range clusters {
		d.Seats[c.Name] -= c.Min
	}
	return d.Seats, nil
}

// grow places what did not fit on the nodes that a cluster may add.
func (l *losing) grow(c Cluster) {
	wanted, left := make([]fit.Demand, len(l.workloads)), maps.Clone(c.Quota)
	for i, w := range l.workloads {
		take(left, w.In[c.Name].Quota, l.out[i].To[c.Name])
	}
	for i, w := range l.workloads {
		m := l.out[i]
		in, there := w.In[c.Name]
		if !there {
			continue
		}
		shape := in.Shape
		shape.Nodes = in.New
		more := max(min(m.Replicas-m.Fit-m.NeedNodes, w.room(c.Name)-m.To[c.Name]), 0)
		wanted[i] = fit.Demand{Shape: shape, Count: take(left, in.Quota, more)}
	}
	for i, placed := range fit.Place(c.New, wanted, fit.Pack) {
		l.out[i].NeedNodes += placed.Placed
	}
}

func (l *losing) verdict() Verdict {
	out := Fits
	for i := range l.out {
		m := &l.out[i]
		m.Homeless = m.Replicas - m.Fit - m.NeedNodes
		switch {
		case m.Homeless > 0:
			out = DoesNotFit
		case m.NeedNodes > 0 && out == Fits:
			out = NeedsNodes
		}
	}
	return out
}
