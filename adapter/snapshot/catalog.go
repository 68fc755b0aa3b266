// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"slices"
	"strings"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/plimsoll/plimsoll/adapter/rule"
)

// Catalog is the set of rules in force. It is immutable; the entries' tables change.
type Catalog struct {
	custom   map[customKey]*Entry
	external map[externalKey]*Entry
	entries  []*Entry
	byKey    map[rule.Key]*Entry
}

type customKey struct {
	namespace string // "" for cluster rules
	resource  schema.GroupResource
	metric    string
}

type externalKey struct{ namespace, metric string }

// Store holds the catalog in force.
type Store struct{ catalog atomic.Pointer[Catalog] }

// Catalog is never nil.
func (s *Store) Catalog() *Catalog {
	if c := s.catalog.Load(); c != nil {
		return c
	}
	return &Catalog{}
}

// Swap puts a new catalog in force.
func (s *Store) Swap(c *Catalog) { s.catalog.Store(c) }

// NewCatalog indexes the rules. Entries of unchanged rules are taken over from old with their tables, so that a change
// of one rule costs the others nothing. Of two rules for one metric in one place the older wins (then the first by key);
// conflicts maps the losers, which are not served, to the winners.
func NewCatalog(rules []*rule.Rule, old *Catalog) (c *Catalog, conflicts map[rule.Key]rule.Key) {
	rules = append([]*rule.Rule(nil), rules...)
	slices.SortFunc(rules, olderFirst)
	c = &Catalog{custom: map[customKey]*Entry{}, external: map[externalKey]*Entry{}, byKey: map[rule.Key]*Entry{}}
	conflicts = map[rule.Key]rule.Key{}
	for _, r := range rules {
		if winner := c.holder(r); winner != nil {
			conflicts[r.Key] = winner.Rule.Key
			continue
		}
		c.add(entryFor(r, old))
	}
	return c, conflicts
}

func olderFirst(a, b *rule.Rule) int {
	if c := a.Created.Compare(b.Created); c != 0 {
		return c
	}
	return strings.Compare(a.Key.String(), b.Key.String())
}

func entryFor(r *rule.Rule, old *Catalog) *Entry {
	if old != nil {
		if e := old.byKey[r.Key]; e != nil && e.Rule.Same(r) {
			return e
		}
	}
	return &Entry{Rule: r}
}

func (c *Catalog) holder(r *rule.Rule) *Entry {
	if r.Object == nil {
		return c.external[externalKey{r.Key.Namespace, r.Metric}]
	}
	return c.custom[customKey{r.Key.Namespace, r.Object.Resource, r.Metric}]
}

func (c *Catalog) add(e *Entry) {
	r := e.Rule
	if r.Object == nil {
		c.external[externalKey{r.Key.Namespace, r.Metric}] = e
	} else {
		c.custom[customKey{r.Key.Namespace, r.Object.Resource, r.Metric}] = e
	}
	c.byKey[r.Key] = e
	c.entries = append(c.entries, e)
}

// Custom finds the entry that answers for a metric of a resource in a namespace: the namespace's own MetricRule, else a
// ClusterMetricRule, else nil.
func (c *Catalog) Custom(namespace string, resource schema.GroupResource, metric string) *Entry {
	if namespace != "" {
		if e := c.custom[customKey{namespace, resource, metric}]; e != nil {
			return e
		}
	}
	return c.custom[customKey{"", resource, metric}]
}

// External finds the entry that answers for an external metric in a namespace, as Custom does.
func (c *Catalog) External(namespace, metric string) *Entry {
	if namespace != "" {
		if e := c.external[externalKey{namespace, metric}]; e != nil {
			return e
		}
	}
	return c.external[externalKey{"", metric}]
}

// Entry finds a rule's entry; nil if the rule is not in force.
func (c *Catalog) Entry(k rule.Key) *Entry { return c.byKey[k] }

// Entries is every entry, the oldest rule first. Not to be changed.
func (c *Catalog) Entries() []*Entry { return c.entries }
