// SPDX-License-Identifier: Apache-2.0

// Package snapshot keeps what the rules' last evaluations said, indexed for reading. A Catalog is the immutable set of
// rules in force; each Entry of it holds the Table of its last good evaluation, swapped whole. A read takes no lock.
package snapshot

import (
	"math"
	"time"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// Object names what a value describes. Namespace is "" for cluster-scoped objects; both are "" for external metrics.
type Object struct{ Namespace, Name string }

// Row is one value: what was measured, when, and by which series.
type Row struct {
	Object Object
	Value  float64        // may be NaN or infinite, as the source said it: then it is an error to whoever reads it
	Time   time.Time      // when it was measured: the oldest sample that went into it
	Labels []source.Label // the series' other labels, sorted by name; metric selectors match them
	// NoSample: the query has a value although none of its selectors has a sample (sum(x) or vector(0)), and no guard says that
	// the source is well. Nobody can tell such a value from that of a dead source.
	NoSample bool
	Held     bool // taken over from an earlier table for want of a newer value
}

// Finite reports whether the row has a value at all.
func (r *Row) Finite() bool { return !math.IsNaN(r.Value) && !math.IsInf(r.Value, 0) }

// Get returns the value of a label and whether the row has it. Together with Has it lets selectors match rows as they are.
func (r *Row) Get(name string) string {
	for i := range r.Labels {
		if r.Labels[i].Name == name {
			return r.Labels[i].Value
		}
	}
	return ""
}

// Has reports whether the row has the label.
func (r *Row) Has(name string) bool {
	for i := range r.Labels {
		if r.Labels[i].Name == name {
			return true
		}
	}
	return false
}

// Lookup is Get and Has in one, as labels.Labels wants it.
func (r *Row) Lookup(name string) (string, bool) { return r.Get(name), r.Has(name) }

// span is a range of rows.
type span struct{ from, to int32 }

// Table is the answer of one evaluation; immutable.
type Table struct {
	Evaluated time.Time // the evaluation time
	Source    string    // who answered
	Series    int       // how many series the rule's query had
	Dropped   Dropped
	// Parts are what each cluster said, and Missing those that count as 0; of a Sum only.
	Parts   map[string]*Table
	Missing []string

	rows  []Row  // sorted by namespace, name, labels
	spans []span // the rows of each object, in the same order

	// A steady fleet's tables share these maps: only values and times change from one to the next.
	ordinals   map[Object]int32 // object -> index into spans
	namespaces map[string]span  // namespace -> its rows

	// labelled finds the rows of an external metric by one of their labels; nil where looking at all rows is as fast.
	labelled map[source.Label][]int32

	arrivals [][]arrival // how the answer came: of the values, then of each of rule.Times

	oldest, newest time.Time
}

// arrival is one series of an answer that named an object.
type arrival struct {
	object  Object
	ordinal int32 // of the object; -1 if it has no row
}

// Dropped counts the series of an answer that did not become rows, and names one of each kind.
type Dropped struct {
	OtherNamespace        int // a namespaced rule's series that named another namespace
	OtherNamespaceExample string
	NoObject              int // series without the labels that name an object
	NoObjectExample       string
	Duplicates            int // two series with the same object and labels
	DuplicateExample      string
	NotFinite             int // kept as rows, but unusable
	NotFiniteExample      string
}

// Rows is all rows, sorted by namespace, name, labels. Not to be changed.
func (t *Table) Rows() []Row { return t.rows }

// Objects is the number of different objects.
func (t *Table) Objects() int { return len(t.spans) }

// Find returns the rows of one object: several if the rule's series carry further labels, none if it is unknown.
func (t *Table) Find(o Object) []Row {
	i, ok := t.ordinals[o]
	if !ok {
		return nil
	}
	return t.rows[t.spans[i].from:t.spans[i].to]
}

// Labelled returns the positions in Rows of the rows with a label, in order. ok is false if the table has no such index: it is
// made for external metrics of many rows, which all belong to one object and are told apart by selectors only.
func (t *Table) Labelled(name, value string) (positions []int32, ok bool) {
	if t.labelled == nil {
		return nil, false
	}
	return t.labelled[source.Label{Name: name, Value: value}], true
}

// InNamespace returns the rows of all objects of a namespace.
func (t *Table) InNamespace(namespace string) []Row {
	s := t.namespaces[namespace]
	return t.rows[s.from:s.to]
}

// Oldest and Newest are the times of the oldest and the newest finite value; zero if there is none.
func (t *Table) Oldest() time.Time { return t.oldest }

// Newest is described at Oldest.
func (t *Table) Newest() time.Time { return t.newest }
