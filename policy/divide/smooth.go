// SPDX-License-Identifier: Apache-2.0

package divide

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Weights are the weights of one workload's clusters, kept between decisions (in its status), so that a restart or
// another leader goes on with the same. The zero value has none yet.
type Weights struct {
	// Frozen are the weights in force: replicas are created and reclaimed in their proportion until they are replaced.
	Frozen map[string]int64
	// Smooth follows the measured weights slowly, in thousandths.
	Smooth map[string]int64
	// Sampled is when Smooth last took a step; Replaced is when Frozen was last replaced.
	Sampled, Replaced time.Time
}

// Smoothing says how slowly weights follow what is measured.
type Smoothing struct {
	Interval time.Duration // of a step, which goes a tenth of the way
	Window   time.Duration // in which the weights in force are replaced at most once
	Seats    int64         // by how many seats some cluster's division must differ for that
}

// DefaultSmoothing is a step a minute, a replacement in 10 minutes at most, and for 2 seats or more.
func DefaultSmoothing() Smoothing {
	return Smoothing{Interval: time.Minute, Window: 10 * time.Minute, Seats: 2}
}

// Capacities are what was measured at a time.
type Capacities struct {
	Replicas int64     // to be divided, against which the difference in seats is judged
	Clusters []Cluster // all that belong to the workload, with minimum and maximum; their weights do not matter
	// Measured are the clusters' weights (Capacity.Weight); those that do not answer are missing, and keep what they had.
	Measured map[string]int64
	// Hold keeps the weights in force, for as long as members are silent or seats are on their way back: what moved
	// meanwhile weighs on the others, and the old division is to return.
	Hold bool
}

const (
	thousandths = 1000
	smoothSteps = 100 // after which (9/10)^n leaves nothing
)

// Next returns the weights to use from now on, and why the weights in force were replaced ("" if they were not). It is a
// function of its arguments only and may be called as often as one likes: called twice at one time the second changes
// nothing. A cluster that is new, or into which nothing had fitted, takes its measured weight at once; one that
// is gone takes its weight along; the others' stay.
//
// The steps are an exponentially weighted moving average with factor 1/10; the threshold and the window keep noise from
// moving replicas.
func (w Weights) Next(c Capacities, s Smoothing, now time.Time) (Weights, string) {
	next := Weights{Frozen: map[string]int64{}, Smooth: map[string]int64{}, Sampled: w.Sampled, Replaced: w.Replaced}
	steps := int64(0)
	if s.Interval > 0 && !w.Sampled.IsZero() {
		steps = max(int64(now.Sub(w.Sampled)/s.Interval), 0)
		next.Sampled = w.Sampled.Add(time.Duration(steps) * s.Interval)
	}
	for _, cluster := range c.Clusters {
		name := cluster.Name
		measured, answers := c.Measured[name]
		measured = min(max(measured, 0), MaxReplicas)
		frozen, known := w.Frozen[name]
		empty := known && frozen == 0 && w.Smooth[name] == 0 && answers && !c.Hold
		switch {
		case !known && !answers:
			continue // nothing is known of it yet: Divide gives it its minimum
		case !known || empty && measured > 0:
			next.Frozen[name], next.Smooth[name] = measured, measured*thousandths
		case !answers || c.Hold:
			next.Frozen[name], next.Smooth[name] = frozen, w.Smooth[name]
		default:
			next.Frozen[name], next.Smooth[name] = frozen, follow(w.Smooth[name], measured*thousandths, steps)
		}
	}
	if w.Sampled.IsZero() && len(next.Frozen) > 0 {
		next.Sampled, next.Replaced = now, now
	}
	if c.Hold || now.Sub(next.Replaced) < s.Window {
		return next, ""
	}
	why := next.differs(c, s)
	if why != "" {
		next.Frozen, next.Replaced = next.smoothed(), now
	}
	return next, why
}

// follow goes a tenth of the way to a value, so many times.
func follow(from, to, steps int64) int64 {
	for range min(steps, smoothSteps) {
		from += (to - from) / 10
	}
	return from
}

func (w Weights) smoothed() map[string]int64 {
	out := maps.Clone(w.Smooth)
	for name, weight := range out {
		out[name] = (weight + thousandths/2) / thousandths
	}
	return out
}

// differs says for which cluster the smooth weights would mean some seats more or fewer, "" if for none.
func (w Weights) differs(c Capacities, s Smoothing) string {
	now, err := Divide(c.Replicas, weighing(c.Clusters, w.Frozen), "")
	if err != nil {
		return "" // the caller's division says it
	}
	then, err := Divide(c.Replicas, weighing(c.Clusters, w.smoothed()), "")
	if err != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(now.Seats)) {
		if before, after := now.Seats[name], then.Seats[name]; max(before-after, after-before) >= max(s.Seats, 1) {
			return fmt.Sprintf("the clusters' capacity has shifted: cluster %s should have %d seats instead of %d", name, after, before)
		}
	}
	return ""
}

func weighing(clusters []Cluster, weights map[string]int64) []Cluster {
	out := slices.Clone(clusters)
	for i := range out {
		out[i].Weight = weights[out[i].Name]
	}
	return out
}
