// SPDX-License-Identifier: Apache-2.0

package upcoming

import (
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// From makes a plan of what was observed of an HPA and decided for it at a time.
func From(s *situation.Situation, out situation.Outcome) Plan {
	p := Plan{
		Namespace: s.HPA.Namespace, Name: s.HPA.Name, Decided: out.Result, Base: out.Adoption.Base, FrozenAt: out.Result.State.FrozenAt,
		Replicas: s.Replicas, Schedules: s.Rules(), Observed: s.Observations(), Override: s.Override(), PausedBy: s.PausedBy,
	}
	if s.PausedBy == "" {
		p.Refused = out.Leave
	}
	for i := range s.Forecasts {
		if f := &s.Forecasts[i]; f.Status.Floor != nil && counts(f, out) {
			p.Forecasts = append(p.Forecasts, forecastOf(f))
		}
	}
	return p
}

// Problems are what keeps the plan of an HPA from being known, or from happening.
func Problems(s *situation.Situation, out situation.Outcome) []Problem {
	var found []Problem
	add := func(message string) {
		found = append(found, Problem{Namespace: s.HPA.Namespace, HPA: s.HPA.Name, Message: message})
	}
	for _, message := range slices.Concat(s.Problems, out.Problems) {
		add(message)
	}
	planned := len(s.Schedules) > 0 || len(s.Forecasts) > 0 || s.Override() != nil
	switch {
	case !planned:
	case s.Owner != "":
		add(s.Owner + " owns the HPA, so Plimsoll leaves its bounds alone; set them there")
	case out.Leave != "" && s.PausedBy == "":
		add("the bounds are left alone: " + out.Leave)
	}
	for _, a := range out.Schedule.Active {
		if a.NoTarget {
			_, err := situation.PerReplicaMilli(s.HPA)
			add(fmt.Sprintf("ScaleSchedule %s/%s has a demand but sets no floor: %v", a.Schedule, a.Window, err))
		}
	}
	return found
}

// counts says whether a forecast's floor was among what was decided upon.
func counts(f *v1alpha1.ScaleForecast, out situation.Outcome) bool {
	return slices.ContainsFunc(out.Result.Verdicts, func(v bounds.Verdict) bool {
		return v.Source == bounds.Source{Kind: bounds.KindForecast, Name: f.Name}
	})
}

func forecastOf(f *v1alpha1.ScaleForecast) Forecast {
	lead, err := time.ParseDuration(f.Status.LeadTime)
	if err != nil {
		lead = 0 // the floor is then shown when the demand is expected
	}
	out := Forecast{Name: f.Name, Floor: *f.Status.Floor, Lead: lead}
	for _, point := range f.Status.Outlook {
		if point.Replicas != nil {
			out.Points = append(out.Points, Point{Time: point.Time.Time, Replicas: *point.Replicas})
		}
	}
	slices.SortFunc(out.Points, func(a, b Point) int { return a.Time.Compare(b.Time) })
	return out
}
