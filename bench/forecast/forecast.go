// SPDX-License-Identifier: Apache-2.0

// Package forecast measures policy/forecast on demand traces: the error of each lead time against the last value, the
// coverage of the bound, and the capacity that scaling on it needs against plain reactive scaling and against last
// week's maximum, at equal unserved demand. Everything is judged on the last half of each trace, in order of time.
package forecast

import (
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/plimsoll/plimsoll/policy/backtest"
)

// Row is the measurement of one trace at one lead time.
type Row struct {
	Trace             string  `json:"trace"`
	StepMinutes       float64 `json:"stepMinutes"`
	LeadMinutes       float64 `json:"leadMinutes"`
	Points            int     `json:"points"`
	WAPE              float64 `json:"wape"`
	WAPENaive         float64 `json:"wapeNaive"`
	Coverage          float64 `json:"coverage"`
	CoverageTopDecile float64 `json:"coverageTopDecile"`
	Overprovision     float64 `json:"overprovision"`
	CPUMicrosPerPoint float64 `json:"cpuMicrosPerPoint"`
	// Capacity per demand, at 0.1 % of the demand unserved.
	CapacityReactive float64 `json:"capacityReactive"`
	CapacityWeekAgo  float64 `json:"capacityWeekAgo"`
	CapacityForecast float64 `json:"capacityForecast"`
}

// Mean is the geometric mean over the traces at one lead time.
type Mean struct {
	LeadMinutes float64 `json:"leadMinutes"`
	Traces      int     `json:"traces"`
	// Error is wape/wapeNaive; the capacities are those of the forecast over those of the other policy.
	Error           float64 `json:"error"`
	AgainstReactive float64 `json:"capacityAgainstReactive"`
	AgainstWeekAgo  float64 `json:"capacityAgainstWeekAgo"`
	LeastCoverage   float64 `json:"leastCoverage"`
	MostCoverage    float64 `json:"mostCoverage"`
}

// Report is all that was measured.
type Report struct {
	Quantile float64 `json:"quantile"`
	Rows     []Row   `json:"rows"`
	Means    []Mean  `json:"means"`
}

// Unserved is the share of the demand that may go unserved where policies are compared.
const unserved = 0.001

func leadTimes() []time.Duration {
	return []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}
}

// Measure judges the forecast on the traces in the files.
func Measure(files []string) (Report, error) {
	report := Report{Quantile: 0.95}
	if len(files) == 0 {
		return report, fmt.Errorf("no trace was given")
	}
	for _, file := range files {
		rows, err := measureTrace(file, report.Quantile)
		if err != nil {
			return report, err
		}
		report.Rows = append(report.Rows, rows...)
	}
	for _, lead := range leadTimes() {
		if mean := meanOf(report.Rows, lead.Minutes()); mean.Traces > 0 {
			report.Means = append(report.Means, mean)
		}
	}
	return report, nil
}

// measureTrace judges one trace at the lead times that are multiples of its step.
func measureTrace(file string, quantile float64) ([]Row, error) {
	points, err := readTrace(file)
	if err != nil {
		return nil, err
	}
	step, err := backtest.StepOf(points)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var leads []time.Duration
	for _, lead := range leadTimes() {
		if lead%step == 0 {
			leads = append(leads, lead)
		}
	}
	if len(leads) == 0 {
		return nil, fmt.Errorf("%s: none of the lead times is a multiple of its step %s", file, step)
	}
	result, err := backtest.Run(points, backtest.Options{Leads: leads, Quantile: quantile, CPU: cpuTime})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var rows []Row
	for _, lead := range result.Leads {
		needs := backtest.EqualUnserved(lead.Outcomes, unserved)
		rows = append(rows, Row{
			Trace: nameOf(file), StepMinutes: result.Step.Minutes(), LeadMinutes: lead.Lead.Minutes(), Points: lead.Points,
			WAPE: lead.WAPE, WAPENaive: lead.WAPENaive, Coverage: lead.Coverage, CoverageTopDecile: lead.CoverageTopDecile,
			Overprovision: lead.Overprovision, CPUMicrosPerPoint: result.CPUMicrosPerPoint,
			CapacityReactive: needs.Reactive, CapacityWeekAgo: needs.WeekAgo, CapacityForecast: needs.Forecast,
		})
	}
	return rows, nil
}

func meanOf(rows []Row, lead float64) Mean {
	mean := Mean{LeadMinutes: lead, LeastCoverage: 1}
	var errors, reactive, week float64
	for _, r := range rows {
		if r.LeadMinutes != lead || r.WAPENaive == 0 {
			continue
		}
		mean.Traces++
		errors += math.Log(r.WAPE / r.WAPENaive)
		reactive += math.Log(r.CapacityForecast / r.CapacityReactive)
		week += math.Log(r.CapacityForecast / r.CapacityWeekAgo)
		mean.LeastCoverage = min(mean.LeastCoverage, r.Coverage)
		mean.MostCoverage = max(mean.MostCoverage, r.Coverage)
	}
	n := float64(max(1, mean.Traces))
	mean.Error, mean.AgainstReactive, mean.AgainstWeekAgo = math.Exp(errors/n), math.Exp(reactive/n), math.Exp(week/n)
	return mean
}

// cpuTime is the CPU time of this process.
func cpuTime() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		fmt.Fprintln(os.Stderr, "the CPU time cannot be read:", err)
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
