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
	places map[int64]int
}

// gridOf resamples a series to its step.
func gridOf(points []forecast.Point, o Options) (grid, error) {
	step := o.Step
	if step == 0 {
		ordered := slices.Clone(points)
		slices.SortStableFunc(ordered, func(a, b forecast.Point) int { return a.Time.Compare(b.Time) })
		step = forecast.StepOf(ordered)
	}
	if step <= 0 {
		return grid{}, fmt.Errorf("backtest: the series has %d points and no two different times; give at least %d points", len(points), fewest)
	}
	g := grid{step: step, points: forecast.Resample(points, step), places: map[int64]int{}}
	if len(g.points) < fewest {
		return grid{}, fmt.Errorf("backtest: the series has %d usable steps of %s; give at least %d", len(g.points), step, fewest)
	}
	g.first = g.points[0].Time
	for n := range g.points {
		g.places[g.index(n)] = n
	}
	// the last half in time, as a hole does not move the border; at least one point is learned from and one is judged
	middle := g.first.Add(g.points[len(g.points)-1].Time.Sub(g.first) / 2)
	g.half = max(1, min(len(g.points)-2, slices.IndexFunc(g.points, func(p forecast.Point) bool { return p.Time.After(middle) })))
	return g, nil
}

// index numbers the steps from the series' first.
func (g *grid) index(n int) int64 { return int64(g.points[n].Time.Sub(g.first) / g.step) }

// find gives the place of a step's point, if it has one that was measured in full.
func (g *grid) find(index int64) (int, bool) {
	n, ok := g.places[index]
	return n, ok && !g.points[n].Censored
}

// greatest is the greatest value of the steps from..to, both included, and at least `least`.
func (g *grid) greatest(from, to int64, least float64) float64 {
	for i := from; i <= to; i++ {
		if n, ok := g.places[i]; ok {
			least = max(least, g.points[n].Value)
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
func StepOf(points []forecast.Point) (time.Duration, error) {
	g, err := gridOf(points, Options{})
	return g.step, err
}
