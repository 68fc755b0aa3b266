// SPDX-License-Identifier: Apache-2.0

package reserve

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
)

// affords is how many pods that take each of the quotas' amounts what is left of them lets through.
func affords(left, each fit.Resources) int64 {
	most := count(divide.MaxReplicas)
	for name, amount := range each {
		if rest, limits := left[name]; limits && amount > 0 {
			most = min(most, max(rest, 0)/amount)
		}
	}
	return most
}

// take lowers a number of pods to what is left of the quotas, which it takes.
func take(left, each fit.Resources, pods int64) int64 {
	pods = min(pods, affords(left, each))
	for name, amount := range each {
		if _, limits := left[name]; limits && amount > 0 {
			left[name] -= amount * pods // no more than was left
		}
	}
	return pods
}

// limited are the workloads with quotas among the limits of their divisions: a division gives no cluster pods that its
// quotas refuse.
func limited(clusters []Cluster, workloads []Workload) []Workload {
	quotas := map[string]fit.Resources{}
	for _, c := range clusters {
		quotas[c.Name] = c.Quota
	}
	out := slices.Clone(workloads)
	for i, w := range out {
		out[i].Clusters = slices.Clone(w.Clusters)
		for j, c := range w.Clusters {
			in := w.In[c.Name]
			if more := affords(quotas[c.Name], in.Quota); more < divide.MaxReplicas {
				most := count(count(in.Replicas) + more)
				if c.Max != nil {
					most = min(most, *c.Max)
				}
				out[i].Clusters[j].Max = &most
			}
		}
	}
	return out
}

// next is what of the workloads' next replicas a cluster keeps room for: what its quotas let through, which workloads of a
// namespace share, and of what announced peaks ask for beyond the percentage (calm) what the limit on peaks allows. A
// peak takes nothing from what the percentage keeps.
func (p Plan) next(c Cluster, b Base, workloads []Workload, o Options) []int64 {
	left, steady, extra := maps.Clone(c.Quota), make([]int64, len(workloads)), make([]int64, len(workloads))
	for i, w := range workloads {
		s := p.Surges[i]
		steady[i] = take(left, w.In[c.Name].Quota, min(s.calm[c.Name], s.Next[c.Name]))
	}
	for i, w := range workloads {
		extra[i] = take(left, w.In[c.Name].Quota, max(p.Surges[i].Next[c.Name]-steady[i], 0))
	}
	if o.Peaks != nil && *o.Peaks < 100 {
		kept, asks := fit.Resources{}, make([]ask, len(workloads))
		for i, w := range workloads {
			requests := w.In[c.Name].Shape.Requests
			kept = kept.Add(requests.Times(steady[i]))
			asks[i] = ask{w.Namespace, requests, extra[i]}
		}
		extra = limitPeaks(asks, b.leaves(kept, *o.Peaks))
	}
	for i := range steady {
		steady[i] += extra[i]
	}
	return steady
}

// leaves is what the limit on peaks leaves for them beside what is kept anyway: a percentage of what the nodes can allocate,
// those included that the reserve itself would need, so that it is the same before and after they have come. Of a cluster
// that uses u, p % of u + r is r = u * p / (100 - p).
func (b Base) leaves(kept fit.Resources, percent int64) fit.Resources {
	out := fit.Resources{}
	percent = min(max(percent, 0), 99)
	for _, name := range counted() {
		used := max(b.Allocatable[name]-b.Free[name], 0)
		most := max(Percent(b.Allocatable[name], percent), part(used, percent, 100-percent))
		out[name] = max(most-kept[name], 0)
	}
	return out
}

// ask is what a workload's peak asks for in a cluster.
type ask struct {
	namespace string
	requests  fit.Resources // of one pod
	pods      int64
}

// limitPeaks is how many pods each peak gets of what is there. Where a resource is short, namespaces have fair shares of it,
// and so have the workloads of each: however much one asks for, whoever asks for no more than an equal share gets all of it.
// Who needs nothing of what is short gets all as well.
func limitPeaks(asks []ask, there fit.Resources) []int64 {
	pods := make([]int64, len(asks))
	for i, a := range asks {
		pods[i] = a.pods
	}
	for name, most := range there {
		wants, sums := map[string][]int64{}, map[string]int64{}
		for _, a := range asks {
			want := a.requests.Times(a.pods)[name]
			wants[a.namespace] = append(wants[a.namespace], want)
			sums[a.namespace] = fit.Resources{name: sums[a.namespace]}.Add(fit.Resources{name: want})[name]
		}
		shared := level(slices.Collect(maps.Values(sums)), most)
		levels := map[string]int64{}
		for namespace, want := range wants {
			levels[namespace] = level(want, min(sums[namespace], shared))
		}
		for i, a := range asks {
			if each := a.requests[name]; each > 0 {
				pods[i] = min(pods[i], levels[a.namespace]/each)
			}
		}
	}
	return pods
}

// level is the most that anybody gets of what is there: the highest with which all together get no more than that, where
// those who want less get what they want.
func level(wants []int64, there int64) int64 {
	for i, want := range slices.Sorted(slices.Values(wants)) {
		equal := there / int64(len(wants)-i)
		if want > equal {
			return equal
		}
		there -= max(want, 0)
	}
	return 1<<63 - 1
}

// part is n * of / whole, rounded down, within the range of int64. of and whole are 0 or more.
func part(n, of, whole int64) int64 {
	if n <= 0 || of <= 0 || whole <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(n), uint64(of))
	if high >= uint64(whole) {
		return 1<<63 - 1
	}
	quotient, _ := bits.Div64(high, low, uint64(whole))
	return int64(min(quotient, 1<<63-1)) //nolint:gosec // it fits
}
