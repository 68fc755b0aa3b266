// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"math"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
)

var eighths = []rune(" ▁▂▃▄▅▆▇█")

// chart draws values as columns of blocks, top row first. A value of scale fills all rows; NaN leaves its column blank.
// A value above zero always shows.
func chart(values []float64, scale float64, rows int) []string {
	lines := make([]strings.Builder, rows)
	for _, v := range values {
		filled := 0
		if scale > 0 && v > 0 {
			filled = int(math.Max(1, math.Round(v/scale*float64(rows*8))))
		}
		for row := range lines {
			below := (rows - 1 - row) * 8
			lines[row].WriteRune(eighths[max(0, min(8, filled-below))])
		}
	}
	out := make([]string, rows)
	for row := range lines {
		out[row] = lines[row].String()
	}
	return out
}

// spread divides the time from..from+length into columns, and gives each column the last value seen in it or, while
// samples still follow, before it. Columns without one are NaN.
func spread(samples []report.Sample, from, length time.Duration, columns int, value func(report.Sample) float64) []float64 {
	values := make([]float64, columns)
	for i := range values {
		values[i] = math.NaN()
	}
	if length <= 0 || columns == 0 {
		return values
	}
	column := func(s report.Sample) int { return int((s.At - from) * time.Duration(columns) / length) }
	for i, s := range samples {
		first := column(s)
		last := first
		if i+1 < len(samples) { // samples further apart than columns leave no gaps
			last = max(first, column(samples[i+1])-1)
		}
		for c := max(0, first); c <= min(last, columns-1); c++ {
			values[c] = value(s)
		}
	}
	return values
}
