// SPDX-License-Identifier: Apache-2.0

package model

import (
	"time"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Input is everything that a verdict depends on.
type Input struct {
	Now     time.Time
	Rule    forecast.Rule
	Invalid string        // why the spec cannot be used; "": it can
	Lead    time.Duration // from a decision to Ready
	Target  Target
	Problem Problem // of the source
	View    *View   // nil: nothing is learned yet
	Held    Held
	// Armed says whether the forecast was trusted, as its status tells: it counts until a view is there.
	Armed bool
	// Relearned says that the model is of the demand that was trusted: Armed counts until there is enough to judge it, as
	// where the source keeps less history than was learned live. Kept is the floor at that time, and outlives it no longer
	// than one without values.
	Relearned bool
	Kept      Held
	// Risen is when the floor last rose; zero: unknown.
	Risen time.Time
}

// Target is what is seen of the HPA and its workload.
type Target struct {
	Name         string
	Missing      bool
	Owner        string // the controller that owns the HPA; "": none
	PausedBy     string
	WriteProblem string
	Contested    bool    // somebody else writes the bounds back
	PerReplica   float64 // demand that one replica serves
	Unknown      string  // why PerReplica or the demand are unknown; "": they are known

	Replicas, Ready, Pending, Unschedulable int32
	Max                                     int32 // the user's own maxReplicas
	Min                                     int32 // minReplicas as it is now
}

// Problem is why no values come.
type Problem struct {
	Reason  string // one of v1alpha1.ForecastReasons; "": there is no problem
	Message string
	AtOnce  bool // it will not pass by itself: to be said at once
}

// Held is the last floor that could be made from values, and the time of the newest of them. The zero value: there was none.
type Held struct {
	Floor int32
	At    time.Time
	Below int // points in a row that asked for a little less than the floor
}

// Verdict is what becomes of a forecast.
type Verdict struct {
	Effective v1alpha1.ForecastEffect
	// Floor in replicas; meaningful if Asks. It counts while Effective is Enforcing.
	Floor int32
	Asks  bool
	// Trusted says whether the forecast is trusted; it need not be the view's gate that says so.
	Trusted bool
	Phase   Phase
	Limit   string // which limit lowered the floor, in a sentence; "": none
	// Reason and Message are those of the Ready condition.
	Reason, Message string
	// Next is in how long the verdict changes by time alone; 0: never.
	Next time.Duration
	// Held is what to give to the next decision.
	Held Held
}

// Decide is the verdict on a forecast.
func Decide(in Input) Verdict {
	asked, known := floorOf(in)
	v := Verdict{Limit: asked.Limit, Held: in.Held}
	if known && in.View.Newest.Time.After(in.Held.At) || v.Held.At.IsZero() && known {
		v.Held.At = in.View.Newest.Time
	}
	if v.Held.At.IsZero() {
		v.Phase = GivenUp
	} else {
		v.Floor, v.Phase, v.Next = Hold(HoldInput{
			Last: in.Held.Floor, Forecast: asked.Replicas, Known: known,
			Age: in.Now.Sub(v.Held.At), Interval: in.Rule.Interval, Patience: Patience(in.Lead, in.Rule.Interval),
		})
	}
	if v.Phase == Fresh || v.Phase == Widening {
		v.Held.Floor = v.Floor
	}
	if v.Phase == Fresh {
		v.Floor, v.Held.Below = steady(in, v.Floor)
		v.Held.Floor = v.Floor
	}
	v.Trusted = trusted(in)
	v.Asks = v.Phase != GivenUp && !in.Target.Missing
	v.Effective = effect(in, v)
	v.Reason, v.Message = explain(in, v)
	return v
}

// floorOf is what the forecast asks for now. False: that is not known.
func floorOf(in Input) (forecast.Floor, bool) {
	if in.View == nil || in.Invalid != "" || in.Target.Missing || in.Target.Unknown != "" {
		return forecast.Floor{}, false
	}
	floor, err := forecast.FloorOf(forecast.FloorInput{
		Demand: in.View.Demand, PerReplica: in.Target.PerReplica,
		Replicas: in.Target.Replicas, MaxReplicas: in.Target.Max, MaxIncrease: in.Rule.MaxIncrease,
	})
	floor.Replicas = keep(in, floor.Replicas)
	return floor, err == nil
}

// trusted is the gate's verdict; before it has one, the verdict stays that was there.
func trusted(in Input) bool {
	if in.View == nil || onTrust(in) {
		return in.Armed
	}
	return in.View.Gate.Trust == forecast.Armed
}

// onTrust says whether the model is too young to be judged, and goes on as one that was trusted.
func onTrust(in Input) bool {
	return in.View != nil && in.Armed && in.Relearned && in.View.Gate.Reason == forecast.Learning
}

const (
	// a floor that falls by no more than that share waits for another point: each write of it is one of the HPA, too
	little = 0.05
	// that many points have to ask for less
	pointsBelow = 2
)

// steady is the floor where one is told already: it rises at once, and is lowered a little only once two points ask for it.
func steady(in Input, floor int32) (steadied int32, below int) {
	last := in.Held.Floor
	if floor >= last || float64(floor) < (1-little)*float64(last) || last > in.Target.Max {
		return floor, 0
	}
	below = in.Held.Below
	if in.View.Newest.Time.After(in.Held.At) {
		below++
	}
	if below >= pointsBelow {
		return floor, 0
	}
	return last, below
}

// keep is a floor that is not lowered at once by a model that knows less than the one before it.
func keep(in Input, floor int32) int32 {
	if !onTrust(in) || in.Kept.At.IsZero() {
		return floor
	}
	kept, _, _ := Hold(HoldInput{
		Last: in.Kept.Floor, Age: in.Now.Sub(in.Kept.At),
		Interval: in.Rule.Interval, Patience: Patience(in.Lead, in.Rule.Interval),
	})
	return max(floor, min(kept, in.Target.Max))
}

func effect(in Input, v Verdict) v1alpha1.ForecastEffect {
	switch {
	case !v.Trusted || !v.Asks || in.Target.Owner != "":
		return v1alpha1.ForecastDisarmed
	case in.Rule.Enforce:
		return v1alpha1.ForecastEnforcing
	}
	return v1alpha1.ForecastObserving
}
