// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Limits of a Config. They bound the memory that one forecaster can take to about 400 kB.
const (
	maxLeads     = 16
	maxWeekSteps = 7 * 24 * 120 // a week of 30-second steps
)

// Seasons are the two periods that the demand may repeat with. Zero: no such period. A period that is given but
// does not exist does little harm: the models that use it lose their weight.
type Seasons struct {
	Day  time.Duration
	Week time.Duration
}

// Calendar is the season of what people do.
var calendar = Seasons{Day: 24 * time.Hour, Week: 7 * 24 * time.Hour}

// Config says what to forecast. Only Step and Leads are required.
type Config struct {
	// Step is the distance of two points. Points that come faster are to be resampled first (see Resample).
	Step time.Duration
	// Leads are how far ahead to look; each a multiple of Step, at most a week ahead.
	Leads []time.Duration
	// Quantile is the share of the outcomes that Prediction.Upper shall cover: at least 0.5, below 1. Default 0.95.
	Quantile float64
	// Seasons are the periods to use; the default is a day of 24 hours and a week of 7 days (see FindSeasons).
	Seasons *Seasons
}

// plan is a Config in steps, with the defaults filled in.
type plan struct {
	step      time.Duration
	leads     []int
	quantile  float64
	day, week int // steps; 0: none
}

func (c Config) compile() (plan, error) {
	if c.Step <= 0 {
		return plan{}, fmt.Errorf("forecast: the step is %s; it must be above zero", c.Step)
	}
	p := plan{step: c.Step, quantile: c.Quantile}
	if p.quantile == 0 {
		p.quantile = 0.95
	}
	if !(p.quantile >= 0.5 && p.quantile < 1) {
		return plan{}, fmt.Errorf("forecast: the quantile is %v; it must be at least 0.5 and below 1 (no bound covers everything)", p.quantile)
	}
	if len(c.Leads) == 0 || len(c.Leads) > maxLeads {
		return plan{}, fmt.Errorf("forecast: %d lead times; give between 1 and %d", len(c.Leads), maxLeads)
	}
	for _, lead := range c.Leads {
		if lead <= 0 || lead%c.Step != 0 || lead > calendar.Week || lead/c.Step > maxWeekSteps {
			return plan{}, fmt.Errorf("forecast: the lead time %s must be a multiple of the step %s, above zero and at most a week (%d steps)", lead, c.Step, maxWeekSteps)
		}
		p.leads = append(p.leads, int(lead/c.Step))
	}
	slices.Sort(p.leads)
	p.leads = slices.Compact(p.leads)
	seasons := calendar
	if c.Seasons != nil {
		seasons = *c.Seasons
	}
	return p.withSeasons(seasons)
}

// withSeasons rounds the periods to whole steps. A period of less than two steps says nothing at this step.
func (p plan) withSeasons(s Seasons) (plan, error) {
	for _, period := range []time.Duration{s.Day, s.Week} {
		if period < 0 || period/p.step > maxWeekSteps {
			return plan{}, fmt.Errorf("forecast: a season of %s has more than %d steps of %s; use a longer step", period, maxWeekSteps, p.step)
		}
	}
	p.day, p.week = inSteps(s.Day, p.step), inSteps(s.Week, p.step)
	return p, nil
}

func inSteps(period, step time.Duration) int {
	n := int(math.Round(float64(period) / float64(step)))
	if n < 2 {
		return 0
	}
	return n
}

// LeadsWithin gives lead times for a workload that needs `lead` from decision to Ready: some on the way there (a
// floor must also hold before the end of the lead time) and the lead itself, rounded up to steps. At most 5.
func LeadsWithin(step, lead time.Duration) []time.Duration {
	if step <= 0 || lead <= 0 {
		return nil
	}
	n := int((lead + step - 1) / step)
	var out []time.Duration
	for _, share := range []float64{0.1, 0.25, 0.5, 0.75, 1} {
		steps := max(1, int(math.Round(share*float64(n))))
		out = append(out, time.Duration(steps)*step)
	}
	return slices.Compact(out)
}
