// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// Builder turns the series of one combined answer into a Table. Values and sample times may come in any order.
//
// It starts from the previous table of the rule. Objects that were there before keep their ordinals as ids, so that the usual
// answer, the same objects with other values, is put in place without sorting or hashing it anew.
type Builder struct {
	rule      *rule.Rule
	evaluated time.Time
	previous  *Table // never nil
	dropped   Dropped
	series    int

	added   map[Object]int32 // ids of objects that previous does not have
	objects []Object         // those objects: id len(previous.spans)+i
	values  []pendingRow     // in the order of the answer
	stamps  []time.Time      // when each of values was measured, if the answer says that itself
	times   []partTimes      // one for each of rule.Times
	parts   map[string]int   // part -> index into times
	guard   guardState

	arrivals [][]arrival // as Table.arrivals, with ids for ordinals
	cursors  []int       // where in previous.arrivals each part stands
}

type pendingRow struct {
	id     int32
	value  float64
	labels []source.Label
}

type guardState struct{ rows, zeros int }

// NewBuilder starts a table for one evaluation of r. previous is the rule's last table, nil if there is none.
func NewBuilder(r *rule.Rule, evaluated time.Time, previous *Table) *Builder {
	if previous == nil {
		previous = &Table{}
	}
	b := &Builder{rule: r, evaluated: evaluated, previous: previous, added: map[Object]int32{}, parts: make(map[string]int, len(r.Times))}
	b.values = make([]pendingRow, 0, len(previous.rows))
	b.times = make([]partTimes, len(r.Times))
	b.arrivals, b.cursors = make([][]arrival, len(r.Times)+1), make([]int, len(r.Times)+1)
	for i := range previous.arrivals {
		b.arrivals[i] = make([]arrival, 0, len(previous.arrivals[i]))
	}
	for i, t := range r.Times {
		b.parts[t.Part] = i
		b.times[i].byID = make([]int64, len(previous.spans))
	}
	return b
}

// Add takes one series of the answer.
func (b *Builder) Add(s source.Sample) error {
	part := s.Get(rule.PartLabel)
	switch part {
	case rule.PartValue, "":
		return b.addValue(s)
	case rule.PartGuard:
		b.guard.rows++
		if s.Value == 0 || math.IsNaN(s.Value) {
			b.guard.zeros++
		}
		return nil
	}
	i, ok := b.parts[part]
	if !ok {
		return fmt.Errorf("%w: it has a series of part %q, which was not asked for", source.ErrBadAnswer, part)
	}
	b.addTime(i, s)
	return nil
}

// AddStamped takes one value of an answer that says itself when each was measured; such an answer has nothing else. A time in
// the future is that of the evaluation.
func (b *Builder) AddStamped(s source.Sample, measured time.Time) error {
	before := len(b.values)
	if err := b.addValue(s); err != nil || len(b.values) == before {
		return err
	}
	if measured.After(b.evaluated) {
		measured = b.evaluated
	}
	b.stamps = append(b.stamps, measured)
	return nil
}

func (b *Builder) addValue(s source.Sample) error {
	b.series++
	if b.rule.MaxSeries > 0 && b.series > b.rule.MaxSeries {
		return fmt.Errorf("%w: more than the rule's maxSeries, %d; aggregate in the query, or raise maxSeries", source.ErrTooManySeries, b.rule.MaxSeries)
	}
	object, ok := b.object(s)
	if !ok {
		return nil
	}
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		if b.dropped.NotFinite++; b.dropped.NotFinite == 1 {
			b.dropped.NotFiniteExample = describe(s)
		}
	}
	b.values = append(b.values, pendingRow{b.id(0, object), s.Value, b.otherLabels(s)})
	return nil
}

// object names what the series describes, or drops it.
func (b *Builder) object(s source.Sample) (Object, bool) {
	own := b.rule.Key.Namespace
	o := b.rule.Object
	if o == nil {
		if ns := s.Get("namespace"); own != "" && ns != "" && ns != own {
			return b.otherNamespace(s)
		}
		return Object{}, true
	}
	object := Object{Name: s.Get(o.NameLabel)}
	if o.Namespaced {
		object.Namespace = s.Get(o.NamespaceLabel)
		if object.Namespace == "" {
			object.Namespace = own
		}
		if own != "" && object.Namespace != own {
			return b.otherNamespace(s)
		}
	}
	if own != "" && isNamespaces(o) && object.Name != own && object.Name != "" {
		return b.otherNamespace(s)
	}
	if object.Name == "" || (o.Namespaced && object.Namespace == "") {
		if b.dropped.NoObject++; b.dropped.NoObject == 1 {
			b.dropped.NoObjectExample = describe(s)
		}
		return Object{}, false
	}
	return object, true
}

// isNamespaces: a MetricRule may describe its own namespace, and no other.
func isNamespaces(o *rule.Object) bool {
	return o.Resource.Group == "" && o.Resource.Resource == "namespaces"
}

func (b *Builder) otherNamespace(s source.Sample) (Object, bool) {
	if b.dropped.OtherNamespace++; b.dropped.OtherNamespace == 1 {
		b.dropped.OtherNamespaceExample = describe(s)
	}
	return Object{}, false
}

// lookahead is how many vanished series in a row are skipped before an object is looked up by its name.
const lookahead = 4

// id is the number under which an object goes in this builder. Sources give their answers in much the same order each time, so
// the object is first looked for where it came last time: the strings are usually the very same ones (decoders intern them),
// which makes that a comparison of pointers, and a hundred thousand cache misses in the map are saved.
func (b *Builder) id(part int, o Object) int32 {
	id := b.idOf(part, o)
	b.arrivals[part] = append(b.arrivals[part], arrival{o, id})
	return id
}

func (b *Builder) idOf(part int, o Object) int32 {
	if part < len(b.previous.arrivals) {
		before, at := b.previous.arrivals[part], b.cursors[part]
		for i := at; i < len(before) && i <= at+lookahead; i++ {
			if before[i].object == o && before[i].ordinal >= 0 {
				b.cursors[part] = i + 1
				return before[i].ordinal
			}
		}
	}
	if id, ok := b.previous.ordinals[o]; ok {
		return id
	}
	id, ok := b.added[o]
	if !ok {
		id = int32(len(b.previous.spans) + len(b.objects))
		b.added[o] = id
		b.objects = append(b.objects, o)
	}
	return id
}

// objectOf is the inverse of id.
func (b *Builder) objectOf(id int32) Object {
	if known := len(b.previous.spans); int(id) >= known {
		return b.objects[int(id)-known]
	}
	return b.previous.rows[b.previous.spans[id].from].Object
}

// otherLabels copies the labels that do not name the object; nil for the usual series, which has none.
func (b *Builder) otherLabels(s source.Sample) []source.Label {
	var out []source.Label
	for _, l := range s.Labels {
		if b.identifies(l.Name) {
			continue
		}
		out = append(out, l)
	}
	if !slices.IsSortedFunc(out, byName) {
		slices.SortFunc(out, byName)
	}
	return out
}

func byName(a, b source.Label) int { return strings.Compare(a.Name, b.Name) }

func (b *Builder) identifies(label string) bool {
	if label == rule.PartLabel || label == "__name__" {
		return true
	}
	o := b.rule.Object
	return o != nil && (label == o.NameLabel || (o.Namespaced && label == o.NamespaceLabel))
}

// Table finishes the evaluation. The error says that the guard does not hold.
func (b *Builder) Table(from string) (*Table, error) {
	if err := b.guardError(); err != nil {
		return nil, err
	}
	t := &Table{Evaluated: b.evaluated, Source: from, Series: b.series}
	rows, ids := b.pending()
	t.place(b, rows, ids)
	t.Dropped = b.dropped
	return t, nil
}

func (b *Builder) guardError() error {
	if b.rule.Guard == "" {
		return nil
	}
	if b.guard.rows == 0 || (b.rule.GuardBool && b.guard.zeros > 0) {
		return fmt.Errorf("%w: %s", ErrGuard, b.rule.Guard)
	}
	return nil
}

// describe writes a series as Prometheus does.
func describe(s source.Sample) string {
	var out strings.Builder
	out.WriteByte('{')
	first := true
	for _, l := range s.Labels {
		if l.Name == rule.PartLabel {
			continue
		}
		if !first {
			out.WriteString(", ")
		}
		first = false
		fmt.Fprintf(&out, "%s=%q", l.Name, l.Value)
	}
	out.WriteByte('}')
	return out.String()
}
