// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// appendNames starts from the requirement that the fewest objects can meet and checks the others on those.
func (s *space) appendNames(dst []string, sel *Selector) []string {
	driver, size := -1, len(s.order)
	for i := range sel.requirements {
		r := &sel.requirements[i]
		if !r.exists {
			continue
		}
		if n := s.count(r); driver < 0 || n < size {
			driver, size = i, n
		}
	}
	if driver < 0 {
		return s.filter(dst, s.order, sel, -1)
	}
	if size == 0 {
		return dst
	}
	r := &sel.requirements[driver]
	if len(r.values) == 1 {
		id := s.pairIDs[pair{r.key, r.values[0]}]
		return s.filter(dst, s.pairs[id].ids, sel, driver)
	}
	return s.filter(dst, s.union(r, size), sel, driver)
}

// count is the number of objects that have the requirement's key, with one of its values if it names values.
func (s *space) count(r *requirement) int {
	n := 0
	if r.values == nil {
		for _, p := range s.keys[r.key] {
			n += len(s.pairs[p].ids)
		}
		return n
	}
	for _, v := range r.values {
		if p, ok := s.pairIDs[pair{r.key, v}]; ok {
			n += len(s.pairs[p].ids)
		}
	}
	return n
}

// union lists the objects that count counts, sorted by name. An object has one value per key: there are no duplicates.
func (s *space) union(r *requirement, size int) []uint32 {
	ids := make([]uint32, 0, size)
	if r.values == nil {
		for _, p := range s.keys[r.key] {
			ids = append(ids, s.pairs[p].ids...)
		}
	}
	for _, v := range r.values {
		if p, ok := s.pairIDs[pair{r.key, v}]; ok {
			ids = append(ids, s.pairs[p].ids...)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return strings.Compare(s.objects[a].name, s.objects[b].name) })
	return ids
}

// filter appends the names of those ids that meet every requirement. The driver need not be checked again if it is an
// equality or In: the ids come from its lists.
func (s *space) filter(dst []string, ids []uint32, sel *Selector, driver int) []string {
	if driver >= 0 && sel.requirements[driver].values == nil {
		driver = -1 // Gt and Lt look at the value as well
	}
	if len(sel.requirements) == 0 || (len(sel.requirements) == 1 && driver == 0) {
		dst = slices.Grow(dst, len(ids))
		for _, id := range ids {
			dst = append(dst, s.objects[id].name)
		}
		return dst
	}
	dst = slices.Grow(dst, min(len(ids), 1024)) // most of a selector's best list usually matches
	view := &objectLabels{space: s}
	for _, id := range ids {
		view.pairs = s.objects[id].pairs
		if sel.matches(view, driver) {
			dst = append(dst, s.objects[id].name)
		}
	}
	return dst
}

func (sel *Selector) matches(l labels.Labels, except int) bool {
	for i := range sel.requirements {
		if i != except && !sel.requirements[i].Matches(l) {
			return false
		}
	}
	return true
}

// objectLabels shows an object's numbered pairs as labels.Labels.
type objectLabels struct {
	space *space
	pairs []uint32
}

func (l *objectLabels) Lookup(key string) (string, bool) {
	for _, p := range l.pairs {
		if e := &l.space.pairs[p]; e.key == key {
			return e.value, true
		}
	}
	return "", false
}

func (l *objectLabels) Has(key string) bool {
	_, ok := l.Lookup(key)
	return ok
}

func (l *objectLabels) Get(key string) string {
	v, _ := l.Lookup(key)
	return v
}
