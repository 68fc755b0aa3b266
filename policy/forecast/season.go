// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"math/bits"
	"time"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Thresholds of FindSeasons.
const (
	// how strongly a series must resemble itself one period later (autocorrelation) for the period to count
	resemblance = 0.5
	// how much more than at the least similar lag before it: what merely changes slowly resembles itself everywhere
	prominence = 0.3
	// a peak nearly as high as the best is as good: the shortest such period is the true one, the others its multiples
	nearlyBest = 0.8
	// the calendar's day wins unless another period is so much stronger
	calendarBonus = 0.15
	// periods shorter than that many steps are noise or the step itself
	fewestSteps = 4
)

// FindSeasons finds the periods of a series, in order of time, by its autocorrelation. It prefers the calendar's day
// and week, which most demand has, and also answers them when the series is too short or shows no period: the
// ensemble ignores a period that is not there. A series that repeats with another period (a demo whose day takes four
// minutes, a batch job every six hours) gets that period, and as its week the multiple up to 14 that fits best, or 7.
// Only the given points are looked at: give the past.
func FindSeasons(points []Point, step time.Duration) Seasons {
	if step <= 0 {
		return calendar
	}
	values := onGrid(points, step)
	if len(values) < 3*fewestSteps {
		return calendarAt(step)
	}
	like := autocorrelation(detrend(values))
	period := strongest(like, fewestSteps, len(values)/3)
	if period == 0 {
		return calendarAt(step)
	}
	day := inSteps(calendar.Day, step)
	if day > 0 && day <= len(values)/2 && like[day]+calendarBonus >= like[period] {
		return calendarAt(step)
	}
	found := Seasons{Day: time.Duration(period) * step}
	found.Week = time.Duration(weekOf(like, period, len(values)/3)) * found.Day
	if found.Week/step > maxWeekSteps {
		found.Week = 0
	}
	if found.Day/step > maxWeekSteps {
		return calendarAt(step)
	}
	return found
}

// calendarAt is the calendar's day and week, as far as they can be remembered at the step.
func calendarAt(step time.Duration) Seasons {
	s := calendar
	if s.Week/step > maxWeekSteps {
		s.Week = 0
	}
	if s.Day/step > maxWeekSteps {
		s.Day = 0
	}
	return s
}

// onGrid gives one value per step; a hole takes the value before it. At most the newest four weeks of minutes.
func onGrid(points []Point, step time.Duration) []float64 {
	const most = 4 * 7 * 24 * 60
	var out []float64
	var newest int64
	for _, p := range points {
		if !usable(p.Value) {
			continue
		}
		index := stepIndex(p.Time, step)
		if len(out) > 0 && index <= newest {
			continue
		}
		for i := max(newest+1, index-most); len(out) > 0 && i < index; i++ {
			out = append(out, out[len(out)-1])
		}
		out = append(out, p.Value)
		newest = index
	}
	return out[max(0, len(out)-most):]
}

// detrend subtracts the straight line through the series, and cuts what is left at 4 times its mean size, so that
// neither a trend nor a few wild values look like a period.
func detrend(values []float64) []float64 {
	n := float64(len(values))
	var sum, moment, size float64
	for i, v := range values {
		sum += v / n
		moment += (float64(i) - (n-1)/2) * v
	}
	slope := moment / (n * (n*n - 1) / 12)
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v - sum - slope*(float64(i)-(n-1)/2)
		size += abs(out[i]) / n
	}
	for i := range out {
		out[i] = max(-4*size, min(4*size, out[i]))
	}
	return out
}

// autocorrelation of a series for all lags, by Wiener and Khinchin: the transform of the power spectrum.
func autocorrelation(values []float64) []float64 {
	n := len(values)
	padded := make([]float64, 1<<bits.Len(uint(2*n))) // a power of two: other lengths may take seconds
	copy(padded, values)
	fft := fourier.NewFFT(len(padded))
	spectrum := fft.Coefficients(nil, padded)
	for i, c := range spectrum {
		spectrum[i] = complex(real(c)*real(c)+imag(c)*imag(c), 0)
	}
	all := fft.Sequence(nil, spectrum)
	out := make([]float64, n)
	if !(all[0] > 0) {
		return out
	}
	for lag := range out { // each lag has n-lag products: without this, long periods would look weak
		out[lag] = all[lag] / all[0] * float64(n) / float64(n-lag)
	}
	return out
}

// strongest gives the shortest lag from..to with a clear local peak that is nearly the highest; 0: there is none.
func strongest(like []float64, from, to int) int {
	least := 1.0
	best := 0.0
	var peaks []int
	for lag := 1; lag <= to; lag++ {
		least = min(least, like[lag])
		local := like[lag] > like[lag-1] && like[lag] >= like[lag+1]
		if lag < from || !local || like[lag] < resemblance || like[lag]-least < prominence {
			continue
		}
		peaks = append(peaks, lag)
		best = max(best, like[lag])
	}
	for _, lag := range peaks {
		if like[lag] >= nearlyBest*best {
			return lag
		}
	}
	return 0
}

// weekOf gives the multiple of the period at which the series resembles itself clearly better than after one.
func weekOf(like []float64, period, to int) int {
	const clearly = 0.05
	best := 7
	height := like[period] + clearly
	for multiple := 2; multiple <= 14 && multiple*period <= to; multiple++ {
		if like[multiple*period] > height {
			best, height = multiple, like[multiple*period]+clearly
		}
	}
	return best
}

func abs(v float64) float64 { return max(v, -v) }
