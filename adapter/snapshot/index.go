// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// place puts the rows in order and builds the lookups. ids are b's ids of the rows' objects.
func (t *Table) place(b *Builder, rows []Row, ids []int32) {
	known := len(b.previous.spans)
	counts := make([]int32, known+len(b.objects))
	for _, id := range ids {
		counts[id]++
	}
	order := b.order(counts)
	starts := make([]int32, len(counts))
	t.spans = make([]span, len(order))
	next := int32(0)
	for i, id := range order {
		starts[id] = next
		t.spans[i] = span{next, next + counts[id]}
		next += counts[id]
	}
	t.rows = make([]Row, len(rows))
	for i, id := range ids {
		t.rows[starts[id]] = rows[i]
		starts[id]++
	}
	clean := t.sortWithinObjects(&b.dropped)
	t.measure()
	if b.rule.Object == nil && len(t.rows) > fewRows {
		t.indexLabels()
	}
	if clean && len(b.objects) == 0 && len(order) == known && slices.Equal(t.spans, b.previous.spans) {
		t.ordinals, t.namespaces, t.arrivals = b.previous.ordinals, b.previous.namespaces, b.arrivals
		return
	}
	t.index()
	t.renumber(b)
}

// order lists the ids that have rows, sorted by object. Known ids are sorted already.
func (b *Builder) order(counts []int32) []int32 {
	known := len(b.previous.spans)
	before := make([]int32, 0, known)
	for id := range known {
		if counts[id] > 0 {
			before = append(before, int32(id))
		}
	}
	var added []int32
	for i := range b.objects {
		if counts[known+i] > 0 {
			added = append(added, int32(known+i))
		}
	}
	if len(added) == 0 {
		return before
	}
	return b.merge(before, b.sorted(added))
}

// sorted sorts ids by their objects: namespace by namespace, which halves the comparisons of a large fleet's first answer and
// leaves only the names to compare.
func (b *Builder) sorted(ids []int32) []int32 {
	type named struct {
		name string
		id   int32
	}
	namespaces := map[string][]named{}
	for _, id := range ids {
		o := b.objectOf(id)
		namespaces[o.Namespace] = append(namespaces[o.Namespace], named{o.Name, id})
	}
	out := ids[:0]
	for _, ns := range slices.Sorted(maps.Keys(namespaces)) {
		names := namespaces[ns]
		slices.SortFunc(names, func(x, y named) int { return strings.Compare(x.name, y.name) })
		for _, n := range names {
			out = append(out, n.id)
		}
	}
	return out
}

func (b *Builder) merge(x, y []int32) []int32 {
	out := make([]int32, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		if compareObjects(b.objectOf(x[0]), b.objectOf(y[0])) < 0 {
			out, x = append(out, x[0]), x[1:]
		} else {
			out, y = append(out, y[0]), y[1:]
		}
	}
	return append(append(out, x...), y...)
}

func compareObjects(a, b Object) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

func compareLabelSets(a, b Row) int { return slices.CompareFunc(a.Labels, b.Labels, compareLabels) }

func compareLabels(a, b source.Label) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
}

// sortWithinObjects sorts each object's rows by their labels and removes all rows that share their labels with another: they
// differ by their metric names only, and nothing says which of them is right. It reports whether all rows stayed.
func (t *Table) sortWithinObjects(d *Dropped) bool {
	clean := true
	for _, s := range t.spans {
		if s.to-s.from < 2 {
			continue
		}
		rows := t.rows[s.from:s.to]
		slices.SortFunc(rows, compareLabelSets)
		for i := 1; i < len(rows); i++ {
			clean = clean && compareLabelSets(rows[i-1], rows[i]) != 0
		}
	}
	if clean {
		return true
	}
	kept, spans := make([]Row, 0, len(t.rows)), make([]span, 0, len(t.spans))
	for _, s := range t.spans {
		from := int32(len(kept))
		kept = appendUnique(kept, t.rows[s.from:s.to], d)
		if to := int32(len(kept)); to > from {
			spans = append(spans, span{from, to})
		}
	}
	t.rows, t.spans = kept, spans
	return false
}

// appendUnique appends the rows of one object whose labels no other row has.
func appendUnique(out, rows []Row, d *Dropped) []Row {
	for from := 0; from < len(rows); {
		to := from + 1
		for to < len(rows) && compareLabelSets(rows[from], rows[to]) == 0 {
			to++
		}
		if to-from == 1 {
			out = append(out, rows[from])
		} else {
			if d.Duplicates == 0 {
				o := rows[from].Object
				d.DuplicateExample = fmt.Sprintf("%d series for %s/%s", to-from, o.Namespace, o.Name)
			}
			d.Duplicates += to - from
		}
		from = to
	}
	return out
}

// measure finds the oldest and the newest time.
func (t *Table) measure() {
	for i := range t.rows {
		r := &t.rows[i]
		if !r.Finite() || r.NoSample {
			continue
		}
		if t.oldest.IsZero() || r.Time.Before(t.oldest) {
			t.oldest = r.Time
		}
		if r.Time.After(t.newest) {
			t.newest = r.Time
		}
	}
}

// index builds the lookups of the sorted rows.
func (t *Table) index() {
	t.ordinals = make(map[Object]int32, len(t.spans))
	namespaces := map[string]span{}
	for i, s := range t.spans {
		o := t.rows[s.from].Object
		t.ordinals[o] = int32(i)
		whole, ok := namespaces[o.Namespace]
		if !ok {
			whole.from = s.from
		}
		whole.to = s.to
		namespaces[o.Namespace] = whole
	}
	t.namespaces = namespaces
}

// fewRows is up to how many rows of an external metric it takes no index to find one.
const fewRows = 32

func (t *Table) indexLabels() {
	t.labelled = make(map[source.Label][]int32, len(t.rows))
	for i := range t.rows {
		for _, l := range t.rows[i].Labels {
			t.labelled[l] = append(t.labelled[l], int32(i))
		}
	}
}

// renumber turns the builder's ids into the ordinals of this table.
func (t *Table) renumber(b *Builder) {
	ordinals := make([]int32, len(b.previous.spans)+len(b.objects))
	for id := range ordinals {
		ordinals[id] = -1
		if o, ok := t.ordinals[b.objectOf(int32(id))]; ok {
			ordinals[id] = o
		}
	}
	for _, part := range b.arrivals {
		for i := range part {
			part[i].ordinal = ordinals[part[i].ordinal]
		}
	}
	t.arrivals = b.arrivals
}
