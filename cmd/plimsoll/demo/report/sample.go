// SPDX-License-Identifier: Apache-2.0

// Package report judges a day of the demo from what was observed: whether the HPA followed the users up and down, how
// long after them, and how long its pods were too few for them. It reads no clock and no cluster.
package report

import (
	"math"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

// Sample is what was observed of one shop at one moment.
type Sample struct {
	At       time.Duration // since the day began
	Users    int           // users who are online or want to be
	Wanted   int           // replicas that the HPA wants
	Pods     int           // pods that exist, Ready or not: what is paid for
	Ready    int           // pods whose condition Ready is True: what serves
	Waiting  int           // orders in the queue
	HasValue bool          // whether the metrics API answered with a value
	Age      time.Duration // of the oldest value it answered with, in whole seconds

	Floor   int           // the HPA's minReplicas
	FloorBy bounds.Source // who set it; zero: the HPA's own
}

// Target is what the HPA was told to keep.
type Target struct {
	PerPod   float64 // users per pod
	Capacity float64 // users that a pod can serve: more than PerPod
	Min, Max int     // replicas
	// Startup is how long a pod takes to be Ready on the simulated nodes.
	Startup time.Duration
}

// Need is how many replicas the users need, within the bounds, without rounding.
func (t Target) Need(users int) float64 {
	return math.Min(float64(t.Max), math.Max(float64(t.Min), float64(users)/t.PerPod))
}

// Shortfall is how many users the ready pods cannot serve.
func (t Target) Shortfall(s Sample) float64 {
	return math.Max(0, float64(s.Users)-t.Capacity*float64(s.Ready))
}

// Run is one shop's day.
type Run struct {
	Name    string // of the column: "HPA alone"
	Samples []Sample
}
