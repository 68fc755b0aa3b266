// SPDX-License-Identifier: Apache-2.0

// Package scenario is a small text language for simulations: a load, an HPA, what asks for other bounds, and what is
// expected at which time. The language is described in the README beside the package simulate.
package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/hpa"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// Scenario is a parsed text.
type Scenario struct {
	name   string
	start  time.Time
	length time.Duration
	zone   string
	config simulate.Config
	load   []loadPoint

	specs     []schedule.Spec
	rules     []*schedule.Schedule
	timed     []timed
	edits     []edit
	outages   []span
	expects   []expectation
	endChecks []expectation
}

// timed is a contribution that is there for a span.
type timed struct {
	span
	bounds.Contribution
}

type edit struct {
	at     time.Duration
	bounds bounds.Bounds
}

// maxLines bounds what a text can make the program do.
const maxLines = 10_000

// Parse reads a scenario. name is what errors call the text.
func Parse(name, text string) (*Scenario, error) {
	s := &Scenario{
		name: name, zone: "UTC", start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC),
		config: simulate.Config{Options: hpa.DefaultOptions(), HPA: hpa.Spec{MinReplicas: 1}},
	}
	number := 0
	for text := range strings.Lines(text) {
		if number++; number > maxLines {
			return nil, fmt.Errorf("%s: it has more than %d lines", name, maxLines)
		}
		words, err := split(strings.TrimRight(text, "\n"))
		if err == nil && len(words) > 0 {
			l := &line{number: number, words: words[1:]}
			err = s.statement(words[0], l)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	if err := s.finish(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// statements are the first words of lines.
var statements = map[string]func(*Scenario, *line){
	"start":    (*Scenario).parseStart,
	"run":      func(s *Scenario, l *line) { s.length = l.duration("the length") },
	"zone":     func(s *Scenario, l *line) { s.zone = l.word("the time zone") },
	"sync":     func(s *Scenario, l *line) { s.config.Sync = l.duration("the time between syncs") },
	"startup":  func(s *Scenario, l *line) { s.config.Startup = l.duration("the start-up time") },
	"capacity": func(s *Scenario, l *line) { s.config.Capacity = l.float("the capacity") },
	"replicas": func(s *Scenario, l *line) { s.config.Initial = l.count("the number of replicas") },
	"sample":   (*Scenario).parseSample,
	"hpa":      (*Scenario).parseHPA,
	"metric":   (*Scenario).parseMetric,
	"behavior": (*Scenario).parseBehavior,
	"load":     (*Scenario).parseLoad,
	"window":   (*Scenario).parseWindow,
	"forecast": (*Scenario).parseForecast,
	"override": (*Scenario).parseOverride,
	"edit":     (*Scenario).parseEdit,
	"outage":   func(s *Scenario, l *line) { s.outages = append(s.outages, l.span("the outage")) },
	"expect":   (*Scenario).parseExpect,
}

func (s *Scenario) statement(word string, l *line) error {
	parse, known := statements[word]
	if !known {
		var words []string
		for w := range statements {
			words = append(words, w)
		}
		slices.Sort(words)
		return fmt.Errorf("%q begins no statement; these do: %s", word, strings.Join(words, ", "))
	}
	parse(s, l)
	return l.end()
}

func (s *Scenario) parseStart(l *line) {
	t, err := time.Parse(time.RFC3339, l.word("the start"))
	if err != nil {
		l.fail("the start is not a time such as 2026-11-11T19:00:00Z")
	}
	s.start = t.UTC()
}

func (s *Scenario) parseSample(l *line) {
	for l.more() {
		switch l.oneOf("the word", "every", "delay") {
		case "every":
			s.config.SampleEvery = l.duration("the time between samples")
		case "delay":
			s.config.SampleDelay = l.duration("the delay")
		}
	}
}

func (s *Scenario) parseHPA(l *line) {
	for l.more() {
		switch l.oneOf("the field", "min", "max", "tolerance", "stabilization", "scale-to-zero") {
		case "min":
			s.config.HPA.MinReplicas = l.count("the minimum")
		case "max":
			s.config.HPA.MaxReplicas = l.count("the maximum")
		case "tolerance":
			s.config.Options.Tolerance = l.float("the tolerance")
		case "stabilization":
			s.config.Options.DownscaleStabilization = l.duration("the stabilization")
		case "scale-to-zero":
			s.config.Options.ScaleToZero = true
		}
	}
}

func (s *Scenario) parseMetric(l *line) {
	m := hpa.Metric{Name: fmt.Sprintf("metric-%d", len(s.config.HPA.Metrics))}
	m.Type = hpa.MetricType(l.oneOf("the type", "Pods", "Object", "External", "Resource"))
	m.Target = hpa.TargetType(l.oneOf("the target", "Value", "AverageValue", "Utilization"))
	goal := l.float("the goal")
	m.Goal = int64(goal * 1000)
	if m.Target == hpa.Utilization {
		m.Goal = int64(goal)
	}
	if m.Type == hpa.ResourceMetric {
		m.Name = hpa.CPU
	}
	s.config.HPA.Metrics = append(s.config.HPA.Metrics, m)
}

func (s *Scenario) parseBehavior(l *line) {
	if s.config.HPA.Behavior == nil {
		s.config.HPA.Behavior = &hpa.Behavior{}
	}
	rules := &s.config.HPA.Behavior.ScaleUp
	if l.oneOf("the direction", "up", "down") == "down" {
		rules = &s.config.HPA.Behavior.ScaleDown
	}
	for l.more() {
		switch l.oneOf("the field", "stabilization", "select", "tolerance", "policy") {
		case "stabilization":
			d := l.duration("the stabilization")
			rules.Stabilization = &d
		case "select":
			rules.Select = hpa.Select(l.oneOf("the choice", "Max", "Min", "Disabled"))
		case "tolerance":
			v := l.float("the tolerance")
			rules.Tolerance = &v
		case "policy":
			p := hpa.Policy{Type: hpa.PolicyType(l.oneOf("the policy", "Pods", "Percent")), Value: l.count("the policy's value")}
			l.oneOf("the word", "per")
			p.Period = l.duration("the period")
			rules.Policies = append(rules.Policies, p)
		}
	}
}

// finish checks what only the whole text shows.
func (s *Scenario) finish() error {
	if s.length <= 0 {
		return fmt.Errorf("it does not say how long to run: add a line such as: run 2h")
	}
	if len(s.load) == 0 {
		return fmt.Errorf("it has no load: add a line such as: load 0 1000")
	}
	for i := range s.specs {
		s.specs[i].TimeZone = s.zone
		rule, err := schedule.Compile(s.specs[i], nil)
		if err != nil {
			return fmt.Errorf("window %s: %w", s.specs[i].Name, err)
		}
		s.rules = append(s.rules, rule)
	}
	if err := s.config.HPA.Validate(); err != nil {
		return fmt.Errorf("the HPA: %w", err)
	}
	return nil
}
