// SPDX-License-Identifier: Apache-2.0

// Package backtest replays a demand series through policy/forecast, strictly in order of time, and says how good the
// forecasts would have been. It judges the forecast in `plimsoll plan` and in the forecast's benchmark. It reads no clock: the caller may pass one in to have the cost measured.
package backtest

import (
	"fmt"
	"math"
	"time"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

// Options of a backtest. Only Leads is required.
type Options struct {
	// Leads are the lead times to judge. Each is rounded up to a multiple of the series' step.
	Leads []time.Duration
	// Quantile is the share of demand that the bound shall cover; default 0.95.
	Quantile float64
	// Step is the distance of the points; default: found in the series.
	Step time.Duration
	// Seasons are the periods; default: found in the first half of the series, which is not judged.
	Seasons *forecast.Seasons
	// CPU returns the CPU time this process has used; absent: costs are reported as 0.
	CPU func() time.Duration
	// Progress is told now and then how many of how many points are done; may be absent.
	Progress func(done, total int)
}

// Result of a backtest. All numbers are finite.
type Result struct {
	Step     time.Duration
	Seasons  forecast.Seasons
	Quantile float64
	// Points in the series after resampling, holes not counted, and the first time that is judged.
	Points     int
	JudgedFrom time.Time
	// CPUMicrosPerPoint is the cost of one point, all lead times together.
	CPUMicrosPerPoint float64
	Leads             []LeadResult
}

// LeadResult judges one lead time on the last half of the series.
type LeadResult struct {
	Lead time.Duration
	// Points judged: those with a measured value at the target and at the time of the forecast.
	Points int
	// WAPE is sum|actual - forecast| / sum|actual|; WAPENaive the same for the last value. 0 when the demand is 0.
	WAPE, WAPENaive float64
	// Coverage is the share of points at or under the bound; CoverageTopDecile among the tenth with the most demand.
	Coverage, CoverageTopDecile float64
	// Overprovision is sum(bound) / sum(actual) - 1; 0 when the demand is 0.
	Overprovision float64
	// Outcomes are the judged points, in order of time.
	Outcomes []Outcome
}

// Outcome is one forecast and what came.
type Outcome struct {
	// Time of the actual value.
	Time time.Time
	// Actual demand; Now: the newest value when the forecast was made; Forecast and Upper: what was said then.
	Actual, Now, Forecast, Upper float64
	// Reactive is what an HPA would have asked for when the forecast was made: the greatest value of its 5-minute
	// downscale stabilisation. WeekAgo is the greatest value at this time a week (where there was none: a day) before,
	// within 30 minutes either way, and nothing newer than the forecast.
	Reactive, WeekAgo float64
}

// Run judges forecasts on the last half of the series. The points may be in any order and may have holes. An error
// says what about the series or the options is unusable.
func Run(points []forecast.Point, o Options) (Result, error) {
	g, err := gridOf(points, o)
	if err != nil {
		return Result{}, err
	}
	leads, err := leadsOf(o.Leads, g)
	if err != nil {
		return Result{}, err
	}
	seasons := forecast.FindSeasons(g.points[:g.half], g.step)
	if o.Seasons != nil {
		seasons = *o.Seasons
	}
	f, err := forecast.New(forecast.Config{Step: g.step, Leads: leads, Quantile: o.Quantile, Seasons: &seasons})
	if err != nil {
		return Result{}, err
	}
	r := Result{Step: g.step, Seasons: seasons, Quantile: f.Config().Quantile, Points: len(g.points), JudgedFrom: g.points[g.half].Time}
	begin := time.Duration(0)
	if o.CPU != nil {
		begin = o.CPU()
	}
	said, err := replay(f, g, len(leads), o.Progress)
	if err != nil {
		return Result{}, err
	}
	if o.CPU != nil {
		r.CPUMicrosPerPoint = float64((o.CPU() - begin).Nanoseconds()) / 1000 / float64(len(g.points))
	}
	for i, lead := range leads {
		r.Leads = append(r.Leads, judge(g, seasons, lead, said[i]))
	}
	return r, nil
}

// quote is what was said at one point for one lead time.
type quote struct{ value, upper float64 }

// replay feeds the points one after the other and keeps what was forecast after each of them, by lead and place.
func replay(f *forecast.Forecaster, g grid, leads int, progress func(done, total int)) ([][]quote, error) {
	said := make([][]quote, leads)
	for i := range said {
		said[i] = make([]quote, len(g.points))
	}
	for n, p := range g.points {
		if err := f.Observe(p); err != nil {
			return nil, err
		}
		for i, prediction := range f.Predictions() {
			said[i][n] = quote{prediction.Value, prediction.Upper}
		}
		if progress != nil && n%1024 == 0 {
			progress(n, len(g.points))
		}
	}
	return said, nil
}

// leadsOf rounds the leads up to steps and refuses those that the series cannot judge.
func leadsOf(wanted []time.Duration, g grid) ([]time.Duration, error) {
	if len(wanted) == 0 {
		return nil, fmt.Errorf("backtest: no lead time was given")
	}
	span := g.points[len(g.points)-1].Time.Sub(g.points[g.half].Time)
	var out []time.Duration
	seen := map[time.Duration]bool{}
	for _, lead := range wanted {
		if lead <= 0 {
			return nil, fmt.Errorf("backtest: the lead time is %s; it must be above zero", lead)
		}
		if lead > span {
			return nil, fmt.Errorf("backtest: the lead time %s is longer than the last half of the series (%s), on which it would be judged; give a longer series", lead, span)
		}
		if rest := lead % g.step; rest != 0 {
			lead += g.step - rest
		}
		if !seen[lead] {
			out = append(out, lead)
		}
		seen[lead] = true
	}
	return sortedLeads(out), nil
}

// judge compares what was said with what came.
func judge(g grid, seasons forecast.Seasons, lead time.Duration, said []quote) LeadResult {
	r := LeadResult{Lead: lead}
	steps := int64(lead / g.step)
	for n := g.half; n < len(g.points); n++ {
		p := g.points[n]
		origin, ok := g.find(g.index(n) - steps)
		if !ok || p.Censored {
			continue
		}
		r.Outcomes = append(r.Outcomes, Outcome{
			Time:     p.Time,
			Actual:   p.Value,
			Now:      g.points[origin].Value,
			Forecast: said[origin].value,
			Upper:    said[origin].upper,
			Reactive: g.greatest(g.index(origin)-int64(stabilisation/g.step), g.index(origin), math.Inf(-1)),
			WeekAgo:  g.weekAgo(n, origin, seasons),
		})
	}
	r.Points = len(r.Outcomes)
	r.measure()
	return r
}
