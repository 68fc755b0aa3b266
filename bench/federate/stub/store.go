// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// remembered is how many events can be watched from the past, as an API server remembers some.
const remembered = 10_000

// event is one change of one object.
type event struct {
	version  int64
	resource string
	kind     watch.EventType
	object   client.Object
}

// store has the objects with one count of versions for all, as etcd has. An object in it is never changed, but replaced.
type store struct {
	mu      sync.Mutex
	version int64
	objects map[string]map[types.NamespacedName]client.Object // by resource
	log     []event                                           // the oldest first
	since   int64                                             // events after this version are in the log
	changed chan struct{}                                     // closed at the next event
}

func newStore() *store {
	const first = 1000
	return &store{version: first, since: first, objects: map[string]map[types.NamespacedName]client.Object{}, changed: make(chan struct{})}
}

// put creates or replaces an object, which is the store's from then on.
func (s *store) put(resource string, object client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(resource, object)
}

// update replaces an object by what a function makes of a copy, unless that returns false. It returns what is there then,
// nil if there is no such object.
func (s *store) update(resource string, key types.NamespacedName, change func(client.Object) bool) client.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.objects[resource][key]
	if old == nil {
		return nil
	}
	next := old.DeepCopyObject().(client.Object)
	if !change(next) {
		return old
	}
	s.set(resource, next)
	return next
}

func (s *store) remove(resource string, key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.objects[resource][key]
	if old == nil {
		return
	}
	gone := old.DeepCopyObject().(client.Object)
	delete(s.objects[resource], key)
	s.tell(resource, watch.Deleted, gone)
}

// set and tell are called with the lock.
func (s *store) set(resource string, object client.Object) {
	all := s.objects[resource]
	if all == nil {
		all = map[types.NamespacedName]client.Object{}
		s.objects[resource] = all
	}
	key, kind := client.ObjectKeyFromObject(object), watch.Added
	if all[key] != nil {
		kind = watch.Modified
	}
	all[key] = object
	s.tell(resource, kind, object)
}

func (s *store) tell(resource string, kind watch.EventType, object client.Object) {
	s.version++
	object.SetResourceVersion(strconv.FormatInt(s.version, 10))
	s.log = append(s.log, event{s.version, resource, kind, object})
	if len(s.log) > 2*remembered {
		s.log = slices.Clone(s.log[len(s.log)-remembered:])
		s.since = s.log[0].version - 1
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// get returns an object, which must not be changed; nil: there is none.
func (s *store) get(resource string, key types.NamespacedName) client.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[resource][key]
}

// list returns the objects that are wanted, by name, and the version at which they are so.
func (s *store) list(resource string, wanted func(client.Object) bool) ([]client.Object, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []client.Object
	for _, object := range s.objects[resource] {
		if wanted(object) {
			all = append(all, object)
		}
	}
	slices.SortFunc(all, func(a, b client.Object) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	return all, s.version
}

// news is what came after a version: the events of a resource, the version up to which that is all, and a channel that is
// closed when there is more. known is false if the store has forgotten what came then, or has not come there yet.
func (s *store) news(resource string, after int64) (events []event, until int64, more <-chan struct{}, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if after < s.since || after > s.version {
		return nil, after, nil, false
	}
	from, _ := slices.BinarySearchFunc(s.log, after+1, func(e event, version int64) int { return int(e.version - version) })
	for _, e := range s.log[from:] {
		if e.resource == resource {
			events = append(events, e)
		}
	}
	return events, s.version, s.changed, true
}
