// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/plan"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/hpa"
	"github.com/plimsoll/plimsoll/policy/simulate"
)

// Comparison is one shop, in the cluster and replayed.
type Comparison struct {
	Name        string       `json:"name"`
	Syncs       int          `json:"syncs"` // that were compared
	Agree       int          `json:"agree"` // the cluster had the replayed count within one period of the HPA
	Differences []Difference `json:"differences,omitempty"`
	SampleDelay Seconds      `json:"sampleDelaySeconds"` // how old the values were that the HPA read
}

// Share is the part of the syncs that agree.
func (c Comparison) Share() float64 {
	if c.Syncs == 0 {
		return 0
	}
	return float64(c.Agree) / float64(c.Syncs)
}

// Difference is a sync at which the cluster did not have the replayed count within one period of the HPA.
type Difference struct {
	Time     time.Time `json:"time"`
	Least    int       `json:"least"` // of the cluster's counts in that time
	Most     int       `json:"most"`
	Replayed int       `json:"replayed"`
}

// The shops' names.
const (
	Alone   = "the HPA alone"
	Planned = "schedule, forecast and override"
)

// Run replays both shops.
func Run(r Recording) ([]Comparison, error) {
	var manifests plan.Manifests
	for name, text := range map[string]string{hpaFile: r.HPA, scheduleFile: r.Schedule, forecastFile: r.Forecast} {
		if err := manifests.Read(name, []byte(text)); err != nil {
			return nil, err
		}
	}
	switch {
	case manifests.HPA == nil || manifests.Forecast == nil || len(manifests.Schedules) == 0:
		return nil, errors.New("the recording lacks an HPA, a ScaleSchedule or a ScaleForecast")
	case len(r.Demand) == 0:
		return nil, errors.New("the recording has no demand")
	case len(r.Counts) < 2 || r.Settings.Sync <= 0 || len(manifests.HPA.Metrics) != 1:
		return nil, errors.New("the recording has no replicas to compare, no sync period, or an HPA with several metrics")
	}
	p := problem{Recording: r, manifests: manifests}
	plain := func() (contribute, error) { return nil, nil }
	alone, err := p.replay(Alone, func(c Count) Seen { return c.Alone }, plain)
	if err != nil {
		return nil, err
	}
	planned, err := p.replay(Planned, func(c Count) Seen { return c.Planned }, func() (contribute, error) {
		planner, err := p.planner()
		if err != nil {
			return nil, err
		}
		return planner.contribute, nil
	})
	return []Comparison{alone, planned}, err
}

// problem is a recording that is replayed.
type problem struct {
	Recording
	manifests plan.Manifests
}

func (p *problem) sync() time.Duration { return time.Duration(p.Settings.Sync) }

// replay simulates one shop and compares it. How old the values were at the very moments at which the HPA looked was not
// seen, but only how old they were in between, so the age within those with which most looks agree is taken.
func (p *problem) replay(name string, of func(Count) Seen, planner func() (contribute, error)) (Comparison, error) {
	seen := make([]Seen, len(p.Counts))
	for i, c := range p.Counts {
		seen[i] = of(c)
	}
	first, oldest := p.phase(seen)
	var best Comparison
	for delay := ageStep; delay <= oldest; delay += ageStep {
		asks, err := planner()
		if err != nil {
			return Comparison{}, err
		}
		ticks, err := p.simulate(first, delay, int32(seen[0].Replicas), asks)
		if err != nil {
			return Comparison{}, fmt.Errorf("replay %s: %w", name, err)
		}
		c := Comparison{Name: name, SampleDelay: Seconds(delay)}
		for _, t := range ticks {
			p.compare(&c, t, seen)
		}
		if best.Syncs == 0 || c.Agree > best.Agree {
			best = c
		}
	}
	return best, nil
}

// contribute is what simulate asks for other bounds; nil for a plain HPA.
type contribute = func(time.Time, simulate.Seen) []bounds.Contribution

// ageStep is how finely the age of the values is looked for.
const ageStep = 500 * time.Millisecond

func (p *problem) simulate(first time.Time, delay time.Duration, initial int32, asks contribute) ([]simulate.Tick, error) {
	demand, err := p.demand()
	if err != nil {
		return nil, err
	}
	var ticks []simulate.Tick
	_, err = simulate.Run(simulate.Config{
		HPA: *p.manifests.HPA, Options: hpa.DefaultOptions(), Start: first, End: p.Settings.To, Sync: p.sync(),
		Demand: demand, Capacity: p.Settings.Capacity, Startup: time.Duration(p.Settings.Startup), Initial: initial,
		SampleEvery: time.Second, SampleDelay: delay, Contribute: asks, Watch: func(t simulate.Tick) { ticks = append(ticks, t) },
	})
	return ticks, err
}

// demand is a series of the users.
func (p *problem) demand() (*simulate.Series, error) {
	points := make([]simulate.Point, len(p.Demand))
	for i, d := range p.Demand {
		points[i] = simulate.Point{Time: d.Time, Value: d.Value}
	}
	return simulate.NewSeries(points)
}

// compare looks whether the cluster had the replayed count, or passed it, within one period of the HPA. A step of the
// cluster from 8 to 12 pods passes 10.
func (p *problem) compare(c *Comparison, t simulate.Tick, seen []Seen) {
	d := Difference{Time: t.Time, Replayed: int(t.Replicas), Least: -1}
	for i, count := range p.Counts {
		if count.Time.Sub(t.Time).Abs() > p.sync() {
			continue
		}
		n := seen[i].Replicas
		if d.Least < 0 || n < d.Least {
			d.Least = n
		}
		d.Most = max(d.Most, n)
	}
	if d.Least < 0 {
		return // nobody looked at the cluster then
	}
	c.Syncs++
	if d.Replayed >= d.Least && d.Replayed <= d.Most {
		c.Agree++
		return
	}
	c.Differences = append(c.Differences, d)
}

// phase finds in the counts when the HPA controller looked: it does so every period, and whatever changes does so then.
// It returns its first look, and the greatest age that values had.
func (p *problem) phase(seen []Seen) (first time.Time, oldest time.Duration) {
	from, sync := p.Counts[0].Time, p.sync()
	votes := make([]int, max(1, int(sync/time.Second)))
	for i := 1; i < len(seen); i++ {
		oldest = max(oldest, seen[i].Age+time.Second) // an age of 5.9 s is seen as 5 s
		if seen[i].Replicas != seen[i-1].Replicas {
			votes[int(p.Counts[i-1].Time.Sub(from)/time.Second)%len(votes)]++ // it happened after the look at i-1
		}
	}
	best := slices.Index(votes, slices.Max(votes))
	const half = 500 * time.Millisecond // where in the second it was is not known
	return from.Add(time.Duration(best)*time.Second + half), oldest
}

// before are the points up to a time.
func before(points []forecast.Point, t time.Time) []forecast.Point {
	i, _ := slices.BinarySearchFunc(points, t, func(p forecast.Point, t time.Time) int { return p.Time.Compare(t) })
	return points[:i]
}
