// SPDX-License-Identifier: Apache-2.0

package backtest

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

const (
	// fewest points that can be judged at all: half of them are only learned from
	fewest = 16
	// most steps that a series may span, holes included
	longest = 10_000_000
	// what an HPA waits before it scales down, by default
	stabilisation = 5 * time.Minute
	// how far around the same time a week ago the maximum is taken
	around = 30 * time.Minute
)

// grid is a series on its steps, with an index to find values by their step.
type grid struct {
	step   time.Duration
	points []forecast.Point
	half   int // the first point that is judged
	first  time.Time
	places []int32 // by step: the place in points plus one; 0: a hole
}

// gridOf resamples a series to its step.
func gridOf(points []forecast.Point, o Options) (grid, error) {
	step, err := stepOf(points, o)
	if err != nil {
		return grid{}, err
	}
	g := grid{step: step, points: forecast.Resample(points, step)}
	if len(g.points) < fewest {
		return grid{}, fmt.Errorf("backtest: the series has %d usable steps of %s; give at least %d", len(g.points), step, fewest)
	}
	g.first = g.points[0].Time
	last := g.points[len(g.points)-1].Time
	if last.Sub(g.first)/step >= longest {
		return grid{}, fmt.Errorf("backtest: the series spans more than %d steps of %s; use a longer step", longest, step)
	}
	g.places = make([]int32, last.Sub(g.first)/step+1)
	for n := range g.points {
		g.places[g.index(n)] = int32(n + 1)
	}
	g.half = len(g.points) / 2
	return g, nil
}

// stepOf is the step that was given or that is found. A series of several days that is finer than a minute is judged
// in minutes: no replica starts faster, and a week of finer steps is too long to remember.
func stepOf(points []forecast.Point, o Options) (time.Duration, error) {
	if o.Step != 0 {
		if o.Step < 0 {
			return 0, fmt.Errorf("backtest: the step is %s; it must be above zero", o.Step)
		}
		return o.Step, nil
	}
	ordered := slices.Clone(points)
	slices.SortStableFunc(ordered, func(a, b forecast.Point) int { return a.Time.Compare(b.Time) })
	step := forecast.StepOf(ordered)
	if step <= 0 {
		return 0, fmt.Errorf("backtest: the series has %d points and no two different times; give at least %d points", len(points), fewest)
	}
	const severalDays = 48 * time.Hour
	if step < time.Minute && ordered[len(ordered)-1].Time.Sub(ordered[0].Time) >= severalDays {
		step = time.Minute
	}
	return step, nil
}

// index numbers the steps from the series' first.
func (g *grid) index(n int) int64 { return int64(g.points[n].Time.Sub(g.first) / g.step) }

// find gives the place of a step's point, if it has one that was measured in full.
func (g *grid) find(index int64) (int, bool) {
	if index < 0 || index >= int64(len(g.places)) || g.places[index] == 0 {
		return 0, false
	}
	n := int(g.places[index]) - 1
	return n, !g.points[n].Censored
}

// greatest is the greatest value of the steps from..to, both included, and at least `least`.
func (g *grid) greatest(from, to int64, least float64) float64 {
	for i := max(0, from); i <= min(to, int64(len(g.places))-1); i++ {
		if n := g.places[i]; n != 0 {
			least = max(least, g.points[n-1].Value)
		}
	}
	return least
}

// weekAgo is the greatest value around the same time a week before the target, or a day before where the series does
// not reach back so far; as it was known at the origin. It is the origin's own value where there is neither.
func (g *grid) weekAgo(target, origin int, seasons forecast.Seasons) float64 {
	reach := int64(around / g.step)
	for _, period := range []time.Duration{seasons.Week, seasons.Day} {
		middle := g.index(target) - int64(period/g.step)
		if period == 0 || middle < 0 {
			continue
		}
		most := g.greatest(middle-reach, min(middle+reach, g.index(origin)), math.Inf(-1))
		if !math.IsInf(most, -1) {
			return most
		}
	}
	return g.points[origin].Value
}

func sortedLeads(leads []time.Duration) []time.Duration {
	slices.Sort(leads)
	return leads
}

// StepOf is the step that Run would use for a series.
func StepOf(points []forecast.Point) (time.Duration, error) { return stepOf(points, Options{}) }
