// SPDX-License-Identifier: Apache-2.0

package reserve

import (
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
)

// Cluster is one cluster.
type Cluster struct {
	Name  string
	Nodes []Node
	// New are the empty nodes that its node groups may still add.
	New []fit.Node
	// Quota is what is left of the quotas of its namespaces, by any names; those that limit a workload are in its Presence.
	Quota fit.Resources
}

// Workload is one that runs in one or more of the clusters.
type Workload struct {
	Name      string // also the salt of its division
	Namespace string // whose workloads together have a fair share of what the limit on peaks allows
	Replicas  int64  // in all
	// Clusters are those of its division (divide.Divide), with weights and limits.
	Clusters []divide.Cluster
	In       map[string]Presence // by cluster
	Peaks    []Peak
	Stays    bool // its replicas do not move when a cluster fails
}

// Presence is what a workload has in one cluster.
type Presence struct {
	Replicas int64
	// Shape is that of its pods. Its nodes are indices of Cluster.Nodes; nil: all that count.
	Shape fit.Shape
	// New are the indices of Cluster.New on which they may run; nil: all.
	New []int
	// Quota is what one of its pods takes of Cluster.Quota. What no quota names is limited by none.
	Quota fit.Resources
}

// Peak is a demand that a schedule or a forecast has announced.
type Peak struct {
	Replicas    int64
	From, Until time.Time
	By          string // "ScaleSchedule shop/evening"
}

// Options are what a Headroom says.
type Options struct {
	Percent int64         // of what can be allocated, and of the replicas; 100 and no peaks: what if there were twice as many
	Lead    time.Duration // how long before a peak its room is made
	// Peaks is how large announced peaks may make a cluster's reserve: a percentage of what its nodes can allocate, those
	// included that the reserve would need. nil, or 100 and more: as large as they ask for.
	Peaks *int64
}

// Surge returns how many replicas beyond the present ones room is kept for, and for which peak ("" for none): the
// percentage of the present ones or, from the lead before an announced peak until its end, what is missing to it and the
// percentage of it.
func (w Workload) Surge(o Options, now time.Time) (int64, string) {
	most, by := count(w.Replicas), ""
	for _, p := range w.Peaks {
		if now.Before(p.From.Add(-o.Lead)) || !now.Before(p.Until) {
			continue
		}
		if n := count(p.Replicas); n > most {
			most, by = n, p.By
		}
	}
	return count(most+Percent(most, o.Percent)) - count(w.Replicas), by
}

func count(replicas int64) int64 { return min(max(replicas, 0), divide.MaxReplicas) }

// Next returns how many of the next replicas go to each cluster, and how many no cluster takes. It fails if the division
// does.
func (w Workload) Next(more int64) (map[string]int64, int64, error) {
	now, err := divide.Divide(count(w.Replicas), w.Clusters, w.Name)
	if err != nil {
		return nil, 0, fmt.Errorf("the reserve of %s: %w", w.Name, err)
	}
	then, err := divide.Divide(count(w.Replicas+more), w.Clusters, w.Name)
	if err != nil {
		return nil, 0, fmt.Errorf("the reserve of %s: %w", w.Name, err)
	}
	for name, seats := range now.Seats {
		then.Seats[name] -= seats
	}
	return then.Seats, then.Unplaced - now.Unplaced, nil
}
