// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// contributions are all who ask, or could ask, for other bounds: the winners first, then those that count, then the
// others.
func contributions(s *situation.Situation, out situation.Outcome, now time.Time) []Contribution {
	var all []Contribution
	for i := range out.Schedule.Active {
		a := &out.Schedule.Active[i]
		c := fromBounds(bounds.FromWindow(*a), out.Result.Verdicts)
		c.Counts = a.Min != nil || a.Max != nil
		if c.Why == "" && a.Min != nil && out.Result.Has(bounds.Decaying) {
			c.Why = fmt.Sprintf("its minimum %d counts once the floor that decays has come down to it", *a.Min)
		}
		c.Why = cmp.Or(c.Why, out.Schedule.Why(i))
		all = append(all, c)
	}
	for i := range s.Schedules {
		if c, idle := idleSchedule(s, &s.Schedules[i], out, now); idle {
			all = append(all, c)
		}
	}
	for i := range s.Forecasts {
		all = append(all, fromForecast(&s.Forecasts[i], out.Result.Verdicts))
	}
	switch o := s.Override(); {
	case out.Override != nil:
		c := fromBounds(out.Override.Contribution(), out.Result.Verdicts)
		c.Counts = true
		all = append(all, c)
	case o != nil && now.Before(o.Since):
		c := fromBounds(o.Contribution(), nil)
		c.Why = "it begins at " + o.Since.UTC().Format(time.RFC3339)
		all = append(all, c)
	}
	for i := range all {
		all[i].NotReady = notReady(s, all[i].Source)
	}
	slices.SortStableFunc(all, func(a, b Contribution) int {
		return cmp.Or(yesFirst(a.Won, b.Won), yesFirst(a.Counts, b.Counts))
	})
	return all
}

func yesFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func fromBounds(c bounds.Contribution, verdicts []bounds.Verdict) Contribution {
	out := Contribution{
		Source: upcoming.Source(c.Source), MinReplicas: c.MinReplicas, MaxReplicas: c.MaxReplicas, Priority: c.Priority, Reason: c.Reason,
	}
	if c.Exact {
		out.MaxReplicas = c.MinReplicas
	}
	if !c.Until.IsZero() {
		until := c.Until.UTC()
		out.Until = &until
	}
	for _, v := range verdicts {
		if v.Source == c.Source {
			out.Won, out.Why = v.Won, v.Why
		}
	}
	return out
}

// idleSchedule is a schedule of which no window is on; false for others.
func idleSchedule(s *situation.Situation, object *v1alpha1.ScaleSchedule, out situation.Outcome, now time.Time) (Contribution, bool) {
	if slices.ContainsFunc(out.Schedule.Active, func(a schedule.Active) bool { return a.Schedule == object.Name }) {
		return Contribution{}, false
	}
	c := Contribution{Source: upcoming.Source{Kind: bounds.KindSchedule, Name: object.Name}, Priority: object.Spec.Priority}
	rules := s.Rules()
	i := slices.IndexFunc(rules, func(r *schedule.Schedule) bool { return r.Name() == object.Name })
	switch {
	case i < 0:
		c.Why = "it is ignored, because it has a mistake"
	case object.Spec.Suspend:
		c.Why = "it is suspended"
	default:
		c.Why = "no window is on, and none comes"
		if next, comes := rules[i].Next(now); comes {
			zone := rules[i].Zone()
			c.Why = fmt.Sprintf("no window is on; the next is %s on %s %s", next.Window, next.Start.In(zone).Format("Mon 2 Jan 2006 15:04"), zone)
		}
	}
	return c, true
}

func fromForecast(f *v1alpha1.ScaleForecast, verdicts []bounds.Verdict) Contribution {
	source := bounds.Source{Kind: bounds.KindForecast, Name: f.Name}
	c := Contribution{Source: upcoming.Source(source), MinReplicas: f.Status.Floor}
	for _, v := range verdicts {
		if v.Source == source {
			c.Counts, c.Won, c.Why = true, v.Won, v.Why
			return c
		}
	}
	trust := ""
	if f.Status.Trust != nil {
		trust = f.Status.Trust.Message
	}
	switch {
	case f.Status.Effective == "":
		c.Why = "it has no status yet"
	case f.Status.Effective == v1alpha1.ForecastDisarmed:
		c.Why = "it is not trusted: " + cmp.Or(trust, "its status says why")
	case f.Spec.Mode != v1alpha1.ForecastEnforce:
		c.Why = "its mode is Observe, so its floor is only shown"
	default:
		c.Why = "it says no floor"
	}
	return c
}

// notReady says why the object that asks is not Ready, as far as its status is of its present spec.
func notReady(s *situation.Situation, asks upcoming.Source) string {
	for i := range s.Schedules {
		if o := &s.Schedules[i]; asks.Kind == bounds.KindSchedule && asks.Name == o.Name {
			return meaning(o.Status.Conditions, o.Generation, v1alpha1.ScheduleMeaning)
		}
	}
	for i := range s.Forecasts {
		if o := &s.Forecasts[i]; asks.Kind == bounds.KindForecast && asks.Name == o.Name {
			return meaning(o.Status.Conditions, o.Generation, v1alpha1.ForecastMeaning)
		}
	}
	return ""
}

func meaning(conditions []metav1.Condition, generation int64, of func(reason string) string) string {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status == metav1.ConditionTrue || c.ObservedGeneration != generation {
		return ""
	}
	return c.Reason + ": " + cmp.Or(of(c.Reason), c.Message) // another version's reason has no meaning here
}
