// SPDX-License-Identifier: Apache-2.0

package reserve_test

import (
	"fmt"
	"testing"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

// 10 clusters of 100 nodes with 20 workloads everywhere; and a large fleet with workloads in a tenth of the clusters each.
func BenchmarkDecide(b *testing.B) {
	for _, size := range []struct{ clusters, nodes, workloads, in int }{{10, 100, 20, 10}, {50, 1000, 200, 5}} {
		w := fleet(size.clusters, size.nodes, size.workloads, size.in)
		b.Run(fmt.Sprintf("clusters=%d,nodes=%d,workloads=%d,in=%d", size.clusters, size.nodes, size.workloads, size.in), func(b *testing.B) {
			for b.Loop() {
				p, err := reserve.Decide(w.clusters, w.workloads, reserve.Options{Percent: 20}, noon)
				if err != nil || len(p.Losses) != size.clusters {
					b.Fatal(len(p.Losses), err)
				}
			}
		})
	}
}

// fleet has workloads of 50 replicas in each of so many clusters.
func fleet(clusters, nodes, workloads, in int) world {
	var w world
	for i := range clusters {
		c := reserve.Cluster{Name: fmt.Sprintf("c%d", i)}
		for j := range nodes {
			c.Nodes = append(c.Nodes, node(int64(j%6)))
		}
		w.clusters = append(w.clusters, c)
	}
	for i := range workloads {
		l := reserve.Workload{Name: fmt.Sprintf("w%d", i), Replicas: 50 * int64(in), In: map[string]reserve.Presence{}}
		for j := range in {
			c := w.clusters[(i+j*(clusters/in))%clusters]
			l.Clusters = append(l.Clusters, divide.Cluster{Name: c.Name, Weight: 100, Min: 1})
			l.In[c.Name] = reserve.Presence{Replicas: 50, Shape: core()}
		}
		w.workloads = append(w.workloads, l)
	}
	return w
}
