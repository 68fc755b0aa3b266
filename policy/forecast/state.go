// SPDX-License-Identifier: Apache-2.0

package forecast

import "math"

// state is what is known of the series at the newest step, for all leads.
type state struct {
	now     float64 // the newest value, or the best estimate of it when it is missing or censored
	last    float64 // the newest measured value
	before  float64 // the value of the step before
	fast    float64 // mean of the last few values
	slow    float64 // mean of about the last eighth of a day
	size    float64 // mean magnitude
	least   float64 // the range of values seen
	most    float64
	learned int64     // the newest step that was learned
	count   int       // steps learned
	recent  []float64 // the last day, by slot; NaN: missing or censored
	slowBy  float64   // gain of slow
	smooth  holtWinters
	day     profile
	week    profile
	hour    profile // the 24th of a day
}

func newState(p plan) state {
	s := state{
		recent: make([]float64, p.day+1),
		slowBy: 1.0 / 36, // an eighth of a day of 5-minute steps
		smooth: holtWinters{season: make([]float64, p.day)},
		day:    newProfile(p.day, dayGain),
		week:   newProfile(p.week, weekGain),
		hour:   newProfile(hourOf(p.day), hourGain),
	}
	if p.day > 0 {
		s.slowBy = min(1, 8/float64(p.day))
	}
	for i := range s.recent {
		s.recent[i] = math.NaN()
	}
	return s
}

// learn takes the measured value of the step `index`.
func (s *state) learn(index int64, value float64) {
	if s.count == 0 {
		s.now, s.fast, s.slow = value, value, value
		s.least, s.most = value, value
	}
	s.count++
	s.before, s.now, s.last = s.now, value, value
	s.recent[slot(index, len(s.recent))] = value
	s.least, s.most = min(s.least, value), max(s.most, value)
	s.size += max(0.001, 1/float64(s.count)) * (math.Abs(value) - s.size)
	s.fast += 0.3 * (value - s.fast)
	s.slow += s.slowBy * (value - s.slow)
	s.smooth.learn(index, value)
	s.day.learn(index, value)
	s.week.learn(index, value)
	s.hour.learn(index, value)
	s.learned = index
}

// guess takes a step without a trustworthy value: a hole (NaN), or a value that the demand is at least.
func (s *state) guess(index int64, atLeast float64) {
	estimate := s.within(s.smooth.forecast(s.learned, int(index-s.learned)))
	if !math.IsNaN(atLeast) {
		estimate = max(estimate, atLeast)
		s.last = estimate
	}
	s.before, s.now = s.now, estimate
	s.recent[slot(index, len(s.recent))] = math.NaN()
	s.day.guess(index, estimate)
	s.week.guess(index, estimate)
	s.hour.guess(index, estimate)
}

// dayAgo gives the value at the same time a day before the step `ahead` of the step `index` (or so many days before
// as are needed to be in the past), and the change towards it from the same time of the day as now. NaN: unknown.
func (s *state) dayAgo(index int64, ahead int) (value, change float64) {
	day := len(s.recent) - 1
	if day == 0 {
		return math.NaN(), math.NaN()
	}
	back := int64((ahead-1)%day + 1 - day) // -day < back <= 0
	value = s.recent[slot(index+back, day+1)]
	return value, value - s.recent[slot(index-int64(day), day+1)]
}

// within keeps a model from running away: no forecast leaves the range seen so far by more than that range itself,
// and the demand of a series that was never negative stays so.
func (s *state) within(value float64) float64 {
	width := s.most - s.least
	low := s.least - width
	if s.least >= 0 {
		low = max(0, low)
	}
	return max(low, min(s.most+width, value))
}

// hourOf is the 24th of a day, for cron jobs and people alike begin things on the hour; 0: too few steps to tell its
// parts.
func hourOf(day int) int {
	const fewest = 3
	if day/24 < fewest {
		return 0
	}
	return day / 24
}
