// SPDX-License-Identifier: Apache-2.0

// Package divide divides a workload's replicas over clusters, by weights from what fits into each, and decides how they
// move when clusters fail, return, refuse pods or are drained: arithmetic on plain values, without clocks, clients or
// Kubernetes' types.
//
// Divide is the Webster (Sainte-Laguë) method with seeds and caps: every cluster first gets its minimum, then one seat
// after the other goes to the cluster with the largest weight / (2 x seats + 1). As that is one fixed sequence of seats,
// a replica more never shrinks a cluster and a replica less takes the last seat given; as a cluster's place in the
// sequence depends on its own weight and seats only, clusters only gain when another fails, and the old division is back
// when it returns. Sources: A. Sainte-Laguë, "La représentation proportionnelle et la méthode des moindres carrés"
// (1910); M. Balinski and H. P. Young, "Fair Representation" (1982), for the monotonicity of divisor methods.
package divide

import (
	"fmt"
	"hash/fnv"
	"math"
)

// MaxReplicas is the most replicas that are divided, and the largest weight that counts: what a Kubernetes scale can hold.
const MaxReplicas = math.MaxInt32

// Cluster is one that may get seats.
type Cluster struct {
	Name string
	// Weight is in any unit that is the same for all clusters. With 0 or less it gets its minimum, and more only when
	// all clusters with a weight are full. One above MaxReplicas counts as MaxReplicas.
	Weight int64
	// Min is the fewest seats it gets if there are any at all; Max wins over it. Below 0 it counts as 0.
	Min int64
	// Max is the most seats it gets; nil: no limit; 0 or less: none.
	Max *int64
}

// Division is how many seats each cluster has.
type Division struct {
	Seats map[string]int64 // by the cluster's name; every cluster is in it
	// Raised is how many more seats were given than asked for, because the minimums need them.
	Raised int64
	// Unplaced is how many seats of those asked for no cluster takes.
	Unplaced int64
}

// Total is the number of seats given: what was asked for + Raised - Unplaced.
func (d Division) Total() int64 {
	var sum int64
	for _, seats := range d.Seats {
		sum += seats
	}
	return sum
}

// Divide divides replicas over clusters; their order does not matter. 0 replicas are 0 everywhere: that is a workload
// switched off. Equal claims go to the cluster with fewer seats, then in an order that depends on the names and the salt;
// with the workload's name as salt, the odd replicas of many workloads do not all land in one cluster.
//
// It fails, without a division, if replicas are below 0 or above MaxReplicas, or two clusters have the same name.
// It costs O(k log(k) log(replicas)) for k clusters.
func Divide(replicas int64, clusters []Cluster, salt string) (Division, error) {
	all, err := newSeats(replicas, clusters, salt)
	if err != nil {
		return Division{}, err
	}
	var seeded int64
	for i := range all {
		if replicas > 0 {
			all[i].seats = min(all[i].least, all[i].most)
		}
		seeded += all[i].seats
	}
	d := Division{Raised: max(seeded-replicas, 0)}
	left := max(replicas-seeded, 0)
	weighty, rest := split(all)
	left = give(weighty, left)
	d.Unplaced = give(rest, left)
	d.Seats = make(map[string]int64, len(all))
	for _, s := range weighty {
		d.Seats[s.name] = s.seats
	}
	for _, s := range rest {
		d.Seats[s.name] = s.seats
	}
	return d, nil
}

func newSeats(replicas int64, clusters []Cluster, salt string) ([]seat, error) {
	if replicas < 0 || replicas > MaxReplicas {
		return nil, fmt.Errorf("%d replicas cannot be divided: state a number from 0 to %d", replicas, int64(MaxReplicas))
	}
	all, names := make([]seat, 0, len(clusters)), make(map[string]bool, len(clusters))
	for _, c := range clusters {
		if names[c.Name] {
			return nil, fmt.Errorf("cluster %q is named twice: give every cluster a name of its own", c.Name)
		}
		names[c.Name] = true
		most := int64(MaxReplicas)
		if c.Max != nil {
			most = min(max(*c.Max, 0), most)
		}
		all = append(all, seat{
			name: c.Name, tie: tie(salt, c.Name), most: most,
			weight: uint64(min(max(c.Weight, 0), MaxReplicas)), least: min(max(c.Min, 0), MaxReplicas),
		})
	}
	return all, nil
}

// split separates those with a weight from those without, which then weigh the same.
func split(all []seat) (weighty, rest []seat) {
	for _, s := range all {
		if s.weight > 0 {
			weighty = append(weighty, s)
			continue
		}
		s.weight = 1
		rest = append(rest, s)
	}
	return weighty, rest
}

func tie(salt, name string) uint64 {
	if salt == "" {
		return 0 // by name
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(salt + "\x00" + name)) // a hash takes everything
	return h.Sum64()
}
