// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"math"
	"time"

	"github.com/plimsoll/plimsoll/adapter/source"
)

// partTimes is what one vector selector said about its sample times, in Unix milliseconds.
type partTimes struct {
	byID    []int64 // by object id; 0: nothing
	loose   map[Object]int64
	oldest  int64 // of all that are not beyond the rule's limit; of all if there are no others
	present bool
}

// addTime takes the sample time of one group of a selector's series; the value is in seconds.
func (b *Builder) addTime(part int, s source.Sample) {
	t := &b.times[part]
	ms := int64(s.Value*1000) + b.rule.Times[part].Offset.Milliseconds()
	t.note(ms, b.evaluated.Add(-b.rule.MaxAge-b.rule.HoldFor).UnixMilli())
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
	id := int(b.id(part+1, object))
	for len(t.byID) <= id {
		t.byID = append(t.byID, 0)
	}
	if t.byID[id] == 0 || ms < t.byID[id] {
		t.byID[id] = ms
	}
}

// note keeps the part's own oldest time. Times beyond the limit count only if there are no others: pods that have gone leave
// them behind in ranges.
func (t *partTimes) note(ms, limit int64) {
	switch {
	case !t.present, t.oldest < limit && ms >= limit:
		t.oldest = ms
	case ms < t.oldest && (ms >= limit || t.oldest < limit):
		t.oldest = ms
	}
	t.present = true
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

// time is when an object's value was measured: the oldest sample of any selector that can have contributed. A selector that
// does not name the object, but others, may have been joined to it: it counts with its own oldest sample. ok is false if the
// query has selectors and none of them has a sample.
func (b *Builder) time(id int32) (measured time.Time, ok bool) {
	oldest := int64(math.MaxInt64)
	for i := range b.times {
		if t := &b.times[i]; t.present {
			oldest = min(oldest, b.partTime(t, id))
		}
	}
	if oldest == math.MaxInt64 {
		return b.evaluated, len(b.times) == 0 // a constant
	}
	if oldest > b.evaluated.UnixMilli() {
		return b.evaluated, true // stamped in the future
	}
	return time.UnixMilli(oldest), true
}

func (b *Builder) partTime(t *partTimes, id int32) int64 {
	if b.rule.Object == nil {
		return t.oldest // an external value is as old as its oldest sample
	}
	own := int64(math.MaxInt64)
	if int(id) < len(t.byID) && t.byID[id] != 0 {
		own = t.byID[id]
	}
	if t.loose != nil {
		own = min(own, t.looseFor(b.objectOf(id)))
	}
	if own == math.MaxInt64 {
		return t.oldest
	}
	return own
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
