// SPDX-License-Identifier: Apache-2.0

package backtest

import (
	"math"
	"time"
)

// Names of the policies that Compare tells apart.
const (
	PolicyHPA      = "hpa"           // the HPA alone: replicas for the demand at the time of the decision
	PolicyMargin   = "hpa+20%"       // the same with a fifth more
	PolicyWeekAgo  = "hpa+week-ago"  // the greater of the HPA's and last week's maximum around the time
	PolicyForecast = "hpa+forecast"  // the greater of the HPA's and the forecast's bound
	PolicyFixed    = "fixed-maximum" // always enough for the greatest demand judged
	PolicyOracle   = "oracle"        // exactly enough, known beforehand
)

// PolicyResult is what a policy would have done on the judged half, with whole replicas.
type PolicyResult struct {
	Name string
	// DeficientReplicaMinutes are the replicas that were missing, times minutes.
	DeficientReplicaMinutes float64
	// ReplicaHours are all replicas that ran, times hours.
	ReplicaHours float64
	// UnservedShare is the share of the demand above the capacity, TimeShort the share of time with such demand.
	UnservedShare, TimeShort float64
}

// Compare replays the policies. What is decided at a time is Ready one lead time later; at least one replica runs.
// perReplica is the demand that one replica serves; it must be above zero. The HPA's target per replica is the same,
// so that no policy has a hidden margin, and it waits for its default stabilisation of 5 minutes before it scales
// down. For the closed loop with all of the HPA's behaviour see policy/simulate.
func Compare(outcomes []Outcome, step time.Duration, perReplica float64) []PolicyResult {
	most := 0.0
	for _, o := range outcomes {
		most = max(most, o.Actual)
	}
	policies := []struct {
		name   string
		demand func(o Outcome) float64
	}{
		{PolicyHPA, func(o Outcome) float64 { return o.Reactive }},
		{PolicyMargin, func(o Outcome) float64 { return 1.2 * o.Reactive }},
		{PolicyWeekAgo, func(o Outcome) float64 { return max(o.Reactive, o.WeekAgo) }},
		{PolicyForecast, func(o Outcome) float64 { return max(o.Reactive, o.Upper) }},
		{PolicyFixed, func(Outcome) float64 { return most }},
		{PolicyOracle, func(o Outcome) float64 { return o.Actual }},
	}
	var out []PolicyResult
	for _, p := range policies {
		r := PolicyResult{Name: p.name}
		r.add(outcomes, step, perReplica, p.demand)
		out = append(out, r)
	}
	return out
}

func (r *PolicyResult) add(outcomes []Outcome, step time.Duration, perReplica float64, expected func(Outcome) float64) {
	var demand, unserved, short float64
	for _, o := range outcomes {
		replicas := replicasFor(expected(o), perReplica)
		missing := replicasFor(o.Actual, perReplica) - replicas
		r.ReplicaHours += replicas * step.Hours()
		demand += max(0, o.Actual)
		if above := o.Actual - replicas*perReplica; above > 0 {
			unserved += above
			short++
		}
		r.DeficientReplicaMinutes += max(0, missing) * step.Minutes()
	}
	r.UnservedShare = ratio(unserved, demand)
	r.TimeShort = ratio(short, float64(len(outcomes)))
}

// replicasFor a demand: at least one. A demand that is a whole number of replicas but for rounding needs no more.
func replicasFor(demand, perReplica float64) float64 {
	const rounding = 1e-9
	if perReplica <= 0 {
		return 1
	}
	return max(1, math.Ceil(demand/perReplica-rounding))
}

// Names lists the policies in the order of Compare.
func Names() []string {
	return []string{PolicyHPA, PolicyMargin, PolicyWeekAgo, PolicyForecast, PolicyFixed, PolicyOracle}
}
