// SPDX-License-Identifier: Apache-2.0

package report

import (
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

// Supply is how much there was of what was needed. Between two samples that what was seen at the first holds.
type Supply struct {
	Observed time.Duration // from the first sample to the last
	Short    time.Duration // the ready pods could not serve all users
	// Worst is the greatest number of users that could not be served at one moment, and WorstShare the greatest share.
	Worst        float64
	WorstShare   float64
	ReplicaHours float64 // of all pods, those that start included
	MostUsers    int
	MostReady    int
	MostWaiting  int
	// FloorBy is how long each kind of source held the floor.
	FloorBy map[string]time.Duration
}

// longestGap is how long a sample counts at most: what nobody saw for longer is not known.
const longestGap = 10 * time.Second

// Measure measures the supply of samples in the order of their times.
func Measure(samples []Sample, t Target) Supply {
	s := Supply{FloorBy: map[string]time.Duration{}}
	for i, now := range samples {
		s.MostUsers, s.MostReady, s.MostWaiting = max(s.MostUsers, now.Users), max(s.MostReady, now.Ready), max(s.MostWaiting, now.Waiting)
		missing := t.Shortfall(now)
		if missing > 0 {
			s.Worst, s.WorstShare = max(s.Worst, missing), max(s.WorstShare, missing/float64(now.Users))
		}
		if i+1 == len(samples) {
			break
		}
		span := min(longestGap, samples[i+1].At-now.At)
		s.Observed += span
		if missing > 0 {
			s.Short += span
		}
		s.ReplicaHours += float64(now.Pods) * span.Hours()
		s.FloorBy[kindOf(now.FloorBy)] += span
	}
	return s
}

func kindOf(by bounds.Source) string {
	if by.Kind == "" {
		return bounds.KindBase
	}
	return by.Kind
}
