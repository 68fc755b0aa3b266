// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"slices"
	"strings"
	"sync"
)

// space is one namespace. Objects and label pairs are numbered, so that the lists that grow with the fleet hold small
// integers without pointers: at 100,000 pods the garbage collector has nothing to follow in them.
type space struct {
	mu      sync.RWMutex
	objects []object // by object id; freed ones are reused
	free    []uint32
	order   []uint32 // all object ids, sorted by name

	pairs     []posting // by pair id
	freePairs []uint32
	pairIDs   map[pair]uint32
	keys      map[string][]uint32 // the pair ids of each label key, in no order
}

type object struct {
	name  string
	pairs []uint32 // its labels
}

type pair struct{ key, value string }

// posting is a label pair and the objects that carry it.
type posting struct {
	pair
	ids []uint32 // sorted by name
	at  int      // where keys[key] lists this pair
}

func newSpace() *space {
	return &space{pairIDs: map[pair]uint32{}, keys: map[string][]uint32{}}
}

// find returns the position of name in a list sorted by name.
func (s *space) find(ids []uint32, name string) (int, bool) {
	if n := len(ids); n > 0 && s.objects[ids[n-1]].name < name {
		return n, false // lists arrive sorted
	}
	return slices.BinarySearchFunc(ids, name, func(id uint32, name string) int {
		return strings.Compare(s.objects[id].name, name)
	})
}

func (s *space) set(name string, labels map[string]string) {
	at, known := s.find(s.order, name)
	if known {
		id := s.order[at]
		if s.same(id, labels) {
			return // most changes of a pod are changes of its status
		}
		s.unlink(id)
		s.link(id, labels)
		return
	}
	id := s.newObject(name)
	s.order = slices.Insert(s.order, at, id)
	s.link(id, labels)
}

func (s *space) remove(name string) {
	at, known := s.find(s.order, name)
	if !known {
		return
	}
	id := s.order[at]
	s.unlink(id)
	s.order = slices.Delete(s.order, at, at+1)
	s.objects[id] = object{}
	s.free = append(s.free, id)
}

func (s *space) newObject(name string) uint32 {
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		s.objects[id] = object{name: name}
		return id
	}
	s.objects = append(s.objects, object{name: name})
	return uint32(len(s.objects) - 1)
}

func (s *space) same(id uint32, labels map[string]string) bool {
	pairs := s.objects[id].pairs
	if len(pairs) != len(labels) {
		return false
	}
	for _, p := range pairs {
		if v, ok := labels[s.pairs[p].key]; !ok || v != s.pairs[p].value {
			return false
		}
	}
	return true
}

// link enters the object under each of its labels.
func (s *space) link(id uint32, labels map[string]string) {
	o := &s.objects[id]
	o.pairs = make([]uint32, 0, len(labels))
	for k, v := range labels {
		p := s.pairFor(pair{k, v})
		list := &s.pairs[p]
		at, _ := s.find(list.ids, o.name)
		list.ids = slices.Insert(list.ids, at, id)
		o.pairs = append(o.pairs, p)
	}
}

// unlink takes the object from the lists of its labels, and drops labels that nobody carries any more.
func (s *space) unlink(id uint32) {
	o := &s.objects[id]
	for _, p := range o.pairs {
		list := &s.pairs[p]
		if at, ok := s.find(list.ids, o.name); ok {
			list.ids = slices.Delete(list.ids, at, at+1)
		}
		if len(list.ids) == 0 {
			s.dropPair(p)
		}
	}
	o.pairs = nil
}

// pairFor numbers a label pair. The key's string is shared by all its pairs.
func (s *space) pairFor(p pair) uint32 {
	if id, ok := s.pairIDs[p]; ok {
		return id
	}
	siblings := s.keys[p.key]
	if len(siblings) > 0 {
		p.key = s.pairs[siblings[0]].key
	}
	entry := posting{pair: p, at: len(siblings)}
	var id uint32
	if n := len(s.freePairs); n > 0 {
		id = s.freePairs[n-1]
		s.freePairs = s.freePairs[:n-1]
		s.pairs[id] = entry
	} else {
		id = uint32(len(s.pairs))
		s.pairs = append(s.pairs, entry)
	}
	s.pairIDs[p] = id
	s.keys[p.key] = append(siblings, id)
	return id
}

func (s *space) dropPair(id uint32) {
	entry := s.pairs[id]
	siblings := s.keys[entry.key]
	last := siblings[len(siblings)-1]
	siblings[entry.at] = last
	s.pairs[last].at = entry.at
	if len(siblings) == 1 {
		delete(s.keys, entry.key)
	} else {
		s.keys[entry.key] = siblings[:len(siblings)-1]
	}
	delete(s.pairIDs, entry.pair)
	s.pairs[id] = posting{}
	s.freePairs = append(s.freePairs, id)
}
