// SPDX-License-Identifier: Apache-2.0

// Package shop simulates an online shop for the demo: how many users are online at a time of day, how they spread over
// the shop's pods, and an HTTP server that tells Prometheus about it.
package shop

import (
	"math"
	"math/rand/v2"
	"time"
)

// Day is the curve of users over one day, which may be compressed into minutes: a quiet night, a morning rise, a busy
// day, an evening peak, and night again. It repeats after Length, and a little differently on each day of the week.
//
// The days from the time 0 on also have two events that the days before (negative times) did not have: in the afternoon
// a TV show mentions the shop, and the evening has a sale.
type Day struct {
	Length time.Duration
	Quiet  float64 // users at night
	Peak   float64 // users at the top, which is the sale
	Noise  float64 // largest relative deviation, 0.02 is 2 %
	Seed   uint64  // of the noise
}

// The phases' ends, and the events' begins and ends, as shares of a day.
const (
	quietEnds   = 0.08
	riseEnds    = 0.30
	mentionFrom = 0.44
	mentionTo   = 0.54
	eveningFrom = 0.60
	saleFrom    = 0.66
	saleTo      = 0.79
	eveningEnds = 0.90
	// jump is how long it takes until all who come to an event are there.
	jump = 0.02
)

// The levels of a day, from 0 (quiet) to 1 (the top).
const (
	busy      = 0.42 // the day without an event
	evening   = 0.80 // without the sale
	mentioned = 0.27 // what the mention adds
)

// Users returns how many users are online at the time since the first day with events began. It depends on nothing
// else, and is never negative.
func (d Day) Users(at time.Duration) int {
	number, s := d.split(at)
	level := usual(s)
	if number >= 0 {
		level = math.Max(level+mentioned*plateau(s, mentionFrom, mentionTo, 2*jump), plateau(s, saleFrom, saleTo, eveningEnds-saleTo))
	}
	users := d.Quiet + (d.Peak-d.Quiet)*level
	return int(math.Max(0, math.Round(users*weekday(number)*(1+d.Noise*d.wobble(number, s)))))
}

// Mention and Sale are the times of the day's events, since its beginning.
func (d Day) Mention() (from, to time.Duration) { return d.time(mentionFrom), d.time(mentionTo) }

// Sale is from when the first users come to the sale until the last one has left it.
func (d Day) Sale() (from, to time.Duration) { return d.time(saleFrom), d.time(saleTo) }

func (d Day) time(share float64) time.Duration {
	return time.Duration(share * float64(d.Length)).Round(time.Second)
}

// Phase names the time of day in a word or two.
func (d Day) Phase(at time.Duration) string {
	switch _, s := d.split(at); {
	case s < quietEnds:
		return "quiet"
	case s < riseEnds:
		return "morning rise"
	case s >= mentionFrom && s < mentionTo:
		return "TV mention"
	case s < eveningFrom:
		return "day"
	case s < saleFrom:
		return "evening"
	case s < saleTo:
		return "evening sale"
	case s < eveningEnds:
		return "decline"
	default:
		return "night"
	}
}

// split divides a time into the number of its day and the time of day in [0, 1).
func (d Day) split(at time.Duration) (number int, share float64) {
	if d.Length <= 0 {
		return 0, 0
	}
	days := math.Floor(at.Seconds() / d.Length.Seconds())
	return int(days), at.Seconds()/d.Length.Seconds() - days
}

// usual is a day without events, from 0 (quiet) to 1 (the top).
func usual(s float64) float64 {
	switch {
	case s < quietEnds:
		return 0
	case s < riseEnds:
		return busy * smooth((s-quietEnds)/(riseEnds-quietEnds))
	case s < eveningFrom:
		return busy
	case s < saleTo:
		return busy + (evening-busy)*smooth(math.Min(1, (s-eveningFrom)/(saleFrom+jump-eveningFrom)))
	case s < eveningEnds:
		return evening * smooth((eveningEnds-s)/(eveningEnds-saleTo))
	default:
		return 0
	}
}

// plateau rises from 0 to 1 within a jump after from, and falls back within fall after to.
func plateau(s, from, to, fall float64) float64 {
	switch {
	case s < from || s >= to+fall:
		return 0
	case s < from+jump:
		return smooth((s - from) / jump)
	case s < to:
		return 1
	default:
		return smooth((to + fall - s) / fall)
	}
}

// smooth goes from 0 to 1 without a corner at either end.
func smooth(x float64) float64 { return x * x * (3 - 2*x) }

// weekday is by what factor a day differs from the first one with events: the sixth and seventh day after it are quieter.
func weekday(number int) float64 {
	factors := [7]float64{1, 1.04, 0.97, 1.02, 0.98, 0.88, 0.84}
	return factors[((number%7)+7)%7]
}

// wobble is seeded noise in [-1, 1], another one each day: three slow waves, so that neighbouring seconds stay close to
// each other.
func (d Day) wobble(number int, s float64) float64 {
	phases := rand.New(rand.NewPCG(d.Seed, uint64(number)))
	sum := 0.0
	for _, cycles := range []float64{5, 8, 13} {
		sum += math.Sin(2 * math.Pi * (cycles*s + phases.Float64()))
	}
	return sum / 3
}
