// SPDX-License-Identifier: Apache-2.0

package backtest

import (
	"strings"
	"time"
)

// Report is a backtest of one lead time in the form that `plimsoll plan -o json` prints. Every number is finite.
type Report struct {
	Step              string         `json:"step"`
	StepSeconds       float64        `json:"stepSeconds"`
	Lead              string         `json:"lead"`
	LeadSeconds       float64        `json:"leadSeconds"`
	Quantile          float64        `json:"quantile"`
	Day               string         `json:"day"`
	Week              string         `json:"week"`
	From              time.Time      `json:"from"`
	Points            int            `json:"points"`
	WAPE              float64        `json:"wape"`
	WAPENaive         float64        `json:"wapeNaive"`
	Coverage          float64        `json:"coverage"`
	CoverageTopDecile float64        `json:"coverageTopDecile"`
	Overprovision     float64        `json:"overprovision"`
	CPUMicrosPerPoint float64        `json:"cpuMicrosPerPoint"`
	PerReplica        float64        `json:"capacityPerReplica"`
	Policies          []ReportPolicy `json:"policies"`
}

// ReportPolicy is one policy of a Report.
type ReportPolicy struct {
	Name                    string  `json:"name"`
	DeficientReplicaMinutes float64 `json:"deficientReplicaMinutes"`
	ReplicaHours            float64 `json:"replicaHours"`
	UnservedShare           float64 `json:"unservedShare"`
	TimeShort               float64 `json:"timeShort"`
}

// Reports gives one Report for each lead time.
func (r Result) Reports() []Report {
	var out []Report
	for _, lead := range r.Leads {
		report := Report{
			Step: inWords(r.Step), StepSeconds: r.Step.Seconds(), Lead: inWords(lead.Lead), LeadSeconds: lead.Lead.Seconds(),
			Quantile: r.Quantile, Day: inWords(r.Seasons.Day), Week: inWords(r.Seasons.Week), From: r.JudgedFrom.UTC(),
			Points: lead.Points, WAPE: lead.WAPE, WAPENaive: lead.WAPENaive, Coverage: lead.Coverage,
			CoverageTopDecile: lead.CoverageTopDecile, Overprovision: lead.Overprovision,
			CPUMicrosPerPoint: r.CPUMicrosPerPoint, PerReplica: r.PerReplica, Policies: []ReportPolicy{},
		}
		for _, p := range lead.Policies {
			report.Policies = append(report.Policies, ReportPolicy(p))
		}
		out = append(out, report)
	}
	return out
}

// inWords writes a duration without needless zeros: 15m, 1h30m, 24h.
func inWords(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
