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
type Builder struct {
	rule      *rule.Rule
	evaluated time.Time
	dropped   Dropped

	ids     map[Object]int32
	objects []Object       // by id
	values  []pendingRow   // in the order of the answer
	times   []partTimes    // one per rule.Times
	parts   map[string]int // part -> index into times
	guard   guardState
}

type pendingRow struct {
	id     int32
	value  float64
	labels []source.Label
}

// partTimes is what one vector selector said about its sample times, in Unix milliseconds.
type partTimes struct {
	byID    []int64 // by object id; 0: nothing
	loose   map[Object]int64
	oldest  int64 // of all
	present bool
}

type guardState struct{ rows, zeros int }

// NewBuilder starts a table for one evaluation of r. size is a guess of the number of objects.
func NewBuilder(r *rule.Rule, evaluated time.Time, size int) *Builder {
	b := &Builder{rule: r, evaluated: evaluated, ids: make(map[Object]int32, size), parts: make(map[string]int, len(r.Times))}
	b.times = make([]partTimes, len(r.Times))
	for i, t := range r.Times {
		b.parts[t.Part] = i
	}
	return b
}

// Add takes one series of the answer.
func (b *Builder) Add(s source.Sample) error {
	part := s.Get(rule.PartLabel)
	switch part {
	case rule.PartValue, "":
		b.addValue(s)
		return nil
	case rule.PartGuard:
		b.guard.rows++
		if s.Value == 0 {
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

func (b *Builder) addValue(s source.Sample) {
	object, ok := b.object(s)
	if !ok {
		return
	}
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		if b.dropped.NotFinite++; b.dropped.NotFinite == 1 {
			b.dropped.NotFiniteExample = describe(s)
		}
	}
	b.values = append(b.values, pendingRow{b.id(object), s.Value, b.otherLabels(s)})
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
	if object.Name == "" || (o.Namespaced && object.Namespace == "") {
		if b.dropped.NoObject++; b.dropped.NoObject == 1 {
			b.dropped.NoObjectExample = describe(s)
		}
		return Object{}, false
	}
	return object, true
}

func (b *Builder) otherNamespace(s source.Sample) (Object, bool) {
	if b.dropped.OtherNamespace++; b.dropped.OtherNamespace == 1 {
		b.dropped.OtherNamespaceExample = describe(s)
	}
	return Object{}, false
}

func (b *Builder) id(o Object) int32 {
	id, ok := b.ids[o]
	if !ok {
		id = int32(len(b.objects))
		b.ids[o] = id
		b.objects = append(b.objects, o)
	}
	return id
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

// addTime takes the sample time of one group of a selector's series; the value is in seconds.
func (b *Builder) addTime(part int, s source.Sample) {
	t := &b.times[part]
	ms := int64(s.Value*1000) + b.rule.Times[part].Offset.Milliseconds()
	if !t.present || ms < t.oldest {
		t.oldest = ms
	}
	t.present = true
	o := b.rule.Object
	if o == nil {
		return // an external value is as old as its oldest sample
	}
	object := Object{Name: s.Get(o.NameLabel)}
	if o.Namespaced {
		object.Namespace = s.Get(o.NamespaceLabel)
		if object.Namespace == "" {
			object.Namespace = b.rule.Key.Namespace
		}
	}
	if object.Name == "" || (o.Namespaced && object.Namespace == "") {
		b.addLoose(t, object, ms)
		return
	}
	id := int(b.id(object))
	for len(t.byID) <= id {
		t.byID = append(t.byID, 0)
	}
	if t.byID[id] == 0 || ms < t.byID[id] {
		t.byID[id] = ms
	}
}

// addLoose keeps the time of series that do not say which object they belong to: they count for every object they may
// belong to.
func (b *Builder) addLoose(t *partTimes, o Object, ms int64) {
	if t.loose == nil {
		t.loose = map[Object]int64{}
	}
	if old, ok := t.loose[o]; !ok || ms < old {
		t.loose[o] = ms
	}
}

// time is when an object's value was measured: the oldest sample of any selector that can have contributed. An object that
// no selector names is as old as the oldest sample of all, since nothing says which ones went into it.
func (b *Builder) time(id int32) time.Time {
	oldest, all := int64(math.MaxInt64), int64(math.MaxInt64)
	for i := range b.times {
		t := &b.times[i]
		if !t.present {
			continue
		}
		all = min(all, t.oldest)
		if b.rule.Object == nil {
			oldest = min(oldest, t.oldest)
			continue
		}
		if int(id) < len(t.byID) && t.byID[id] != 0 {
			oldest = min(oldest, t.byID[id])
		}
		if t.loose != nil {
			oldest = min(oldest, t.looseFor(b.objects[id]))
		}
	}
	if oldest == math.MaxInt64 {
		oldest = all
	}
	if oldest == math.MaxInt64 || oldest > b.evaluated.UnixMilli() {
		return b.evaluated // a constant, or a sample stamped in the future
	}
	return time.UnixMilli(oldest)
}

func (t *partTimes) looseFor(o Object) int64 {
	oldest := int64(math.MaxInt64)
	for _, key := range [...]Object{{}, {Namespace: o.Namespace}, {Name: o.Name}} {
		if ms, ok := t.loose[key]; ok {
			oldest = min(oldest, ms)
		}
	}
	return oldest
}

// Table finishes the evaluation. The error says that the guard does not hold.
func (b *Builder) Table(from string) (*Table, error) {
	if err := b.guardError(); err != nil {
		return nil, err
	}
	t := &Table{Evaluated: b.evaluated, Source: from, Dropped: b.dropped}
	t.rows = make([]Row, len(b.values))
	for i, v := range b.values {
		t.rows[i] = Row{Object: b.objects[v.id], Value: v.value, Labels: v.labels, Time: b.time(v.id)}
	}
	t.index()
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
