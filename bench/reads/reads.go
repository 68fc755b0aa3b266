// SPDX-License-Identifier: Apache-2.0

// Package reads measures the hot path of metric evaluation: reads per second of the real adapter on a real cluster, made
// as the HPA controller makes them, beside the same server's floor and beside the library's server with a constant
// provider. The three alternate, so that what else the machine does meets all of them.
package reads

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"
)

// The metrics that are read.
const (
	podMetric      = "online_users"
	externalMetric = "orders_waiting"
	namespace      = "bench"
)

// Options say what is measured.
type Options struct {
	Apps, PodsPerApp int
	Kind             string // pods or external
	Clients          int    // in a closed loop
	Rounds           int
	Round            time.Duration // length of each of a round's three parts
	Progress         io.Writer
}

// DefaultOptions are the flags' defaults: 2,000 pods, five clients, ten rounds.
func DefaultOptions() Options {
	return Options{Apps: 200, PodsPerApp: 10, Kind: "pods", Clients: 5, Rounds: 10, Round: 3 * time.Second, Progress: io.Discard}
}

// Result is one measurement. Rates are medians over the rounds.
type Result struct {
	Kind       string `json:"kind"`
	Apps       int    `json:"apps"`
	PodsPerApp int    `json:"podsPerApp"`

	ReadsPerSecond        float64    `json:"readsPerSecond"`
	ReadsPerSecondRange   [2]float64 `json:"readsPerSecondRange"`
	FloorPerSecond        float64    `json:"floorPerSecond"` // the same server's /livez
	FloorPerSecondRange   [2]float64 `json:"floorPerSecondRange"`
	Ratio                 float64    `json:"ratio"` // median of reads / floor within one round
	RatioRange            [2]float64 `json:"ratioRange"`
	ConstantPerSecond     float64    `json:"constantPerSecond"`
	ConstantProviderRatio float64    `json:"constantProviderRatio"` // median of reads / constant provider within one round
	ConstantRatioRange    [2]float64 `json:"constantProviderRatioRange"`

	P50Millis              float64 `json:"p50Millis"`
	P99Millis              float64 `json:"p99Millis"`
	CPUSecondsPer1000Reads float64 `json:"cpuSecondsPer1000Reads"`      // of the adapter, evaluations included
	ResidentMiB            float64 `json:"residentMiB"`                 // of the adapter, at the end
	SourceQueriesPerMinute float64 `json:"sourceQueriesPerMinute"`      // that reached Prometheus
	Lists                  float64 `json:"lists"`                       // of anything that reached the API server during the rounds' reads
	SubjectAccessReviews   float64 `json:"subjectAccessReviews"`        // that reached the API server during the rounds' reads
	ReviewsAtStart         float64 `json:"subjectAccessReviewsAtStart"` // while everything was read for the first time
	SteadySeconds          float64 `json:"steadySeconds"`
	TotalReads             int     `json:"totalReads"`

	Clients int    `json:"clients"`
	Rounds  int    `json:"rounds"`
	CPUs    int    `json:"cpus"`
	Go      string `json:"go"`
	Date    string `json:"date"`
}

// Run measures and writes one JSON object.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if err := o.validate(); err != nil {
		return err
	}
	s, err := newStage(ctx, o)
	if err != nil {
		return err
	}
	result, err := s.measure(ctx)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

func (o Options) validate() error {
	switch {
	case o.Kind != "pods" && o.Kind != "external":
		return fmt.Errorf("--kind is %q: it may be pods or external", o.Kind)
	case o.Apps < 1 || o.PodsPerApp < 1 || o.Clients < 1 || o.Rounds < 1 || o.Round <= 0:
		return fmt.Errorf("--apps, --pods-per-app, --clients, --rounds and --round must be positive")
	}
	return nil
}

// measure reads everything once, which fills the caches, and then plays the rounds.
func (s *stage) measure(ctx context.Context) (*Result, error) {
	o := s.options
	s.say("reading all %d twice", len(s.paths))
	for range 2 {
		for _, path := range s.paths {
			if _, err := s.adapter.get(ctx, path); err != nil {
				return nil, err
			}
		}
	}
	after, err := s.counters(ctx)
	if err != nil {
		return nil, err
	}
	// A first round of each warms connections and is thrown away.
	if _, err := s.round(ctx); err != nil {
		return nil, err
	}
	start, err := s.counters(ctx)
	if err != nil {
		return nil, err
	}
	var all rounds
	for i := range o.Rounds {
		r, err := s.round(ctx)
		if err != nil {
			return nil, err
		}
		s.say("round %d of %d: %.0f reads/s, floor %.0f/s, constant provider %.0f/s", i+1, o.Rounds, r.reads.perSecond, r.floor.perSecond, r.constant.perSecond)
		all = append(all, r)
	}
	end, err := s.counters(ctx)
	if err != nil {
		return nil, err
	}
	return all.result(o, after.reviews-s.before.reviews, start, end), nil
}

// round is one turn of the three parts.
type round struct {
	reads, floor, constant burst
	cpuSeconds             float64 // of the adapter, during reads
	lists, reviews         float64 // that reached the API server during reads
}

type rounds []round

func (s *stage) round(ctx context.Context) (round, error) {
	var r round
	// The constant server's reviews are not ours: what reaches the API server is counted around the adapter's part alone.
	counted, err := s.counters(ctx)
	if err != nil {
		return r, err
	}
	before := s.cpuSeconds()
	if r.reads, err = s.adapter.loop(ctx, s.paths, s.options.Clients, s.options.Round); err != nil {
		return r, err
	}
	r.cpuSeconds = s.cpuSeconds() - before
	after, err := s.counters(ctx)
	if err != nil {
		return r, err
	}
	r.lists, r.reviews = after.lists-counted.lists, after.reviews-counted.reviews
	if r.floor, err = s.adapter.loop(ctx, []string{"/livez"}, s.options.Clients, s.options.Round); err != nil {
		return r, err
	}
	r.constant, err = s.constant.loop(ctx, s.paths, s.options.Clients, s.options.Round)
	return r, err
}

func (all rounds) result(o Options, reviewsAtStart float64, start, end counters) *Result {
	var reads, floor, constant, ratio, constantRatio []float64
	var latencies []time.Duration
	var cpu, lists, reviews float64
	for _, r := range all {
		reads, floor, constant = append(reads, r.reads.perSecond), append(floor, r.floor.perSecond), append(constant, r.constant.perSecond)
		ratio = append(ratio, r.reads.perSecond/r.floor.perSecond)
		constantRatio = append(constantRatio, r.reads.perSecond/r.constant.perSecond)
		latencies = append(latencies, r.reads.latencies...)
		cpu += r.cpuSeconds
		lists += r.lists
		reviews += r.reviews
	}
	seconds := end.at.Sub(start.at).Seconds()
	result := &Result{
		Kind: o.Kind, Apps: o.Apps, PodsPerApp: o.PodsPerApp, Clients: o.Clients, Rounds: o.Rounds,
		ReadsPerSecond: median(reads), ReadsPerSecondRange: spread(reads),
		FloorPerSecond: median(floor), FloorPerSecondRange: spread(floor),
		Ratio: median(ratio), RatioRange: spread(ratio),
		ConstantPerSecond: median(constant), ConstantProviderRatio: median(constantRatio), ConstantRatioRange: spread(constantRatio),
		P50Millis: quantile(latencies, 0.5), P99Millis: quantile(latencies, 0.99),
		CPUSecondsPer1000Reads: 1000 * cpu / float64(len(latencies)), ResidentMiB: end.residentMiB,
		SourceQueriesPerMinute: 60 * (end.queries - start.queries) / seconds,
		Lists:                  lists, SubjectAccessReviews: reviews,
		ReviewsAtStart: reviewsAtStart, SteadySeconds: seconds, TotalReads: len(latencies),
		CPUs: runtime.NumCPU(), Go: runtime.Version(), Date: time.Now().UTC().Format(time.DateOnly),
	}
	return result
}
