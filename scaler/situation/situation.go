// SPDX-License-Identifier: Apache-2.0

// Package situation gathers everything that the bounds of one HorizontalPodAutoscaler depend on, and decides them with
// policy. The controller, the status of schedules and the command line all look through it, so that they cannot differ.
package situation

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Situation is what was observed of one HPA, and around it.
type Situation struct {
	HPA       *autoscalingv2.HorizontalPodAutoscaler
	Record    record.Record            // what was kept; zero: nothing
	Problems  []string                 // annotations that cannot be read, schedules that do not compile: sentences
	Schedules []v1alpha1.ScaleSchedule // those that name it, by name
	Forecasts []v1alpha1.ScaleForecast // those that name it, by name
	Pods      Pods
	Replicas  int32                    // what the HPA saw last: its status.currentReplicas; its pods where it saw nothing yet
	PausedBy  string                   // "HorizontalPodAutoscaler shop" or "Namespace shop"; "": not paused
	Owner     string                   // another controller that owns the HPA, "ScaledObject shop"; its bounds are left alone
	Ready     map[schedule.Target]bool // of the targets of `after`

	// Unreadable says that the record could not be read, so that nobody knows what is the user's own.
	Unreadable bool

	override *record.Override // a valid one, active or not
	rules    []*schedule.Schedule
	compiled bool
}

// Outcome is what a situation comes to at a time.
type Outcome struct {
	Adoption bounds.Adoption
	Schedule schedule.Decision
	Override *record.Override // the one that holds now; nil: none
	Result   bounds.Result
	// Leave says why the bounds are left as they are, whatever Result says: "ScaledObject shop owns the HPA"; "": they
	// are to be written.
	Leave string
	// Problems are wishes that do not count now, besides those of the situation: sentences.
	Problems []string
	Record   record.Record // to keep
	Next     time.Time     // look again then at the latest
}

// LiveBounds are the bounds that the HPA has now.
func LiveBounds(hpa *autoscalingv2.HorizontalPodAutoscaler) bounds.Bounds {
	live := bounds.Bounds{Min: 1, Max: hpa.Spec.MaxReplicas}
	if n := hpa.Spec.MinReplicas; n != nil {
		live.Min = *n
	}
	return live
}

// Override returns the valid override of the HPA, also one that is over or yet to begin; nil: none.
func (s *Situation) Override() *record.Override { return s.override }

// Rules are the schedules that could be compiled, ready for policy/schedule.
func (s *Situation) Rules() []*schedule.Schedule {
	s.compile(Observer{}.compiler())
	return s.rules
}

// compile compiles the schedules once; those that have mistakes become Problems.
func (s *Situation) compile(compiler func(*v1alpha1.ScaleSchedule) (*schedule.Schedule, error)) {
	if s.compiled {
		return
	}
	s.compiled = true
	for i := range s.Schedules {
		rule, err := compiler(&s.Schedules[i])
		if err != nil {
			s.Problems = append(s.Problems, "ScaleSchedule "+s.Schedules[i].Name+" is ignored: "+err.Error())
			continue
		}
		s.rules = append(s.rules, rule)
	}
}

// Base are the user's own bounds.
func (s *Situation) Base() bounds.Bounds { return s.adopt(time.Time{}).Base }

// adopt compares the live bounds with the record. Without applied bounds the live ones are the user's own.
func (s *Situation) adopt(now time.Time) bounds.Adoption {
	live := LiveBounds(s.HPA)
	if s.Record.State.Applied == nil {
		return bounds.Adoption{Base: live, State: bounds.Adopt(live, live, s.Record.State, now).State}
	}
	return bounds.Adopt(live, s.Record.Base, s.Record.State, now)
}

// Observations are what policy/schedule needs to know of the HPA.
func (s *Situation) Observations() schedule.Observations {
	base := s.Base()
	perReplica, err := PerReplicaMilli(s.HPA)
	if err != nil {
		perReplica = 0 // windows with a demand set no floor then, and say so
	}
	released := make(map[schedule.Occurrence]bool, len(s.Record.Released))
	for _, o := range s.Record.Released {
		released[o] = true
	}
	return schedule.Observations{
		BaseMin: base.Min, BaseMax: base.Max, PerReplicaMilli: perReplica, Lead: roundLead(s.Pods.Lead),
		Self: schedule.Target{Kind: Kind, Name: s.HPA.Name}, Ready: s.Ready, Released: released,
	}
}

// roundLead rounds up to ten seconds, so that a ramp does not move to and fro with every pod that starts.
func roundLead(lead time.Duration) time.Duration {
	const step = 10 * time.Second
	return (lead + step - 1).Truncate(step)
}
