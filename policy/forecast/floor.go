// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"math"
	"time"
)

// Rule is what a ScaleForecast says, in plain values.
type Rule struct {
	Name     string
	Query    string // of the demand; empty: derived from the HPA's metric
	Quantile float64
	// Interval is the distance of the points; Seasons are given or nil (to be found).
	Interval time.Duration
	Seasons  *Seasons
	// Lead is the time from a decision to Ready; 0: as measured. MaxLead limits it, measured or not.
	Lead, MaxLead time.Duration
	// Enforce lets the forecast act while it is trusted.
	Enforce bool
	// MaxIncrease is by how much of the present replicas the floor may exceed them: 1 for twice as many.
	MaxIncrease float64
}

// UnmeasuredLead is used as long as no start of a pod was measured: 5 minutes, the cloud providers' default.
const UnmeasuredLead = 5 * time.Minute

// leastLead: even a pod that starts at once waits for the HPA's next look, which is every 15 s.
const leastLead = 15 * time.Second

// LeadTime is how far ahead the floor looks: the given lead, or else the measured one (P90 from a decision to Ready;
// 0: not measured yet), and at most MaxLead.
func (r Rule) LeadTime(measured time.Duration) time.Duration {
	lead := r.Lead
	if lead <= 0 {
		lead = measured
	}
	if lead <= 0 {
		lead = UnmeasuredLead
	}
	if r.Lead <= 0 {
		lead = max(leastLead, lead)
	}
	if r.MaxLead > 0 {
		lead = min(lead, r.MaxLead)
	}
	return lead
}

// Config is the forecaster's for a lead time: it looks at several distances up to the lead time, and at the outlook,
// some hours further, which is shown only.
func (r Rule) Config(lead time.Duration, outlook ...time.Duration) Config {
	c := Config{Step: r.Interval, Leads: LeadsWithin(r.Interval, lead), Quantile: r.Quantile, Seasons: r.Seasons}
	for _, further := range outlook {
		if further > lead && further%r.Interval == 0 && len(c.Leads) < maxLeads {
			c.Leads = append(c.Leads, further)
		}
	}
	return c
}

// FloorInput is what a floor depends on.
type FloorInput struct {
	// Demand is what to be ready for: Prediction.Upper of Forecaster.Peak.
	Demand float64
	// PerReplica is the demand that one replica serves: the HPA's target.
	PerReplica float64
	// Replicas run now; MaxReplicas is the user's maximum; MaxIncrease as in Rule (0: no limit).
	Replicas, MaxReplicas int32
	MaxIncrease           float64
}

// Floor is how many replicas a forecast asks for.
type Floor struct {
	// Replicas to have at least; 0: nothing is asked for.
	Replicas int32
	// Wanted is the same before the limits, as far as it can be written in 32 bits.
	Wanted int32
	// Limit says in one sentence which limit lowered it; empty: none.
	Limit string
}

// FloorOf turns a demand into replicas, rounded up, within the limits: never above the user's maximum, and not more
// than MaxIncrease above what runs now, so that a wild forecast climbs in steps that somebody can watch. An error says
// that the demand cannot be turned into replicas.
func FloorOf(in FloorInput) (Floor, error) {
	if !(in.PerReplica > 0) || math.IsInf(in.PerReplica, 0) {
		return Floor{}, fmt.Errorf("forecast: one replica serves %v, so that no demand can be turned into replicas; the HPA needs a target above zero", in.PerReplica)
	}
	if math.IsNaN(in.Demand) {
		return Floor{}, fmt.Errorf("forecast: the demand is not a number")
	}
	wanted := wholeReplicas(in.Demand / in.PerReplica)
	f := Floor{Replicas: wanted, Wanted: wanted}
	if in.MaxIncrease > 0 {
		most := wholeReplicas(float64(max(1, in.Replicas)) * (1 + in.MaxIncrease))
		if f.Replicas > most {
			f.Replicas = most
			f.Limit = fmt.Sprintf("%d replicas are forecast, and from %d at most %d may be asked for at once", wanted, in.Replicas, most)
		}
	}
	if in.MaxReplicas > 0 && f.Replicas > in.MaxReplicas {
		f.Replicas = in.MaxReplicas
		f.Limit = fmt.Sprintf("%d replicas are forecast, and maxReplicas is %d", wanted, in.MaxReplicas)
	}
	return f, nil
}

// wholeReplicas rounds up, but for rounding errors of the division.
func wholeReplicas(v float64) int32 {
	const rounding = 1e-9
	return int32(max(0, min(math.MaxInt32, math.Ceil(v-rounding))))
}
