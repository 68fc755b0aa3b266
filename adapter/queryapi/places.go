// SPDX-License-Identifier: Apache-2.0

package queryapi

import (
	"context"
	"sync"
)

const (
	// Parallel is how many requests are with the source at once. An engine that has so many places beside those for the
	// evaluation of rules never lets the evaluation wait for a request.
	Parallel = 4
	// parallelScoped is how many of these may be for single namespaces: the rest is for those who may read the whole cluster.
	parallelScoped = 3
	// parallelNamespace is how many may be for one and the same namespace, so that no tenant's queries shut out the others'.
	parallelNamespace = 2
)

// places are what requests to the source wait for.
type places struct {
	all, scoped chan struct{}

	mu         sync.Mutex
	namespaces map[string]*namespacePlaces // those in which somebody has a place or waits for one
}

type namespacePlaces struct {
	taken chan struct{}
	users int // who have a place or wait for one; guarded by places.mu
}

func newPlaces() *places {
	return &places{
		all: make(chan struct{}, Parallel), scoped: make(chan struct{}, parallelScoped), namespaces: map[string]*namespacePlaces{},
	}
}

// take waits for a place for a namespace, or for the whole cluster if it is "", and returns how to leave it. An error is the
// context's. The narrowest limit comes first: who waits for it keeps nobody from the wider ones.
func (p *places) take(ctx context.Context, namespace string) (leave func(), err error) {
	if namespace == "" {
		return enter(ctx, p.all)
	}
	own := p.join(namespace)
	exit, err := enter(ctx, own.taken, p.scoped, p.all)
	if err != nil {
		p.part(namespace, own)
		return nil, err
	}
	return func() { exit(); p.part(namespace, own) }, nil
}

// enter takes a place in each, in this order, or in none.
func enter(ctx context.Context, rooms ...chan struct{}) (leave func(), err error) {
	for i, room := range rooms {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			empty(rooms[:i])
			return nil, ctx.Err()
		}
	}
	return func() { empty(rooms) }, nil
}

func empty(rooms []chan struct{}) {
	for _, room := range rooms {
		<-room
	}
}

func (p *places) join(namespace string) *namespacePlaces {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.namespaces[namespace]
	if own == nil {
		own = &namespacePlaces{taken: make(chan struct{}, parallelNamespace)}
		p.namespaces[namespace] = own
	}
	own.users++
	return own
}

func (p *places) part(namespace string, own *namespacePlaces) {
	p.mu.Lock()
	defer p.mu.Unlock()
	own.users--
	if own.users == 0 {
		delete(p.namespaces, namespace)
	}
}
