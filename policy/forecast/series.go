// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math"
	"slices"
	"time"
)

// Point is one value of a demand series.
type Point struct {
	// Time is when the value was measured. In a resampled series it is the start of its step.
	Time time.Time
	// Value is in the unit of the metric. NaN means that nothing was measured (a hole).
	Value float64
	// Censored says that the value is not the true demand but at most a lower bound of it: the workload was
	// saturated, an outage was on, or an override held it. Such a value is never learned from.
	Censored bool
}

// Resample puts points of any spacing on a grid of steps: each step's value is the mean of its points, and it is
// censored when one of them is. Steps without a usable point (none, NaN, infinite) are left out, so that a hole
// stays a hole. The points may be in any order; the answer is in order. A step of zero or less gives nothing.
func Resample(points []Point, step time.Duration) []Point {
	if step <= 0 {
		return nil
	}
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b Point) int { return a.Time.Compare(b.Time) })
	var out []Point
	count := 0.0
	for _, p := range sorted {
		if !usable(p.Value) {
			continue
		}
		start := time.Unix(0, 0).UTC().Add(time.Duration(stepIndex(p.Time, step)) * step)
		if last := len(out) - 1; last >= 0 && out[last].Time.Equal(start) {
			count++
			out[last].Value += (p.Value - out[last].Value) / count
			out[last].Censored = out[last].Censored || p.Censored
			continue
		}
		out = append(out, Point{Time: start, Value: p.Value, Censored: p.Censored})
		count = 1
	}
	return out
}

// CounterRates turns the samples of a counter (in order of time) into rates per second, each at the time of the
// later sample. A counter that falls was reset: it counts as having started again from zero, as Prometheus' rate()
// does, so that no rate is negative. Holes are skipped: the rate then spans them.
func CounterRates(samples []Point) []Point {
	var out []Point
	var before *Point
	for i := range samples {
		p := &samples[i]
		if !usable(p.Value) {
			continue
		}
		if before != nil && p.Time.After(before.Time) {
			grown := p.Value - before.Value
			if grown < 0 {
				grown = p.Value
			}
			rate := grown / p.Time.Sub(before.Time).Seconds()
			out = append(out, Point{Time: p.Time, Value: rate, Censored: p.Censored})
		}
		before = p
	}
	return out
}

// StepOf finds the step of a series in order: the shortest distance in time that occurs at least as often as a
// tenth of the points, so that one stray point does not make the grid fine. Where the times jitter, so that no
// distance is frequent, it is the median distance, rounded to a usual step. Zero when there are fewer than two
// different times.
func StepOf(points []Point) time.Duration {
	counts := map[time.Duration]int{}
	var all []time.Duration
	for i := 1; i < len(points); i++ {
		if d := points[i].Time.Sub(points[i-1].Time); d > 0 {
			counts[d]++
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return 0
	}
	var best time.Duration
	for d, n := range counts {
		if n*10 >= len(all) && (best == 0 || d < best) {
			best = d
		}
	}
	if best == 0 {
		slices.Sort(all)
		best = all[len(all)/2]
	}
	return usualStep(best)
}

// usualStep gives the usual step nearby (within a tenth), or the step itself.
func usualStep(step time.Duration) time.Duration {
	for _, s := range []float64{1, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 86400} {
		if math.Abs(step.Seconds()-s) <= s/10 {
			return time.Duration(s) * time.Second
		}
	}
	return step
}

// stepIndex numbers the steps from the Unix epoch, so that two series of one step share their numbering.
func stepIndex(t time.Time, step time.Duration) int64 {
	const second = int64(time.Second)
	if int64(step)%second == 0 {
		return floorDiv(t.Unix(), int64(step)/second)
	}
	return floorDiv(t.UnixNano(), int64(step))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// largest is the greatest magnitude that is accepted: its square is still a finite number.
const largest = 1e100

func usable(v float64) bool { return math.Abs(v) <= largest }
