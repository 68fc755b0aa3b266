// SPDX-License-Identifier: Apache-2.0

package federate

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// numbers are the replicas that Deployments ask for in the members, as their API servers had them, and when a number that
// is aimed for was reached.
type numbers struct {
	mu  sync.Mutex
	has map[types.NamespacedName]map[string]int32 // by member
	// least is the sum below which a scale must never be, where a member that is gone does not count.
	least map[types.NamespacedName]int32
	gone  string
	below []string // where one was
	aims  map[types.NamespacedName]*aim
}

// aim is the sum that one scale shall have.
type aim struct {
	total   int32
	lower   bool   // fewer than before
	without string // a member that does not count
	sent    time.Time
	reached time.Time // zero: not yet
}

func newNumbers() *numbers {
	return &numbers{
		has: map[types.NamespacedName]map[string]int32{}, least: map[types.NamespacedName]int32{}, aims: map[types.NamespacedName]*aim{},
	}
}

// see notes the number of one member.
func (n *numbers) see(member string, key types.NamespacedName, replicas int32, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.has[key] == nil {
		n.has[key] = map[string]int32{}
	}
	n.has[key][member] = replicas
	if total, least := n.sum(key, n.gone), n.least[key]; total < least {
		n.below = append(n.below, fmt.Sprintf("%s had %d replicas when %s had %d, and must have %d", key, total, member, replicas, least))
	}
	n.judge(key, at)
}

// sum is how many there are, with the lock.
func (n *numbers) sum(key types.NamespacedName, without string) int32 {
	total := int32(0)
	for member, replicas := range n.has[key] {
		if member != without {
			total += replicas
		}
	}
	return total
}

// judge notes that an aim is reached, with the lock.
func (n *numbers) judge(key types.NamespacedName, at time.Time) {
	a := n.aims[key]
	if a == nil || !a.reached.IsZero() {
		return
	}
	if total := n.sum(key, a.without); a.lower && total <= a.total || !a.lower && total >= a.total {
		a.reached = at
		if a.without != "" && a.without == n.gone {
			n.least[key] = a.total // what was moved stays
		}
	}
}

// aim begins to wait for a sum; the times of all aims count together until forget.
func (n *numbers) aim(key types.NamespacedName, a aim) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.aims[key] = &a
	n.judge(key, a.sent)
}

// forget ends all waiting.
func (n *numbers) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.aims = map[types.NamespacedName]*aim{}
}

// leave says that a member is gone: from now on no scale of some may have fewer in the others than it has there now, and
// none fewer than its aim once that is reached.
func (n *numbers) leave(member string, keys []types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = member
	for _, key := range keys {
		n.least[key] = n.sum(key, member)
	}
}

// floor sets what a scale must never be below; 0: nothing.
func (n *numbers) floor(key types.NamespacedName, least int32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.least[key] = least
}

// waiting is how many aims are not reached.
func (n *numbers) waiting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	left := 0
	for _, a := range n.aims {
		if a.reached.IsZero() {
			left++
		}
	}
	return left
}

// took are the seconds that the aims of some scales took from when they were sent.
func (n *numbers) took(which func(types.NamespacedName) bool) []float64 {
	return n.since(which, func(a *aim) time.Time { return a.sent })
}

// since are the seconds that they took from a moment; one that was reached before took 0.
func (n *numbers) since(which func(types.NamespacedName) bool, from func(*aim) time.Time) []float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []float64
	for key, a := range n.aims {
		if which(key) && !a.reached.IsZero() {
			all = append(all, max(a.reached.Sub(from(a)), 0).Seconds())
		}
	}
	return all
}

// wrong are the scales whose sum is not what they ask for, a member that is gone not counted.
func (n *numbers) wrong(keys []types.NamespacedName, want int32, without string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, key := range keys {
		if total := n.sum(key, without); total != want {
			all = append(all, fmt.Sprintf("%s has %d replicas instead of %d", key, total, want))
		}
	}
	return all
}

// fell are the moments at which a scale had too few.
func (n *numbers) fell() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.below...)
}
