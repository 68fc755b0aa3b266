// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"fmt"
	"slices"
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
	// step is how often the bounds are decided. The scaler does it whenever something has changed.
	step = 100 * time.Millisecond
	// scrapes are a second apart; where the next one is missing the series has ended meanwhile.
	scrapes = time.Second
)

// planner asks for what the scaler's schedule, forecast and override asked for.
type planner struct {
	*problem
	windows *schedule.Evaluator
	model   *model.Model
	held    model.Held
	next    time.Time     // of the grid: the first point that is not learned yet
	asked   time.Duration // from a point's time to the bounds that it makes
	started time.Time     // when the first pod was Ready, so that its start could be measured
	target  int64         // of the HPA, in thousandths
	floor   *int32        // the forecast's, at the newest point; nil: none

	looked   time.Time // when the bounds were decided last
	replicas int32     // that the HPA's status told since its last look: those before it
	judged   judged
	state    bounds.State
	live     bounds.Bounds
}

// planner learns the demand before a time, from which on it decides.
func (p *problem) planner(begin time.Time) (*planner, error) {
	rule := *p.manifests.Forecast
	out := &planner{
		problem: p, windows: schedule.NewEvaluator(p.manifests.Schedules...), target: p.manifests.HPA.Metrics[0].Goal,
		looked: begin.Truncate(step).Add(-step), next: begin.Truncate(rule.Interval), asked: p.Planned.asked(rule.Interval),
	}
	for _, pod := range p.Planned.Pods {
		if !pod.Ready.IsZero() && (out.started.IsZero() || pod.Ready.Before(out.started)) {
			out.started = pod.Ready
		}
	}
	var past []forecast.Point
	for at := p.Demand[0].Time.Truncate(rule.Interval).Add(rule.Interval); at.Before(out.next); at = at.Add(rule.Interval) {
		if point, ok := p.at(at); ok {
			past = append(past, point)
		}
	}
	var err error
	if out.model, err = model.New(rule, out.lead(begin), past); err != nil {
		return nil, fmt.Errorf("learn the recorded demand: %w", err)
	}
	return out, nil
}

// asked is how long after the time of a point the scaler wrote the bounds that it makes: the median. The scaler spreads
// its forecasts, so that each has a time of its own.
func (s Shop) asked(interval time.Duration) time.Duration {
	var all []time.Duration
	for _, b := range s.Bounds[min(1, len(s.Bounds)):] { // the first are those that the HPA began with
		all = append(all, b.Time.Sub(b.Time.Truncate(interval)))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// lead is how far ahead the forecast looks at a time: until the first pod was Ready nothing is measured.
func (p *planner) lead(now time.Time) time.Duration {
	if now.Before(p.started) {
		return p.manifests.Forecast.LeadTime(0)
	}
	return p.manifests.Forecast.LeadTime(roundUp(time.Duration(p.Settings.Startup)+decisionTime, coarse))
}

// startLead is the same for ramps.
func (p *planner) startLead(now time.Time) time.Duration {
	if now.Before(p.started) {
		return 0
	}
	return roundUp(time.Duration(p.Settings.Startup), scheduleStep)
}

func roundUp(d, step time.Duration) time.Duration { return (d + step - 1).Truncate(step) }

// at is the demand as a query at that time answers: the newest value until then, unless its series has ended.
func (p *problem) at(t time.Time) (forecast.Point, bool) {
	known := until(p.Demand, t)
	n := len(known)
	if n == 0 {
		return forecast.Point{}, false
	}
	newest := known[n-1]
	if n < len(p.Demand) && p.Demand[n].Time.Sub(newest.Time) > 2*scrapes && t.Sub(newest.Time) >= scrapes {
		return forecast.Point{}, false
	}
	return forecast.Point{Time: t, Value: newest.Value}, true
}

// contribute is what the scaler made of the bounds by a time. It decides them more often than the HPA looks, and what it
// remembers depends on that; so what it came to is handed on as a whole.
func (p *planner) contribute(now time.Time, seen simulate.Seen) []bounds.Contribution {
	now = now.Truncate(step)
	if p.replicas == 0 {
		p.live, p.replicas = seen.Base, seen.Replicas
	}
	for p.looked.Before(now) {
		p.looked = p.looked.Add(step)
		p.decide(p.looked, seen)
	}
	p.replicas = seen.Replicas
	least, most := p.live.Min, p.live.Max
	return []bounds.Contribution{{MinReplicas: &least, MaxReplicas: &most, Override: true}}
}

// decide decides the bounds at a time.
func (p *planner) decide(now time.Time, seen simulate.Seen) {
	obs := schedule.Observations{BaseMin: seen.Base.Min, BaseMax: seen.Base.Max, PerReplicaMilli: p.target, Lead: p.startLead(now), AssumeReady: true}
	list := bounds.FromWindows(p.windows.Evaluate(obs, now))
	p.learn(now, seen)
	now = now.Truncate(time.Second) // as the scaler counts
	if p.floor != nil {
		list = append(list, bounds.FromForecast("forecast", "", *p.floor, 0))
	}
	if o := p.override(now); o != nil {
		list = append(list, o.Contribution())
	}
	result := bounds.Evaluate(bounds.Input{
		Now: steps(p.state, now), Base: seen.Base, Contributions: list, State: p.state,
		Observed: bounds.Observed{Replicas: p.replicas, Desired: seen.Replicas, Live: p.live},
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

// judged is what the forecast's floor was decided from; the scaler decides it anew when that changes.
type judged struct {
	newest   time.Time
	replicas int32
	lead     time.Duration
}

// learn takes the points that are known at a time, and decides the forecast's floor as the scaler does.
func (p *planner) learn(now time.Time, seen simulate.Seen) {
	rule := *p.manifests.Forecast
	perReplica := float64(p.target) / 1000
	settled := now.Add(-p.asked).Truncate(rule.Interval)
	for ; !p.next.After(settled); p.next = p.next.Add(rule.Interval) {
		point, ok := p.at(p.next)
		if !ok {
			continue
		}
		point.Censored = p.override(now) != nil || model.Saturated(point.Value, perReplica, p.replicas, seen.Base.Max)
		if err := p.model.Learn(point); err != nil {
			continue // it is in order, and a number
		}
	}
	lead := p.lead(now)
	if p.judged == (judged{settled, p.replicas, lead}) {
		return
	}
	p.judged = judged{settled, p.replicas, lead}
	p.model.Aim(lead)
	view, err := p.model.Look(now.Truncate(rule.Interval))
	if err != nil || view == nil {
		return
	}
	verdict := model.Decide(model.Input{
		Now: now, Rule: rule, Lead: lead, View: view, Held: p.held,
		Target: model.Target{PerReplica: perReplica, Replicas: p.replicas, Ready: p.replicas, Max: seen.Base.Max},
	})
	p.held, p.floor = verdict.Held, nil
	if verdict.Effective == v1alpha1.ForecastEnforcing {
		p.floor = &verdict.Floor
	}
}
