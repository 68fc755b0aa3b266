// SPDX-License-Identifier: Apache-2.0

package forecast

import "math"

// Settings of the mixture: losses are remembered over about 20 outcomes of lead one, longer for longer leads,
// because outcomes that overlap repeat each other; and a model whose recent losses sum to 1.4 usual losses more
// than the best model's has e times less weight. Memory from 0.9 to 0.98 and sharpness from 0.3 to 3 change the
// ensemble's error by less than 3 %.
const (
	lossMemory = 0.95
	sharpness  = 0.7
	// a single loss counts at most so many usual losses: one wild outcome shall not decide for hours
	worstLoss = 20
)

// mixture is the exponentially weighted average forecaster (Cesa-Bianchi and Lugosi, Prediction, Learning, and
// Games, 2006, ch. 2) with discounted losses, so that the best model may change over time.
type mixture struct {
	losses [numMembers]float64
	usual  float64 // mean absolute loss of the first member, the last value
	keep   float64 // what is left of an old loss after one outcome
}

func newMixture(steps int) mixture {
	return mixture{keep: math.Pow(lossMemory, 1/math.Sqrt(float64(steps)))}
}

// combine gives the weighted mean of the members' forecasts.
func (m *mixture) combine(forecasts *[numMembers]float64) float64 {
	sum := 0.0
	for i, w := range m.shares() {
		sum += w * forecasts[i]
	}
	return sum
}

// weights gives the members' weights; they sum to 1.
func (m *mixture) weights() []float64 {
	w := m.shares()
	return w[:]
}

func (m *mixture) shares() (w [numMembers]float64) {
	best := m.losses[0]
	for _, l := range m.losses {
		best = min(best, l)
	}
	total := 0.0
	for i, l := range m.losses {
		w[i] = math.Exp(-sharpness * (l - best))
		total += w[i]
	}
	for i := range w {
		w[i] /= total
	}
	return w
}

// learn takes what the members said and what came.
func (m *mixture) learn(forecasts *[numMembers]float64, actual float64) {
	const rate = 0.01
	size := math.Abs(actual - forecasts[0])
	if m.usual == 0 {
		m.usual = size
	}
	m.usual += rate * (size - m.usual)
	unit := m.usual + 1e-9*math.Abs(actual) + math.SmallestNonzeroFloat64
	for i, f := range forecasts {
		loss := min(worstLoss, math.Abs(actual-f)/unit)
		m.losses[i] = m.keep*m.losses[i] + loss
	}
}
