// SPDX-License-Identifier: Apache-2.0

// Package report judges a day of the demo from what was observed: whether the HPA followed the users up and down, and
// how long after them. It reads no clock and no cluster.
package report

import (
	"math"
	"time"
)

// Sample is what was observed at one moment.
type Sample struct {
	At       time.Duration // since the day began
	Users    int           // users who are online or want to be
	Wanted   int           // replicas that the HPA wants
	Ready    int           // pods that are ready
	Waiting  int           // orders in the queue
	HasValue bool          // whether the metrics API answered with a value
	Age      time.Duration // of the oldest value it answered with, in whole seconds
}

// PerPod is how many users each ready pod serves; 0 while none is ready.
func (s Sample) PerPod() float64 {
	if s.Ready == 0 {
		return 0
	}
	return float64(s.Users) / float64(s.Ready)
}

// Target is what the HPA was told to keep.
type Target struct {
	PerPod   float64 // users per pod
	Min, Max int     // replicas
}

// Need is how many replicas the users need, within the bounds, without rounding.
func (t Target) Need(users int) float64 {
	return math.Min(float64(t.Max), math.Max(float64(t.Min), float64(users)/t.PerPod))
}
