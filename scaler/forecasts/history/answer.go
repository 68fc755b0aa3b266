// SPDX-License-Identifier: Apache-2.0

package history

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

// largest magnitude that a forecast can be made from; NaN and infinity are not below it.
const largest = 1e100

// Answer is the series of a query, as far as it has exactly one.
type Answer struct {
	// Points are in order of time. A time without a value, with one that is no number, or with several has none.
	Points []forecast.Point
	// Series are the series that were found, in Prometheus' notation. Several of them are one demand as long as each
	// time has only one: a label that changes with a release begins a new series.
	Series []string
	// Ambiguous is the newest time that had several values; zero: none had.
	Ambiguous time.Time
}

// Newest is the time of the newest value; zero: there is none.
func (a Answer) Newest() time.Time {
	if len(a.Points) == 0 {
		return time.Time{}
	}
	return a.Points[len(a.Points)-1].Time
}

func answerOf(matrix model.Matrix) Answer {
	var a Answer
	size := 0
	for _, stream := range matrix {
		a.Series = append(a.Series, stream.Metric.String())
		size = max(size, len(stream.Values))
	}
	slices.Sort(a.Series)
	points := make([]forecast.Point, 0, size)
	for _, stream := range matrix {
		for _, pair := range stream.Values {
			points = append(points, forecast.Point{Time: pair.Timestamp.Time().UTC(), Value: float64(pair.Value)})
		}
	}
	if len(matrix) > 1 {
		slices.SortStableFunc(points, func(x, y forecast.Point) int { return x.Time.Compare(y.Time) })
	}
	a.Points = points[:0]
	for i := 0; i < len(points); {
		same := i + 1
		for same < len(points) && points[same].Time.Equal(points[i].Time) {
			same++
		}
		switch {
		case same-i > 1:
			a.Ambiguous = points[i].Time
		case math.Abs(points[i].Value) <= largest:
			a.Points = append(a.Points, points[i])
		}
		i = same
	}
	return a
}
