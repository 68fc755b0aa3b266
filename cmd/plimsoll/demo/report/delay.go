// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"time"
)

// series is one quantity of the samples over time.
type series func(Sample) float64

func users(s Sample) float64 { return float64(s.Users) }
func ready(s Sample) float64 { return float64(s.Ready) }

// delays returns how long after the users the ready replicas rose and fell: the median over the moments at which each
// crosses a quarter, half and three quarters of its own range, upwards before its top and downwards after it. Nil: one
// of the two never crossed.
func delays(samples []Sample) (rise, fall *time.Duration) {
	var up, down []time.Duration
	for _, level := range []float64{0.25, 0.5, 0.75} {
		usersUp, usersDown := crossings(samples, users, level)
		readyUp, readyDown := crossings(samples, ready, level)
		if usersUp != nil && readyUp != nil {
			up = append(up, *readyUp-*usersUp)
		}
		if usersDown != nil && readyDown != nil {
			down = append(down, *readyDown-*usersDown)
		}
	}
	return median(up), median(down)
}

// crossings returns when the series first rises to the level of its range, and when, after its top, it first falls
// below it; interpolated between samples. Nil: it never does.
func crossings(samples []Sample, value series, level float64) (up, down *time.Duration) {
	low, high, top := value(samples[0]), value(samples[0]), 0
	for i, s := range samples {
		low = min(low, value(s))
		if value(s) > high {
			high, top = value(s), i
		}
	}
	at := low + level*(high-low)
	if high == low {
		return nil, nil
	}
	for i, s := range samples[1:] {
		switch {
		case up == nil && i+1 <= top && value(s) >= at:
			t := between(samples[i], s, value, at)
			up = &t
		case down == nil && i+1 > top && value(s) < at:
			t := between(samples[i], s, value, at)
			down = &t
		}
	}
	return up, down
}

// between is when a straight line from a to b has the value at.
func between(a, b Sample, value series, at float64) time.Duration {
	from, to := value(a), value(b)
	if from == to {
		return b.At
	}
	return a.At + time.Duration((at-from)/(to-from)*float64(b.At-a.At))
}

func median(d []time.Duration) *time.Duration {
	if len(d) == 0 {
		return nil
	}
	slices.Sort(d)
	return &d[len(d)/2]
}
