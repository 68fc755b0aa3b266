// SPDX-License-Identifier: Apache-2.0

package model

import (
	"math"
	"time"
)

// How long a floor outlives the values that it was made from, in units of patience (see Patience). With the default
// interval and a lead time of 10 minutes the unit is 15 minutes: the floor is held for 15 minutes, widened until 1 h
// 15 min, and given up in four steps by 2 h.
const (
	// the forecast was made for one lead time ahead: for so long it is as good as ever
	heldFor = 1
	// for as long again, four times, its bound is widened by what it does not know; after that it is a guess
	widenedFor = 4
	// what is guessed is given up in quarters, so that nothing falls at once
	stepsToNothing = 4
	// one missed value is nothing
	missedSteps = 2
	// fewer steps than that are no loss of the source, however short the lead time
	leastSteps = 3
)

// Phase is what becomes of a floor.
type Phase string

// The phases, in the order in which a silent source brings them.
const (
	Fresh    Phase = "Fresh"    // values come: the floor is the forecast's
	Holding  Phase = "Holding"  // the floor stays as it was
	Widening Phase = "Widening" // the floor grows with the uncertainty
	GivingUp Phase = "GivingUp" // the floor is lowered in steps
	GivenUp  Phase = "GivenUp"  // there is no floor
)

// Patience is the unit in which the limits of a lost source are counted: the lead time, but at least three points.
func Patience(lead, interval time.Duration) time.Duration { return max(lead, leastSteps*interval) }

// HoldInput is what the floor without values depends on.
type HoldInput struct {
	// Last is the floor when the newest value came, or the highest since.
	Last int32
	// Forecast is what the forecast asks for now, widened by the time without values; 0: unknown.
	Forecast int32
	// Age of the newest value from which a floor could be made.
	Age time.Duration
	// Interval of the points, and Patience.
	Interval, Patience time.Duration
	// Known says that Forecast is known and made from fresh values, where they are fresh.
	Known bool
}

// Hold decides the floor by the age of the newest value. Next is in how long it changes by age alone; 0: never.
func Hold(in HoldInput) (floor int32, phase Phase, next time.Duration) {
	unit := max(in.Patience, leastSteps*in.Interval, time.Second)
	age := max(0, in.Age)
	widest := max(in.Last, in.Forecast)
	lost := heldFor*unit + widenedFor*unit
	switch {
	case age < missedSteps*in.Interval && in.Known:
		return in.Forecast, Fresh, missedSteps*in.Interval - age
	case age < heldFor*unit:
		return in.Last, Holding, heldFor*unit - age
	case age < lost:
		return widest, Widening, lost - age
	case age < lost+(stepsToNothing-1)*unit:
		return int32(math.Ceil(float64(in.Last) * share(age, unit))), GivingUp, unit - (age-lost)%unit
	}
	return 0, GivenUp, 0
}

// share is what is left of a floor at an age.
func share(age, unit time.Duration) float64 {
	given := int((age-(heldFor+widenedFor)*unit)/unit) + 1
	if age < (heldFor+widenedFor)*unit {
		given = 0
	}
	return max(0, 1-float64(given)/stepsToNothing)
}

// Before gives the floor when the newest value came, from the one that a status tells at some later age: what a restart
// in the middle of an outage begins with.
func Before(floor int32, age, interval, patience time.Duration) int32 {
	left := share(max(0, age), max(patience, leastSteps*interval, time.Second))
	if left <= 0 || floor <= 0 {
		return 0
	}
	return int32(min(math.MaxInt32, math.Floor(float64(floor)/left)))
}
