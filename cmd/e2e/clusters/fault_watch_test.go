// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// sampleEvery is the time between two samples.
const sampleEvery = 250 * time.Millisecond

// count is what one member says of the workload itself, not by way of the hub.
type count struct{ replicas, ready int32 }

// sample is what the members said between two moments; those that are known to be away are missing.
type sample struct {
	from, to time.Time
	members  map[string]count
	states   map[string]v1alpha1.MemberState // what the hub thinks; none while it does not answer
}

// floor is how many ready replicas some members must have together, from a moment on.
type floor struct {
	from  time.Time
	least int32
	of    []string
}

// recording samples a workload in all members until it is ended.
type recording struct {
	fleet *fleet
	key   types.NamespacedName
	end   func()

	mu      sync.Mutex
	away    map[string]bool
	samples []sample
	floors  []floor
}

func (f *fleet) record(ctx context.Context, key types.NamespacedName) *recording {
	r := &recording{fleet: f, key: key, away: map[string]bool{}}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	r.end = func() { cancel(); <-ended }
	go func() {
		defer close(ended)
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			r.take(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return r
}

// take takes a sample. All members are asked at once, twice, and the larger numbers count: what moves from one to another,
// first raised and then lowered, could otherwise be missed in both.
func (r *recording) take(ctx context.Context) {
	s := sample{from: time.Now(), members: map[string]count{}, states: map[string]v1alpha1.MemberState{}}
	r.mu.Lock()
	away := maps.Clone(r.away)
	r.mu.Unlock()
	for range 2 {
		round, err := r.ask(ctx, away)
		if err != nil {
			return // a member that is not away was late: nothing can be said
		}
		for name, c := range round {
			s.members[name] = count{replicas: max(c.replicas, s.members[name].replicas), ready: max(c.ready, s.members[name].ready)}
		}
	}
	var list v1alpha1.MemberClusterList
	asked, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if r.fleet.client.List(asked, &list) != nil {
		list.Items = nil // the members say how they are all the same
	}
	for i := range list.Items {
		s.states[list.Items[i].Name] = list.Items[i].Status.State
	}
	s.to = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
}

func (r *recording) ask(ctx context.Context, away map[string]bool) (map[string]count, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var (
		mu       sync.Mutex
		wait     sync.WaitGroup
		problems []error
	)
	round := map[string]count{}
	for name, m := range r.fleet.members {
		if away[name] {
			continue
		}
		wait.Go(func() {
			d := &appsv1.Deployment{}
			err := m.client.Get(ctx, r.key, d)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				problems = append(problems, err)
				return
			}
			round[name] = count{*d.Spec.Replicas, d.Status.ReadyReplicas}
		})
	}
	wait.Wait()
	return round, errors.Join(problems...)
}

// sampled waits for a sample that shows what is so now.
func (r *recording) sampled(t *testing.T) {
	t.Helper()
	now := time.Now()
	stacktest.Eventually(t, "a sample", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if n := len(r.samples); n == 0 || r.samples[n-1].from.Before(now) {
			return errors.New("there is none")
		}
		return nil
	})
}

// without says that members cannot be asked from now on, with that they can.
func (r *recording) without(names ...string) { r.set(true, names) }
func (r *recording) with(names ...string)    { r.set(false, names) }

func (r *recording) set(away bool, names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		r.away[name] = away
	}
}

// atLeast says how many replicas must be Ready in some members together from now on.
func (r *recording) atLeast(least int32, of ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floors = append(r.floors, floor{from: time.Now(), least: least, of: of})
}

// judge ends the recording and fails if too few were Ready at any time.
func (r *recording) judge(t *testing.T) {
	t.Helper()
	r.sampled(t)
	r.end()
	var fell []string
	judged := 0
	for i, f := range r.floors {
		until := time.Now()
		if i+1 < len(r.floors) {
			until = r.floors[i+1].from
		}
		for _, s := range r.samples {
			if s.from.Before(f.from) || s.to.After(until) {
				continue
			}
			judged++
			var ready int32
			for _, name := range f.of {
				ready += s.members[name].ready
			}
			if ready < f.least {
				fell = append(fell, fmt.Sprintf("%s: %d Ready in %s, not %d: %v", s.from.Format("04:05.000"), ready, strings.Join(f.of, ", "), f.least, s.members))
			}
		}
	}
	require.Empty(t, fell, "the ready replicas fell")
	t.Logf("%d samples, %d judged by %d floors", len(r.samples), judged, len(r.floors))
}

// turns are the numbers of replicas in a member at which their course turned, the first and the last.
func (r *recording) turns(name string) []int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []int32
	for _, s := range r.samples {
		c, seen := s.members[name]
		n := len(out)
		switch {
		case !seen || n > 0 && out[n-1] == c.replicas:
		case n > 1 && (out[n-2] < out[n-1]) == (out[n-1] < c.replicas):
			out[n-1] = c.replicas
		default:
			out = append(out, c.replicas)
		}
	}
	return out
}

// thought is what the hub thought of a member, in order.
func (r *recording) thought(name string) []v1alpha1.MemberState {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []v1alpha1.MemberState
	for _, s := range r.samples {
		if state, known := s.states[name]; known {
			out = append(out, state)
		}
	}
	return slices.Compact(out)
}
