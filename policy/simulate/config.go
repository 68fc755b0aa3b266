// SPDX-License-Identifier: Apache-2.0

// Package simulate runs an HPA, with or without Plimsoll's bounds, against a demand: demand -> metric (sampled and
// delayed) -> bounds and HPA arithmetic -> replicas -> time to start -> served and unserved demand. The loop is closed:
// what the HPA sees depends on what it did. Everything is a pure function of the Config; no clock is read.
package simulate

import (
	"fmt"
	"math"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/hpa"
)

// Config is one run.
type Config struct {
	HPA     hpa.Spec
	Options hpa.Options

	Start time.Time
	End   time.Time     // exclusive
	Sync  time.Duration // between two looks of the HPA; 0: 15s

	Demand *Series
	// Capacity is the demand that one ready replica serves, in the demand's unit. All above is unserved.
	Capacity float64
	// MilliPerUnit is what one unit of demand is in thousandths of the metric's unit. Kubernetes knows no smaller part of
	// a metric than a thousandth. 0: 1000.
	MilliPerUnit float64
	// Startup is the time from a new replica to its readiness; StartupAt, if not nil, is that of one that begins at a time.
	Startup   time.Duration
	StartupAt func(begun time.Time) time.Duration
	// Initial replicas, ready at the start; 0: what the demand needs, within the HPA's bounds.
	Initial int32

	SampleEvery time.Duration // the metric is measured on multiples of this; 0: Sync
	SampleDelay time.Duration // and visible to the HPA this much later
	// RequestMilli is a pod's request of the HPA's resource, of which a replica at its capacity uses all. 0: 1000.
	RequestMilli int64
	Outages      []Interval // no metric has a value then

	// Contribute returns who asks for other bounds; nil: a plain HPA.
	Contribute func(now time.Time, seen Seen) []bounds.Contribution
	Edits      []Edit // the user's own edits of the HPA, by time
	// Fixed replaces the HPA: it says how many replicas there are to be.
	Fixed func(now time.Time) int32

	// Looks are when the HPA looks, in order, and of when the values are that it reads then, where both are known.
	// Nil: it looks every Sync from the Start on and reads the newest sample.
	Looks []Look
	// Pending says that replicas are Pending until they are ready, as with a slow start of the container, and not
	// Running: the HPA then takes them for idle only when it scales up.
	Pending bool

	// Watch is called after every sync; nil: nobody watches.
	Watch func(Tick)
}

// Look is one of the HPA's, at values of the time Sampled.
type Look struct{ At, Sampled time.Time }

// Seen is what contributions may depend on.
type Seen struct {
	Demand   float64 // the newest sample
	At       time.Time
	Replicas int32
	Base     bounds.Bounds
}

// Interval is half-open.
type Interval struct{ From, To time.Time }

func (i Interval) contains(t time.Time) bool { return !t.Before(i.From) && t.Before(i.To) }

// Edit changes the HPA's own bounds from At on.
type Edit struct {
	At     time.Time
	Bounds bounds.Bounds
}

// Tick is the state after one sync.
type Tick struct {
	Time     time.Time
	Demand   float64
	Replicas int32
	Ready    int32
	Unserved float64 // demand above what the ready replicas serve
	Bounds   bounds.Bounds
	HPA      hpa.Decision  // zero with Fixed
	Decided  bounds.Result // zero without Contribute
}

// validate fills in defaults and says what cannot be simulated.
func (c *Config) validate() error {
	if c.Sync == 0 {
		c.Sync = 15 * time.Second
	}
	if c.SampleEvery == 0 {
		c.SampleEvery = c.Sync
	}
	if c.MilliPerUnit == 0 {
		c.MilliPerUnit = 1000
	}
	if c.RequestMilli == 0 {
		c.RequestMilli = 1000
	}
	if c.StartupAt == nil {
		c.StartupAt = func(time.Time) time.Duration { return c.Startup }
	}
	switch {
	case c.Demand == nil || len(c.Demand.points) == 0:
		return fmt.Errorf("there is no demand to simulate")
	case !c.End.After(c.Start):
		return fmt.Errorf("the end %s is not after the start %s", c.End.Format(time.RFC3339), c.Start.Format(time.RFC3339))
	case c.Sync < time.Second || c.SampleEvery < time.Second:
		return fmt.Errorf("the HPA's sync and the sampling must be at least 1s apart")
	case c.SampleDelay < 0 || c.Startup < 0 || c.Initial < 0 || c.RequestMilli < 0:
		return fmt.Errorf("delay, start-up time, initial replicas and request must not be negative")
	case !(c.MilliPerUnit > 0) || math.IsInf(c.MilliPerUnit, 0):
		return fmt.Errorf("a unit of demand is %v thousandths of the metric: it must be a positive number", c.MilliPerUnit)
	case !(c.Capacity > 0) || math.IsInf(c.Capacity, 0):
		return fmt.Errorf("the capacity of a replica is %v: it must be a positive number", c.Capacity)
	case c.End.Sub(c.Start)/c.Sync > maxSyncs:
		return fmt.Errorf("%s in steps of %s are more than %d syncs: choose a longer sync or a shorter time", c.End.Sub(c.Start), c.Sync, maxSyncs)
	}
	if c.Fixed != nil {
		return nil
	}
	return c.HPA.Validate()
}

// maxSyncs bounds the work: a year of default syncs.
const maxSyncs = 2_200_000
