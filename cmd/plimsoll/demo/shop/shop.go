// SPDX-License-Identifier: Apache-2.0

package shop

import (
	"maps"
	"math"
	"sync"
	"time"
)

// Options are what a shop is made of.
type Options struct {
	Namespace string
	Day       Day
	// Turnover is the share of sessions that end in a second and are replaced by new ones.
	Turnover float64
	// Capacity is how many users a pod can serve without letting orders wait.
	Capacity float64
}

// Shop moves the users of one day over the pods that are ready. Safe for concurrent use.
type Shop struct {
	options Options

	mu      sync.Mutex
	crowd   Crowd
	wanting int     // users who want to be online; fewer are while there is no pod
	waiting float64 // orders in the queue
	last    time.Duration
}

// State is the shop at one moment.
type State struct {
	Users   int            // who are online or want to be
	PerPod  map[string]int // users by pod
	Waiting int            // orders in the queue
}

// ordersPerUser is how many orders a user places in a second.
const ordersPerUser = 0.02

// New returns a shop that nobody has visited yet.
func New(options Options) *Shop { return &Shop{options: options} }

// Step moves the shop to the given time of its day, with the pods that are ready then.
func (s *Shop) Step(at time.Duration, pods []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seconds := math.Max(0, (at - s.last).Seconds())
	s.last = at
	s.wanting = s.options.Day.Users(at)
	s.crowd.Step(pods, s.wanting, math.Min(1, s.options.Turnover*seconds))
	beyond := float64(s.wanting) - s.options.Capacity*float64(len(pods))
	s.waiting = math.Max(0, s.waiting+ordersPerUser*beyond*seconds)
	if at < 0 { // the shop is being opened
		s.waiting = 0
	}
}

// State returns the shop as the last step left it.
func (s *Shop) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{Users: s.wanting, PerPod: maps.Clone(s.crowd.users), Waiting: int(math.Ceil(s.waiting))}
}
