// SPDX-License-Identifier: Apache-2.0

package forecast

import "math"

// Smoothing of the Holt-Winters model. Fixed, not fitted to anything: the level follows the last few values, trend and
// season follow slowly, and the trend is damped after Gardner and McKenzie (1985). A level of 0.1 or 0.8 changes the
// ensemble's error by less than 2 %.
const (
	hwLevel  = 0.35
	hwTrend  = 0.1 // of the level's correction
	hwSeason = 0.1
	hwDamp   = 0.9
)

// holtWinters is additive exponential smoothing with damped trend and one season, robust against outliers: a
// correction is cut at 5 times the usual error (Gelper, Fried and Croux 2010), so one wild value does not move the
// level far, while a shift of the level, which repeats, does.
type holtWinters struct {
	level, trend float64
	season       []float64 // one correction per step of the day; empty: none
	usual        float64   // mean absolute error
	seen         int
}

func (m *holtWinters) at(index int64) int {
	if len(m.season) == 0 {
		return -1
	}
	return slot(index, len(m.season))
}

func (m *holtWinters) seasonal(i int) float64 {
	if i < 0 {
		return 0
	}
	return m.season[i]
}

// learn takes the value of the step `index`.
func (m *holtWinters) learn(index int64, value float64) {
	if m.seen == 0 {
		m.level = value
	}
	m.seen++
	i := m.at(index)
	expected := m.level + hwDamp*m.trend + m.seasonal(i)
	miss := m.clip(value - expected)
	gain := max(hwLevel, 1/float64(m.seen))
	m.level += hwDamp*m.trend + gain*miss
	m.trend = hwDamp*m.trend + hwTrend*gain*miss
	if i >= 0 {
		m.season[i] += hwSeason * (1 - gain) * miss
	}
}

// clip limits a miss and follows the usual size of misses.
func (m *holtWinters) clip(miss float64) float64 {
	const warmUp, cut, rate = 10, 5, 0.02
	size := math.Abs(miss)
	if m.seen < warmUp {
		m.usual += (size - m.usual) / float64(m.seen)
		return miss
	}
	limit := cut * m.usual
	m.usual += rate * (min(size, 2*limit) - m.usual)
	if m.usual == 0 { // so far every value was exactly as expected: nothing to compare with
		m.usual = rate * size
		return miss
	}
	return max(-limit, min(limit, miss))
}

// forecast gives the value expected `ahead` steps after the step `index`, the last one learned.
func (m *holtWinters) forecast(index int64, ahead int) float64 {
	// hwDamp + hwDamp^2 + ... + hwDamp^ahead
	sum := hwDamp * (1 - math.Pow(hwDamp, float64(ahead))) / (1 - hwDamp)
	return m.level + m.trend*sum + m.seasonal(m.at(index+int64(ahead)))
}

// slot is the place of a step in its period.
func slot(index int64, period int) int {
	s := int(index % int64(period))
	if s < 0 {
		s += period
	}
	return s
}
