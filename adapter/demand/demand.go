// SPDX-License-Identifier: Apache-2.0

// Package demand knows which HPAs name which metrics, so that the adapter asks its source for those and for no others.
package demand

import (
	"cmp"
	"slices"
	"sync"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// Ref is one metric as an HPA names it.
type Ref struct {
	External  bool
	Namespace string               // the HPA's
	Resource  schema.GroupResource // of custom metrics: what the value describes
	Metric    string
}

// ResourceOf finds the resource of a kind. It fails while the kind is unknown.
type ResourceOf func(schema.GroupVersionKind) (schema.GroupResource, error)

// Refs lists the metrics that an HPA takes from custom.metrics.k8s.io and external.metrics.k8s.io. A described object of an
// unknown kind is left out: its metric cannot be read either.
func Refs(hpa *autoscalingv2.HorizontalPodAutoscaler, resourceOf ResourceOf) []Ref {
	var refs []Ref
	for _, m := range hpa.Spec.Metrics {
		ref := Ref{Namespace: hpa.Namespace}
		switch {
		case m.Pods != nil:
			ref.Resource, ref.Metric = schema.GroupResource{Resource: "pods"}, m.Pods.Metric.Name
		case m.Object != nil:
			gv, err := schema.ParseGroupVersion(m.Object.DescribedObject.APIVersion)
			if err != nil {
				continue
			}
			resource, err := resourceOf(gv.WithKind(m.Object.DescribedObject.Kind))
			if err != nil {
				continue
			}
			ref.Resource, ref.Metric = resource, m.Object.Metric.Name
		case m.External != nil:
			ref.External, ref.Metric = true, m.External.Metric.Name
		default:
			continue
		}
		refs = append(refs, ref)
	}
	return refs
}

// Set is which HPA names which metrics; safe for concurrent use.
type Set struct {
	mu         sync.Mutex
	refs       map[types.NamespacedName][]Ref
	generation int64

	// The answer for one catalog and generation: a turn of the loop with nothing new costs nothing.
	catalog *snapshot.Catalog
	at      int64
	readers map[rule.Key][]types.NamespacedName
	counts  map[rule.Key]int
}

// NewSet returns a set without HPAs.
func NewSet() *Set { return &Set{refs: map[types.NamespacedName][]Ref{}} }

// Put says which metrics an HPA names now; none removes it.
func (s *Set) Put(hpa types.NamespacedName, refs []Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(s.refs[hpa], refs) {
		return
	}
	s.generation++
	if len(refs) == 0 {
		delete(s.refs, hpa)
		return
	}
	s.refs[hpa] = refs
}

// Counts is how many HPAs name each rule's metric. Not to be changed.
func (s *Set) Counts(c *snapshot.Catalog) map[rule.Key]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resolve(c)
	return s.counts
}

// Readers names the HPAs that read a rule's metric, sorted.
func (s *Set) Readers(c *snapshot.Catalog, k rule.Key) []types.NamespacedName {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resolve(c)
	return s.readers[k]
}

func (s *Set) resolve(c *snapshot.Catalog) {
	if s.readers != nil && s.catalog == c && s.at == s.generation {
		return
	}
	s.catalog, s.at = c, s.generation
	s.readers, s.counts = map[rule.Key][]types.NamespacedName{}, map[rule.Key]int{}
	for hpa, refs := range s.refs {
		for _, r := range refs {
			if e := find(c, r); e != nil {
				s.readers[e.Rule.Key] = append(s.readers[e.Rule.Key], hpa)
			}
		}
	}
	for k, hpas := range s.readers {
		slices.SortFunc(hpas, func(a, b types.NamespacedName) int {
			return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
		})
		s.readers[k] = slices.Compact(hpas)
		s.counts[k] = len(s.readers[k])
	}
}

func find(c *snapshot.Catalog, r Ref) *snapshot.Entry {
	if r.External {
		return c.External(r.Namespace, r.Metric)
	}
	return c.Custom(r.Namespace, r.Resource, r.Metric)
}
