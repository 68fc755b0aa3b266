// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"maps"
	"math"
	"time"
)

// Observations are what a decision depends on besides the schedules and the time. The zero value is a target of
// which nothing is known.
type Observations struct {
	BaseMin int32 // the user's own minReplicas: where ramps begin and end
	BaseMax int32 // the user's own maxReplicas; 0: unknown

	// PerReplicaMilli is the HPA's target for one replica, in thousandths of the metric's unit. 0: unknown, and windows
	// with a demand set no floor.
	PerReplicaMilli int64
	// Lead is the measured time from a decision to Ready pods. Ramps end that much before their window starts.
	Lead time.Duration

	// Self is the target that is decided for; in a schedule for many targets, one does not wait for itself.
	Self Target
	// Ready says which targets of `after` have reached their own floors.
	Ready map[Target]bool
	// Released holds Decision.Released of the decision before: a ramp that has begun does not wait again when a pod of
	// another target restarts.
	Released map[Occurrence]bool
	// AssumeReady takes every target of `after` as Ready, for previews.
	AssumeReady bool
}

// Occurrence names one interval of one window.
type Occurrence struct {
	Schedule string
	Window   string
	Start    int64 // Unix seconds
}

func (o Observations) equal(other Observations) bool {
	return o.BaseMin == other.BaseMin && o.BaseMax == other.BaseMax && o.PerReplicaMilli == other.PerReplicaMilli &&
		o.Lead == other.Lead && o.Self == other.Self && o.AssumeReady == other.AssumeReady &&
		maps.Equal(o.Ready, other.Ready) && maps.Equal(o.Released, other.Released)
}

func (o Observations) copy() Observations {
	o.Ready, o.Released = maps.Clone(o.Ready), maps.Clone(o.Released)
	return o
}

// leadSeconds rounds up: pods that are Ready a second early do no harm.
func (o Observations) leadSeconds() int64 {
	if o.Lead <= 0 {
		return 0
	}
	return int64((min(o.Lead, maxRamp) + time.Second - 1) / time.Second)
}

// replicasFor returns ceil(demand / perReplica), both in thousandths of the metric's unit.
func replicasFor(demand, perReplica int64) int32 {
	n := demand / perReplica
	if demand%perReplica > 0 {
		n++
	}
	return int32(min(n, math.MaxInt32))
}
