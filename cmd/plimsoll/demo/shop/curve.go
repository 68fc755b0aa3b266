// SPDX-License-Identifier: Apache-2.0

// Package shop simulates an online shop for the demo: how many users are online at a time of day, how they spread over
// the shop's pods, and an HTTP server that tells Prometheus about it.
package shop

import (
	"math"
	"math/rand/v2"
	"time"
)

// Day is the curve of users over one day, which may be compressed into minutes: quiet, a morning rise, a peak with a
// small evening bump, a decline, quiet again. It repeats after Length.
type Day struct {
	Length time.Duration
	Quiet  float64 // users at night
	Peak   float64 // users at the top
	Noise  float64 // largest relative deviation, 0.02 is 2 %
	Seed   uint64  // of the noise
}

// The phases' ends as shares of a day.
const (
	quietEnds   = 0.10
	riseEnds    = 0.40
	peakEnds    = 0.58
	declineEnds = 0.84
)

// Users returns how many users are online at the time since the day began. It depends on nothing else, and is never
// negative.
func (d Day) Users(at time.Duration) int {
	level := d.Quiet + (d.Peak-d.Quiet)*shape(d.share(at))
	return int(math.Max(0, math.Round(level*(1+d.Noise*d.wobble(at)))))
}

// Phase names the time of day in a word or two.
func (d Day) Phase(at time.Duration) string {
	switch s := d.share(at); {
	case s < quietEnds:
		return "quiet"
	case s < riseEnds:
		return "morning rise"
	case s < peakEnds:
		return "peak"
	case s < declineEnds:
		return "decline"
	default:
		return "night"
	}
}

// share is the time of day in [0, 1).
func (d Day) share(at time.Duration) float64 {
	if d.Length <= 0 {
		return 0
	}
	_, s := math.Modf(at.Seconds() / d.Length.Seconds())
	if s < 0 {
		s++
	}
	return s
}

// shape is the day without noise, from 0 (quiet) to 1 (the top, in the middle of the peak).
func shape(s float64) float64 {
	const plateau = 0.95
	switch {
	case s < quietEnds:
		return 0
	case s < riseEnds:
		return plateau * smooth((s-quietEnds)/(riseEnds-quietEnds))
	case s < peakEnds:
		return plateau + (1-plateau)*math.Sin(math.Pi*(s-riseEnds)/(peakEnds-riseEnds))
	case s < declineEnds:
		return plateau * smooth((declineEnds-s)/(declineEnds-peakEnds))
	default:
		return 0
	}
}

// smooth goes from 0 to 1 without a corner at either end.
func smooth(x float64) float64 { return x * x * (3 - 2*x) }

// wobble is seeded noise in [-1, 1]: three slow waves, so that neighbouring seconds stay close to each other.
func (d Day) wobble(at time.Duration) float64 {
	phases := rand.New(rand.NewPCG(d.Seed, d.Seed))
	s := d.share(at)
	sum := 0.0
	for _, cycles := range []float64{5, 8, 13} {
		sum += math.Sin(2 * math.Pi * (cycles*s + phases.Float64()))
	}
	return sum / 3
}
