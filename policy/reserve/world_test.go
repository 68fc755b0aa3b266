// SPDX-License-Identifier: Apache-2.0

package reserve_test

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

type world struct {
	clusters  []reserve.Cluster
	workloads []reserve.Workload
	options   reserve.Options
}

func anyWorld(t *rapid.T) world {
	w := world{options: reserve.Options{Percent: rapid.Int64Range(0, 120).Draw(t, "percent"), Lead: time.Hour}}
	if rapid.Bool().Draw(t, "peaks are limited") {
		w.options.Peaks = new(rapid.Int64Range(0, 110).Draw(t, "peaks"))
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "clusters") {
		c := reserve.Cluster{Name: fmt.Sprintf("c%d", i)}
		for range rapid.IntRange(0, 4).Draw(t, "nodes") {
			n := node(rapid.Int64Range(0, 9).Draw(t, "requested"))
			n.Cordoned, n.Tainted = rapid.IntRange(0, 9).Draw(t, "cordoned") == 0, rapid.IntRange(0, 9).Draw(t, "tainted") == 0
			c.Nodes = append(c.Nodes, n)
		}
		for range rapid.IntRange(0, 2).Draw(t, "new nodes") {
			c.New = append(c.New, fit.Node{Free: fit.Resources{"cpu": 8000, "memory": 32}, Pods: 110})
		}
		if rapid.IntRange(0, 2).Draw(t, "quota") == 0 {
			c.Quota = fit.Resources{"pods": rapid.Int64Range(-1, 20).Draw(t, "quota of pods"), "cpu": rapid.Int64Range(-1000, 20000).Draw(t, "quota of cpu")}
		}
		w.clusters = append(w.clusters, c)
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "workloads") {
		l := reserve.Workload{Name: fmt.Sprintf("w%d", i), In: map[string]reserve.Presence{}}
		shape := fit.Shape{Requests: fit.Resources{"cpu": rapid.Int64Range(100, 3000).Draw(t, "cpu"), "memory": rapid.Int64Range(0, 4).Draw(t, "memory")}}
		for _, c := range w.clusters {
			d := divide.Cluster{Name: c.Name, Weight: rapid.Int64Range(0, 50).Draw(t, "weight"), Min: 1}
			if rapid.IntRange(0, 3).Draw(t, "capped") == 0 {
				d.Max = new(rapid.Int64Range(1, 20).Draw(t, "max"))
			}
			l.Clusters = append(l.Clusters, d)
		}
		l.Replicas = rapid.Int64Range(0, 60).Draw(t, "replicas")
		d, err := divide.Divide(l.Replicas, l.Clusters, l.Name)
		require.NoError(t, err)
		for _, c := range w.clusters {
			l.In[c.Name] = reserve.Presence{Replicas: d.Seats[c.Name], Shape: shape, Quota: fit.Resources{"pods": 1, "cpu": shape.Requests["cpu"], "other": 1}}
		}
		if rapid.Bool().Draw(t, "peak") {
			l.Peaks = []reserve.Peak{{Replicas: rapid.Int64Range(0, 100).Draw(t, "peak replicas"), From: noon, Until: noon.Add(time.Hour)}}
		}
		w.workloads = append(w.workloads, l)
	}
	return w
}
