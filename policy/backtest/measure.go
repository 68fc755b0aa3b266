// SPDX-License-Identifier: Apache-2.0

package backtest

import (
	"math"
	"slices"
)

// measure fills in the figures from the outcomes.
func (r *LeadResult) measure() {
	var missed, naive, magnitude, demand, bound float64
	covered := 0
	for _, o := range r.Outcomes {
		missed += math.Abs(o.Actual - o.Forecast)
		naive += math.Abs(o.Actual - o.Now)
		magnitude += math.Abs(o.Actual)
		demand += o.Actual
		bound += o.Upper
		if o.Actual <= o.Upper {
			covered++
		}
	}
	r.WAPE = ratio(missed, magnitude)
	r.WAPENaive = ratio(naive, magnitude)
	r.Coverage = ratio(float64(covered), float64(len(r.Outcomes)))
	r.CoverageTopDecile = coverageOfTop(r.Outcomes, 0.1)
	r.Overprovision = ratio(bound-demand, math.Abs(demand))
}

// coverageOfTop is the coverage among the share of outcomes with the greatest demand.
func coverageOfTop(outcomes []Outcome, share float64) float64 {
	if len(outcomes) == 0 {
		return 0
	}
	values := make([]float64, len(outcomes))
	for i, o := range outcomes {
		values[i] = o.Actual
	}
	slices.Sort(values)
	border := values[min(len(values)-1, int(float64(len(values))*(1-share)))]
	count, covered := 0.0, 0.0
	for _, o := range outcomes {
		if o.Actual < border {
			continue
		}
		count++
		if o.Actual <= o.Upper {
			covered++
		}
	}
	return ratio(covered, count)
}

// ratio is part/whole, and 0 where that is no finite number.
func ratio(part, whole float64) float64 {
	r := part / whole
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return 0
	}
	return r
}
