// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"math"
	"sort"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// The names of the policies that are compared.
const (
	PlainHPA      = "hpa"
	WeekAgo       = "hpa+week-ago"
	WithSchedules = "hpa+schedules"
	WithForecast  = "hpa+forecast"
	WithBoth      = "hpa+schedules+forecast"
	FixedMaximum  = "fixed-maximum"
	Oracle        = "oracle"
)

// Names describes the policies, for help and reports.
var Names = [][2]string{
	{PlainHPA, "the HPA alone"},
	{WeekAgo, "the HPA, and as floor the greatest demand of the same time a week ago"},
	{WithSchedules, "the HPA, and the windows of the ScaleSchedules"},
	{WithForecast, "the HPA, and as floor the forecast's bound for the lead time"},
	{WithBoth, "the HPA, the windows and the forecast"},
	{FixedMaximum, "no HPA: what the peak needs, all the time"},
	{Oracle, "knows the future: what is needed, exactly when it is needed"},
}

// policy is one way to scale.
type policy struct {
	name       string
	contribute func(time.Time, simulate.Seen) []bounds.Contribution
	fixed      func(time.Time) int32
}

// policies returns those that the input allows.
func (p *problem) policies(predicted []float64) []policy {
	week := p.weekAgo()
	list := []policy{
		{name: PlainHPA},
		{name: WeekAgo, contribute: p.floor("the week before", week, 0)},
	}
	if len(p.rules) > 0 {
		list = append(list, policy{name: WithSchedules, contribute: p.windows()})
	}
	list = append(list, policy{name: WithForecast, contribute: p.floor("the forecast", predicted, p.forecast.MaxIncrease)})
	if len(p.rules) > 0 {
		windows, floor := p.windows(), p.floor("the forecast", predicted, p.forecast.MaxIncrease)
		list = append(list, policy{name: WithBoth, contribute: func(now time.Time, seen simulate.Seen) []bounds.Contribution {
			return append(windows(now, seen), floor(now, seen)...)
		}})
	}
	return append(list, policy{name: FixedMaximum, fixed: p.fixedMaximum()}, policy{name: Oracle, fixed: p.oracle()})
}

// windows returns what the schedules ask for.
func (p *problem) windows() func(time.Time, simulate.Seen) []bounds.Contribution {
	evaluator := schedule.NewEvaluator(p.rules...)
	return func(now time.Time, seen simulate.Seen) []bounds.Contribution {
		return bounds.FromWindows(evaluator.Evaluate(p.observations(seen.Base.Min, seen.Base.Max), now))
	}
}

// knownAt is when a point can be acted on: a mean over a step is known at the step's end.
func (p *problem) knownAt(i int) time.Time {
	if p.raw {
		return p.points[i].Time
	}
	return p.points[i].Time.Add(p.step)
}

func replicas(demand, each float64) int32 {
	return int32(min(max(math.Ceil(demand/each-1e-9), 0), math.MaxInt32/4))
}

// floor turns the demand that each point of the grid warns of into a floor, from when the point is known.
func (p *problem) floor(name string, demand []float64, increase float64) func(time.Time, simulate.Seen) []bounds.Contribution {
	next := 0 // the first point that is not known yet
	return func(now time.Time, seen simulate.Seen) []bounds.Contribution {
		for next < len(demand) && !p.knownAt(next).After(now) {
			next++
		}
		if next == 0 {
			return nil
		}
		floor, err := forecast.FloorOf(forecast.FloorInput{
			Demand: demand[next-1], PerReplica: p.target, Replicas: seen.Replicas, MaxReplicas: seen.Base.Max, MaxIncrease: increase,
		})
		if err != nil {
			return nil // the target is above 0 and the demand a number
		}
		return []bounds.Contribution{bounds.FromForecast(name, floor.Limit, floor.Replicas, 0)}
	}
}

// predict runs the forecast over the history: at each point, the bound on the greatest demand until a floor that is
// set now has become Ready, and the next point has come.
func (p *problem) predict() ([]float64, error) {
	ahead := p.forecast.LeadTime(p.Lead) + p.step
	seasons := forecast.FindSeasons(p.points[:p.half], p.step)
	if p.forecast.Seasons != nil {
		seasons = *p.forecast.Seasons
	}
	f, err := forecast.New(forecast.Config{Step: p.step, Leads: forecast.LeadsWithin(p.step, ahead), Quantile: p.Quantile, Seasons: &seasons})
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(p.points))
	for i, point := range p.points {
		if err := f.Observe(point); err != nil {
			return nil, err
		}
		if peak, ok := f.Peak(ahead + p.step); ok {
			out[i] = max(0, peak.Upper)
		}
		if i%2048 == 0 {
			p.progress("learning the demand", i, len(p.points))
		}
	}
	return out, nil
}

func (p *problem) progress(what string, done, total int) {
	if p.Progress != nil {
		p.Progress(what, done, total)
	}
}

// around is how much earlier and later than a week ago counts.
const around = 30 * time.Minute

// weekAgo is at each point the greatest demand of a week before, from then until the lead time is over, and around.
// Where the history does not reach back a week, a day stands in.
func (p *problem) weekAgo() []float64 {
	out := make([]float64, len(p.points))
	for i := range p.points {
		now := p.knownAt(i)
		for _, period := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour} {
			from, to := now.Add(-period-around), now.Add(-period+p.Lead+p.step+around)
			if to.After(now) {
				to = now
			}
			if most, ok := p.greatest(from, to, i); ok {
				out[i] = most
				break
			}
		}
	}
	return out
}

// greatest is the greatest value of [from, to] among the points up to newest.
func (p *problem) greatest(from, to time.Time, newest int) (float64, bool) {
	i := sort.Search(newest+1, func(i int) bool { return !p.points[i].Time.Before(from) })
	most, found := 0.0, false
	for ; i <= newest && !p.points[i].Time.After(to); i++ {
		most, found = max(most, p.points[i].Value), true
	}
	return most, found
}

// judged are the points of the half that is simulated.
func (p *problem) judged() []simulate.Point {
	out := make([]simulate.Point, 0, len(p.points)-p.half)
	for _, point := range p.points[p.half:] {
		out = append(out, simulate.Point{Time: point.Time, Value: point.Value})
	}
	return out
}

func (p *problem) fixedMaximum() func(time.Time) int32 {
	var peak float64
	for _, point := range p.points[p.half:] {
		peak = max(peak, point.Value)
	}
	n := max(1, replicas(peak, p.capacity))
	return func(time.Time) int32 { return n }
}

// oracle has at every moment what will be needed until a replica that it starts then is Ready.
func (p *problem) oracle() func(time.Time) int32 {
	demand, err := simulate.NewSeries(p.judged())
	if err != nil {
		return p.fixedMaximum()
	}
	reach := p.Lead + p.sync()
	return func(now time.Time) int32 {
		return max(1, replicas(demand.Max(now, now.Add(reach)), p.capacity))
	}
}

// sync is how often the HPA looks in the simulation: as Kubernetes does, or less often for a long history.
func (p *problem) sync() time.Duration {
	span := p.points[len(p.points)-1].Time.Sub(p.points[p.half].Time)
	for _, sync := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute} {
		if span/sync <= 90_000 {
			return sync
		}
	}
	return max(2*time.Minute, (span/90_000).Truncate(time.Minute)+time.Minute)
}
