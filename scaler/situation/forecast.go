// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/forecasts/model"
)

// The forecast's own loop gives a floor up eight patiences after its newest value (model.Hold). Its status may be three
// points behind, or a minute where that is more. A floor that is older than both was left there by a loop that writes
// no more, so nobody stands for it.
const (
	patiences  = 8
	lagPoints  = 3
	lagAtLeast = time.Minute
)

// asksFor says whether a forecast's status asks for a floor of this spec's HPA. A status that names no HPA was written
// before statuses did, and speaks of the HPA of its generation.
func asksFor(f *v1alpha1.ScaleForecast) bool {
	if f.Spec.Mode != v1alpha1.ForecastEnforce || f.Status.Effective != v1alpha1.ForecastEnforcing || f.Status.Floor == nil {
		return false
	}
	if f.Status.Target == "" {
		return f.Status.ObservedGeneration == f.Generation
	}
	return f.Status.Target == f.Spec.TargetRef.Name
}

// trusted is how long after its newest value a forecast's floor counts.
func trusted(f *v1alpha1.ScaleForecast) time.Duration {
	interval := v1alpha1.DefaultForecastInterval
	if f.Spec.Interval != nil {
		interval = f.Spec.Interval.Duration
	}
	rule := forecast.Rule{MaxLead: v1alpha1.DefaultMaxLeadTime}
	if f.Spec.LeadTime != nil {
		rule.Lead = f.Spec.LeadTime.Duration
	}
	if f.Spec.MaxLeadTime != nil {
		rule.MaxLead = f.Spec.MaxLeadTime.Duration
	}
	measured, err := time.ParseDuration(f.Status.LeadTime)
	if err != nil {
		measured = 0 // LeadTime has an answer for what was not measured
	}
	return patiences*model.Patience(rule.LeadTime(measured), interval) + max(lagPoints*interval, lagAtLeast)
}

// tooOld says why a forecast's floor does not count ("": it counts), and when that changes if no new value comes; zero:
// never. A newest value in the future is believed only as far as an old one would be.
func tooOld(f *v1alpha1.ScaleForecast, now time.Time) (string, time.Time) {
	const advice = "see whether the scaler's forecasts are written (kubectl plimsoll explain, the scaler's log)"
	if f.Status.LastValueTime == nil {
		return fmt.Sprintf("the floor of ScaleForecast %s is ignored, because its status has no lastValueTime; %s", f.Name, advice), time.Time{}
	}
	newest, limit := f.Status.LastValueTime.Time, trusted(f)
	begins, ends := newest.Add(-limit), newest.Add(limit)
	next := time.Time{}
	switch {
	case now.Before(begins):
		next = begins
	case now.Before(ends):
		return "", ends
	}
	return fmt.Sprintf("the floor of ScaleForecast %s is ignored, because its newest value is of %s, and a floor counts for %s after that; %s",
		f.Name, newest.UTC().Format(time.RFC3339), limit, advice), next
}

// fromForecasts are the contributions of the forecasts that count. Problems tell which ask for a floor in vain, and
// next is when the age of a forecast changes that; zero: never.
func (s *Situation) fromForecasts(now time.Time) (contributions []bounds.Contribution, problems []string, next time.Time) {
	for i := range s.Forecasts {
		f := &s.Forecasts[i]
		if !asksFor(f) {
			continue
		}
		why, changes := tooOld(f, now)
		if next.IsZero() || !changes.IsZero() && changes.Before(next) {
			next = changes
		}
		if why != "" {
			problems = append(problems, why)
			continue
		}
		contributions = append(contributions, fromForecast(f))
	}
	return contributions, problems, next
}

func fromForecast(f *v1alpha1.ScaleForecast) bounds.Contribution {
	reason := ""
	for _, c := range f.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			reason = c.Message
		}
	}
	return bounds.FromForecast(f.Name, reason, *f.Status.Floor, 0)
}
