// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"fmt"
	"strconv"
	"time"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

// The defaults of a ScaleForecast, as the API server fills them in.
const (
	DefaultForecastQuantile         = "0.95"
	DefaultForecastInterval         = 5 * time.Minute
	DefaultMaxLeadTime              = time.Hour
	DefaultMaxIncreasePercent int32 = 100
	daysOfAWeek                     = 7
)

// Compile checks everything that the API server cannot (and what it can, for files that it has not seen) and returns
// the forecast's rule in plain values. The error names the field below spec.
func (f *ScaleForecast) Compile() (forecast.Rule, error) {
	spec := &f.Spec
	quantile := spec.Quantile
	if quantile == "" {
		quantile = DefaultForecastQuantile
	}
	share, err := strconv.ParseFloat(quantile, 64)
	if err != nil || !(share >= 0.5 && share < 1) {
		return forecast.Rule{}, fmt.Errorf("spec.quantile: %q must be a decimal from \"0.5\" to \"0.9999\"", quantile)
	}
	rule := forecast.Rule{
		Name: f.Name, Query: spec.Query, Quantile: share,
		Interval: durationOf(spec.Interval), Lead: durationOf(spec.LeadTime), MaxLead: durationOf(spec.MaxLeadTime),
		Enforce: spec.Mode == ForecastEnforce, MaxIncrease: float64(spec.MaxIncreasePercent) / 100,
	}
	if spec.Interval == nil {
		rule.Interval = DefaultForecastInterval
	}
	if spec.MaxLeadTime == nil {
		rule.MaxLead = DefaultMaxLeadTime
	}
	if spec.MaxIncreasePercent == 0 {
		rule.MaxIncrease = float64(DefaultMaxIncreasePercent) / 100
	}
	if spec.Season != nil {
		week := daysOfAWeek * spec.Season.Day.Duration
		if spec.Season.Week != nil {
			week = spec.Season.Week.Duration
		}
		rule.Seasons = &forecast.Seasons{Day: spec.Season.Day.Duration, Week: week}
	}
	return rule, spec.check(rule)
}

// check finds what would keep the forecaster from starting.
func (s *ScaleForecastSpec) check(rule forecast.Rule) error {
	switch {
	case s.Mode != "" && s.Mode != ForecastObserve && s.Mode != ForecastEnforce:
		return fmt.Errorf("spec.mode: %q must be %s or %s", s.Mode, ForecastObserve, ForecastEnforce)
	case rule.Interval < time.Second || rule.Interval > time.Hour:
		return fmt.Errorf("spec.interval: %s must be between 1s and 1h", rule.Interval)
	case rule.MaxLead <= 0 || rule.MaxLead > 6*time.Hour:
		return fmt.Errorf("spec.maxLeadTime: %s must be above 0s and at most 6h", rule.MaxLead)
	case s.LeadTime != nil && (rule.Lead <= 0 || rule.Lead > rule.MaxLead):
		return fmt.Errorf("spec.leadTime: %s must be above 0s and at most maxLeadTime, %s", rule.Lead, rule.MaxLead)
	case rule.MaxIncrease < 0:
		return fmt.Errorf("spec.maxIncreasePercent: %d must be above 0", s.MaxIncreasePercent)
	}
	if _, err := forecast.New(rule.Config(rule.LeadTime(0))); err != nil {
		return fmt.Errorf("spec.season and spec.interval do not go together: %w", err)
	}
	return nil
}
