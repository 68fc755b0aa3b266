// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Index knows the names and labels of all objects of one resource, by namespace and label. Selecting by label touches the
// objects that match and no others. It is the store of a reflector: nothing else keeps the objects.
type Index struct {
	mu     sync.RWMutex // guards the map, not what it points to
	spaces map[string]*space
	synced chan struct{} // closed after the first complete list
	once   sync.Once
}

// NewIndex returns an empty index, not synced.
func NewIndex() *Index {
	return &Index{spaces: map[string]*space{}, synced: make(chan struct{})}
}

// HasSynced reports whether the index has held a complete list.
func (x *Index) HasSynced() bool {
	select {
	case <-x.synced:
		return true
	default:
		return false
	}
}

// AppendNames appends the names of the namespace's objects that match, sorted, and returns the extended slice. namespace is
// "" for cluster-scoped resources. Nothing but the growth of dst is allocated for a selector that is one equality.
func (x *Index) AppendNames(dst []string, namespace string, s *Selector) []string {
	x.mu.RLock()
	sp := x.spaces[namespace]
	x.mu.RUnlock()
	if sp == nil || s.nothing {
		return dst
	}
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	return sp.appendNames(dst, s)
}

// Len is the number of objects.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := 0
	for _, sp := range x.spaces {
		sp.mu.RLock()
		n += len(sp.order)
		sp.mu.RUnlock()
	}
	return n
}

// Set adds an object or replaces its labels. Strings are kept, maps are not.
func (x *Index) Set(namespace, name string, labels map[string]string) {
	x.mu.RLock()
	sp := x.spaces[namespace]
	if sp != nil {
		sp.mu.Lock()
		sp.set(name, labels)
		sp.mu.Unlock()
	}
	x.mu.RUnlock()
	if sp != nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	sp = x.spaces[namespace]
	if sp == nil {
		sp = newSpace()
		x.spaces[strings.Clone(namespace)] = sp
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.set(name, labels)
}

// Remove forgets an object.
func (x *Index) Remove(namespace, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	sp := x.spaces[namespace]
	if sp == nil {
		return
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.remove(name)
	if len(sp.order) == 0 {
		delete(x.spaces, namespace)
	}
}

// replace puts a complete list in place; readers see the old one until then.
func (x *Index) replace(list []*metav1.PartialObjectMetadata) {
	slices.SortFunc(list, func(a, b *metav1.PartialObjectMetadata) int {
		if c := strings.Compare(a.Namespace, b.Namespace); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	spaces := map[string]*space{}
	for _, o := range list { // in order, so that each insertion is an append
		sp := spaces[o.Namespace]
		if sp == nil {
			sp = newSpace()
			spaces[o.Namespace] = sp
		}
		sp.set(o.Name, o.Labels)
	}
	x.mu.Lock()
	x.spaces = spaces
	x.mu.Unlock()
	x.once.Do(func() { close(x.synced) })
}
