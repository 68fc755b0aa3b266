// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"math"
	"time"
)

// Measures say how good a run was. Replicas are whole: a demand of 2.1 replicas needs 3.
type Measures struct {
	Duration                time.Duration
	DeficientReplicaMinutes float64 // replicas that were needed and not ready, times minutes
	ExcessReplicaMinutes    float64 // replicas that were ready and not needed, times minutes
	ShortMinutes            float64 // in which demand was unserved
	TimeShort               float64 // the share of the time in which demand was unserved
	WorstHour               float64 // deficient replica-minutes of the worst hour, counted from the start
	UnservedShare           float64 // of all demand
	ReplicaHours            float64 // of all replicas, those that start included
	ScaleEvents             int
	DirectionChanges        int // a rise after a fall, or a fall after a rise
	PeakReplicas            int32
}

// meter adds up while a run goes on.
type meter struct {
	out       Measures
	hour      int64
	hourSum   float64
	demand    float64
	unserved  float64
	direction int
	elapsed   time.Duration
}

// account adds the time until the next sync.
func (m *meter) account(t Tick, capacity float64, step time.Duration) {
	minutes := step.Minutes()
	// A hair less, so that what was divided and multiplied again does not need one replica more.
	needed := math.Ceil(t.Demand/capacity - 1e-9)
	ready := float64(t.Ready)
	deficient := max(needed-ready, 0) * minutes
	m.out.DeficientReplicaMinutes += deficient
	m.out.ExcessReplicaMinutes += max(ready-needed, 0) * minutes
	m.out.ReplicaHours += float64(t.Replicas) * step.Hours()
	m.out.PeakReplicas = max(m.out.PeakReplicas, t.Replicas)
	if deficient > 0 {
		m.out.ShortMinutes += minutes
	}
	if hour := int64(m.elapsed / time.Hour); hour != m.hour {
		m.hour, m.hourSum = hour, 0
	}
	m.hourSum += deficient
	m.out.WorstHour = max(m.out.WorstHour, m.hourSum)
	m.demand += t.Demand * minutes
	m.unserved += t.Unserved * minutes
	m.elapsed += step
}

// scaled counts a change of the replicas.
func (m *meter) scaled(before, after int32) {
	if before == after {
		return
	}
	direction := 1
	if after < before {
		direction = -1
	}
	m.out.ScaleEvents++
	if m.direction != 0 && m.direction != direction {
		m.out.DirectionChanges++
	}
	m.direction = direction
}

func (m *meter) measures() Measures {
	out := m.out
	out.Duration = m.elapsed
	if m.elapsed > 0 {
		out.TimeShort = out.ShortMinutes / m.elapsed.Minutes()
	}
	if m.demand > 0 {
		out.UnservedShare = m.unserved / m.demand
	}
	return out
}
