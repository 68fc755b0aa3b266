// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/simulate"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/forecasts/model"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// decisionTime is what the scaler adds to the pods' own time for the HPA to look, and coarse is what it rounds up to;
// scheduleStep is the same for ramps.
const (
	decisionTime = 15 * time.Second
	coarse       = 5 * time.Second
	scheduleStep = 10 * time.Second
	// written is from an answer of the source to the bounds that come of it, through the status of the forecast. The
	// scaler asks a fifth of the interval after each point.
	written = time.Second
)

// planner asks for what the scaler's schedule, forecast and override asked for.
type planner struct {
	*problem
	windows   *schedule.Evaluator
	model     *model.Model
	held      model.Held
	next      time.Time // of the grid: the first point that is not learned yet
	lead      time.Duration
	startLead time.Duration // for ramps
	target    int64         // of the HPA, in thousandths
	floor     *int32        // the forecast's, at the newest point; nil: none

	looked time.Time // when the bounds were decided last
	state  bounds.State
	live   bounds.Bounds
}

// planner learns the days before the first count.
func (p *problem) planner() (*planner, error) {
	rule, startup := *p.manifests.Forecast, time.Duration(p.Settings.Startup)
	out := &planner{
		problem: p, windows: schedule.NewEvaluator(p.manifests.Schedules...), target: p.manifests.HPA.Metrics[0].Goal,
		lead: rule.LeadTime(roundUp(startup+decisionTime, coarse)), startLead: roundUp(startup, scheduleStep),
	}
	out.next = p.Settings.From.Truncate(rule.Interval)
	var past []forecast.Point
	for at := p.Demand[0].Time.Truncate(rule.Interval).Add(rule.Interval); at.Before(out.next); at = at.Add(rule.Interval) {
		past = append(past, p.at(at))
	}
	var err error
	if out.model, err = model.New(rule, out.lead, past); err != nil {
		return nil, fmt.Errorf("learn the recorded demand: %w", err)
	}
	return out, nil
}

func roundUp(d, step time.Duration) time.Duration { return (d + step - 1).Truncate(step) }

// at is the demand as a query at that time answers: the newest value until then.
func (p *problem) at(t time.Time) forecast.Point {
	known := before(p.Demand, t.Add(1))
	if len(known) == 0 {
		return forecast.Point{Time: t, Value: p.Demand[0].Value}
	}
	return forecast.Point{Time: t, Value: known[len(known)-1].Value}
}

// contribute is what the scaler made of the bounds by a time. It decides them more often than the HPA looks, and what it
// remembers depends on that; so what it came to is handed on as a whole.
func (p *planner) contribute(now time.Time, seen simulate.Seen) []bounds.Contribution {
	now = now.Truncate(time.Second)
	if p.looked.IsZero() {
		p.looked, p.live = now.Add(-time.Second), seen.Base
	}
	for ; p.looked.Before(now); p.looked = p.looked.Add(time.Second) {
		p.decide(p.looked.Add(time.Second), seen)
	}
	least, most := p.live.Min, p.live.Max
	return []bounds.Contribution{{MinReplicas: &least, MaxReplicas: &most, Override: true}}
}

// decide decides the bounds at a time.
func (p *planner) decide(now time.Time, seen simulate.Seen) {
	obs := schedule.Observations{BaseMin: seen.Base.Min, BaseMax: seen.Base.Max, PerReplicaMilli: p.target, Lead: p.startLead, AssumeReady: true}
	list := bounds.FromWindows(p.windows.Evaluate(obs, now))
	p.learn(now, seen)
	if p.floor != nil {
		list = append(list, bounds.FromForecast("forecast", "", *p.floor, 0))
	}
	if o := p.override(now); o != nil {
		list = append(list, o.Contribution())
	}
	result := bounds.Evaluate(bounds.Input{
		Now: steps(p.state, now), Base: seen.Base, Contributions: list, State: p.state,
		Observed: bounds.Observed{Replicas: seen.Replicas, Desired: seen.Replicas, Live: p.live},
	})
	p.live, p.state = result.Bounds, result.State
}

// steps lets a floor that decays sink once a minute, as the scaler does.
func steps(state bounds.State, now time.Time) time.Time {
	if state.Tail == nil || now.Before(state.Tail.Since) {
		return now
	}
	return state.Tail.Since.Add(now.Sub(state.Tail.Since).Truncate(time.Minute))
}

func (p *planner) override(now time.Time) *record.Override {
	for i := range p.Settings.Overrides {
		if o := &p.Settings.Overrides[i]; o.Active(now) {
			return o
		}
	}
	return nil
}

// learn takes the points that are known at a time, and decides the forecast's floor as the scaler does.
func (p *planner) learn(now time.Time, seen simulate.Seen) {
	rule := *p.manifests.Forecast
	perReplica := float64(p.target) / 1000
	settled := now.Add(-rule.Interval/5 - written)
	for ; !p.next.After(settled); p.next = p.next.Add(rule.Interval) {
		point := p.at(p.next)
		point.Censored = p.override(p.next) != nil || model.Saturated(point.Value, perReplica, seen.Replicas, seen.Base.Max)
		if err := p.model.Learn(point); err != nil {
			continue // it is in order, and a number
		}
	}
	view, err := p.model.Look(settled.Truncate(rule.Interval))
	if err != nil || view == nil {
		return
	}
	verdict := model.Decide(model.Input{
		Now: settled, Rule: rule, Lead: p.lead, View: view, Held: p.held,
		Target: model.Target{PerReplica: perReplica, Replicas: seen.Replicas, Ready: seen.Replicas, Max: seen.Base.Max},
	})
	p.held, p.floor = verdict.Held, nil
	if verdict.Effective == v1alpha1.ForecastEnforcing {
		p.floor = &verdict.Floor
	}
}
