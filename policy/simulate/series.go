// SPDX-License-Identifier: Apache-2.0

package simulate

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// Point is a value at a time.
type Point struct {
	Time  time.Time
	Value float64
}

// Series is a demand over time: straight lines between its points, and the first and last value outside of them.
type Series struct {
	points []Point
	last   int // where the search for the previous time ended; times mostly rise
}

// NewSeries takes points in order of time; two at the same time make a step. Values must be finite and not negative.
func NewSeries(points []Point) (*Series, error) {
	for i, p := range points {
		if i > 0 && p.Time.Before(points[i-1].Time) {
			return nil, fmt.Errorf("the point at %s comes after a later one", p.Time.Format(time.RFC3339))
		}
		if !(p.Value >= 0) || math.IsInf(p.Value, 0) {
			return nil, fmt.Errorf("the demand at %s is %v: it must be a number, and not negative", p.Time.Format(time.RFC3339), p.Value)
		}
	}
	return &Series{points: slices.Clone(points)}, nil
}

// At returns the value at a time.
func (s *Series) At(t time.Time) float64 {
	n := len(s.points)
	// s.last is the number of points at or before the previous time.
	if s.last > 0 && s.points[s.last-1].Time.After(t) {
		s.last = 0
	}
	if s.last < n && !s.points[s.last].Time.After(t) {
		if s.last+1 < n && s.points[s.last+1].Time.After(t) {
			s.last++
		} else {
			s.last += sort.Search(n-s.last, func(i int) bool { return s.points[s.last+i].Time.After(t) })
		}
	}
	switch {
	case s.last == 0:
		return s.points[0].Value
	case s.last == n:
		return s.points[n-1].Value
	}
	a, b := s.points[s.last-1], s.points[s.last]
	share := float64(t.Sub(a.Time)) / float64(b.Time.Sub(a.Time))
	return a.Value + (b.Value-a.Value)*share
}

// Max returns the greatest value within an interval, its end included.
func (s *Series) Max(from, to time.Time) float64 {
	most := max(s.At(from), s.At(to))
	first := sort.Search(len(s.points), func(i int) bool { return s.points[i].Time.After(from) })
	for _, p := range s.points[first:] {
		if p.Time.After(to) {
			break
		}
		most = max(most, p.Value)
	}
	return most
}

// Copy returns a series for another goroutine.
func (s *Series) Copy() *Series { return &Series{points: s.points} }
