// SPDX-License-Identifier: Apache-2.0

package forecast

import "math"

// numFeatures is the number of inputs of the regression; see lead.features.
const numFeatures = 8

// Settings of the regression: forgetting so slow that it averages over 2,000 points (a week of 5-minute points),
// and a prior of "no change" worth about one typical point. Forgetting between 0.998 and 0.9998 and a prior between
// 0.1 and 10 change its error by less than 1 %.
const (
	forgetting    = 0.9995
	priorVariance = 1.0
	// an error counts fully up to this multiple of the usual one, beyond it only linearly (Huber 1964)
	huberCut = 4
)

// regression is recursive least squares with forgetting (Haykin, Adaptive Filter Theory, ch. 10). It explains the
// change from now to the lead, in units of the series' size; all weights start at zero, which forecasts "no change".
type regression struct {
	weights [numFeatures]float64
	// covariance is the upper triangle of P, row by row.
	covariance [numFeatures * (numFeatures + 1) / 2]float64
	usual      float64 // mean absolute error
	seen       int
}

func newRegression() regression {
	var r regression
	r.reset()
	return r
}

func (r *regression) reset() {
	r.weights = [numFeatures]float64{}
	r.covariance = [numFeatures * (numFeatures + 1) / 2]float64{}
	for i := range numFeatures {
		r.covariance[triangle(i, i)] = priorVariance
	}
}

// triangle is the place of element (i, j), i <= j, in the upper triangle.
func triangle(i, j int) int { return i*numFeatures - i*(i-1)/2 + j - i }

func (r *regression) predict(x *[numFeatures]float64) float64 {
	sum := 0.0
	for i, w := range r.weights {
		sum += w * x[i]
	}
	return sum
}

// learn takes one outcome: inputs x led to y.
func (r *regression) learn(x *[numFeatures]float64, y float64) {
	miss := y - r.predict(x)
	trust := r.trust(math.Abs(miss))
	gain, spread := r.project(x)
	if !(spread > 1e-12) { // nothing moved: nothing to learn, and forgetting would only let P grow
		return
	}
	scale := 1 / (forgetting/trust + spread)
	trace := 0.0
	for i := range numFeatures {
		step := gain[i] * scale
		r.weights[i] += step * miss
		row := triangle(i, i) - i
		for j := i; j < numFeatures; j++ {
			r.covariance[row+j] = (r.covariance[row+j] - step*gain[j]) / forgetting
		}
		trace += r.covariance[row+i]
	}
	r.keepBounded(trace)
}

// project returns P x and x' P x.
func (r *regression) project(x *[numFeatures]float64) (gain [numFeatures]float64, spread float64) {
	k := 0
	for i := range numFeatures {
		gain[i] += r.covariance[k] * x[i]
		k++
		for j := i + 1; j < numFeatures; j++ {
			gain[i] += r.covariance[k] * x[j]
			gain[j] += r.covariance[k] * x[i]
			k++
		}
	}
	for i, g := range gain {
		spread += g * x[i]
	}
	return gain, spread
}

// trust is 1 for a usual miss and falls with the size of an unusual one.
func (r *regression) trust(size float64) float64 {
	const warmUp, rate = 5, 0.01
	r.seen++
	if r.seen <= warmUp {
		r.usual += (size - r.usual) / float64(r.seen)
		return 1
	}
	before := r.usual
	r.usual += max(rate, 1/float64(r.seen)) * (min(size, 10*before+1e-12) - before)
	if before > 0 && size > huberCut*before {
		return huberCut * before / size
	}
	return 1
}

// keepBounded undoes forgetting while the inputs carry no information (else P grows without end), and starts again
// should rounding ever have made P useless.
func (r *regression) keepBounded(trace float64) {
	if !(trace > 0) || math.IsInf(trace, 0) {
		r.reset()
		return
	}
	if trace > 10*priorVariance*numFeatures {
		for i := range r.covariance {
			r.covariance[i] *= forgetting
		}
	}
}
