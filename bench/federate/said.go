// SPDX-License-Identifier: Apache-2.0

package federate

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// said is what the hub says, as a watch of our own has it.
type said struct {
	mu     sync.Mutex
	scales map[types.NamespacedName]saying
	states map[string]v1alpha1.MemberState
	turned map[string]map[v1alpha1.MemberState]turn // when a member was last called so
}

// saying is what the status of a FederatedScale says.
type saying struct {
	reason         string
	divided, ready int32
}

// turn is when a state was seen, and since when it holds by the status' own words.
type turn struct{ seen, since time.Time }

func newSaid() *said {
	return &said{
		scales: map[types.NamespacedName]saying{}, states: map[string]v1alpha1.MemberState{}, turned: map[string]map[v1alpha1.MemberState]turn{},
	}
}

// look takes an object of the watch.
func (s *said) look(object any) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o := object.(type) {
	case *v1alpha1.FederatedScale:
		one := saying{divided: o.Status.Divided, ready: o.Status.ReadyReplicas}
		if c := apimeta.FindStatusCondition(o.Status.Conditions, v1alpha1.ConditionReady); c != nil && o.Status.ObservedGeneration == o.Generation {
			one.reason = c.Reason
		}
		s.scales[client.ObjectKeyFromObject(o)] = one
	case *v1alpha1.MemberCluster:
		if s.states[o.Name] == o.Status.State {
			return
		}
		s.states[o.Name] = o.Status.State
		if s.turned[o.Name] == nil {
			s.turned[o.Name] = map[v1alpha1.MemberState]turn{}
		}
		t := turn{seen: now}
		if o.Status.Since != nil {
			t.since = o.Status.Since.Time
		}
		s.turned[o.Name][o.Status.State] = t
	}
}

// divided is how many scales say that they are divided, and that so many replicas are Ready.
func (s *said) divided(keys []types.NamespacedName, replicas int32) int {
	return s.count(keys, func(one saying) bool {
		return one.reason == v1alpha1.FederatedDivided && one.divided == replicas && one.ready == replicas
	})
}

// moved is how many say that as many replicas as asked for are Ready, although a member has failed.
func (s *said) moved(keys []types.NamespacedName, replicas int32) int {
	return s.count(keys, func(one saying) bool { return one.reason == v1alpha1.FederatedFailedOver && one.ready == replicas })
}

func (s *said) count(keys []types.NamespacedName, holds func(saying) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, key := range keys {
		if holds(s.scales[key]) {
			n++
		}
	}
	return n
}

// are is how many members are in a state.
func (s *said) are(state v1alpha1.MemberState) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, one := range s.states {
		if one == state {
			n++
		}
	}
	return n
}

// turnedAt is when a member was last called so; zero: never.
func (s *said) turnedAt(member string, state v1alpha1.MemberState) turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turned[member][state]
}

// summary says how many scales give which reason, for an error.
func (s *said) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for _, one := range s.scales {
		counts[one.reason]++
	}
	for _, state := range s.states {
		counts["members "+string(state)]++
	}
	var all []string
	for what, n := range counts {
		all = append(all, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
