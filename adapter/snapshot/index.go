// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// index sorts the rows, drops duplicates and builds the lookups.
func (t *Table) index() {
	slices.SortFunc(t.rows, compareRows)
	t.dropDuplicates()
	t.objects = make(map[Object]span, len(t.rows))
	t.namespaces = map[string]span{}
	for from := 0; from < len(t.rows); {
		to := from + 1
		for to < len(t.rows) && t.rows[to].Object == t.rows[from].Object {
			to++
		}
		t.objects[t.rows[from].Object] = span{int32(from), int32(to)}
		from = to
	}
	for from := 0; from < len(t.rows); {
		to := from + 1
		for to < len(t.rows) && t.rows[to].Object.Namespace == t.rows[from].Object.Namespace {
			to++
		}
		t.namespaces[t.rows[from].Object.Namespace] = span{int32(from), int32(to)}
		from = to
	}
}

func compareRows(a, b Row) int {
	if c := strings.Compare(a.Object.Namespace, b.Object.Namespace); c != 0 {
		return c
	}
	if c := strings.Compare(a.Object.Name, b.Object.Name); c != 0 {
		return c
	}
	return slices.CompareFunc(a.Labels, b.Labels, compareLabels)
}

func compareLabels(a, b source.Label) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Value, b.Value)
}

// dropDuplicates removes all rows that share object and labels with another: nothing says which of them is right. They can
// only differ by their metric names, which do not count.
func (t *Table) dropDuplicates() {
	kept := t.rows[:0]
	for from := 0; from < len(t.rows); {
		to := from + 1
		for to < len(t.rows) && compareRows(t.rows[from], t.rows[to]) == 0 {
			to++
		}
		if to-from == 1 {
			kept = append(kept, t.rows[from])
		} else {
			t.countDuplicates(t.rows[from], to-from)
		}
		from = to
	}
	clear(t.rows[len(kept):])
	t.rows = kept
}

func (t *Table) countDuplicates(r Row, n int) {
	if t.Dropped.Duplicates == 0 {
		t.Dropped.DuplicateExample = fmt.Sprintf("%d series for %s/%s", n, r.Object.Namespace, r.Object.Name)
	}
	t.Dropped.Duplicates += n
}

// hold returns the table with the rows of old that it lacks, or has only as NaN or infinity, and that are not older than
// since: a vanished series keeps its last value, with its old time, for as long as the rule says.
func (t *Table) hold(old *Table, since time.Time) *Table {
	if old == nil {
		return t
	}
	merged := &Table{Evaluated: t.Evaluated, Source: t.Source, Dropped: t.Dropped, rows: slices.Clone(t.rows)}
	held := 0
	for i := range old.rows {
		r := old.rows[i]
		if !r.Finite() || r.Time.Before(since) {
			continue
		}
		r.Held = true
		switch at := t.position(&r); {
		case at < 0:
			merged.rows = append(merged.rows, r)
			held++
		case !t.rows[at].Finite():
			merged.rows[at] = r
			held++
		}
	}
	if held == 0 {
		return t
	}
	merged.index()
	return merged
}

// position is where a row with r's object and labels stands, -1 if there is none.
func (t *Table) position(r *Row) int {
	s := t.objects[r.Object]
	for i := s.from; i < s.to; i++ {
		if slices.Equal(t.rows[i].Labels, r.Labels) {
			return int(i)
		}
	}
	return -1
}
