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
	case len(r.Counts) < 2 || r.Settings.Sync <= 0 || len(manifests.HPA.Metrics) != 1:
		return nil, errors.New("the recording has no replicas to compare, no sync period, or an HPA with several metrics")
	}
	p := problem{Recording: r, manifests: manifests}
	alone, err := p.replay(Alone, func(c Count) Seen { return c.Alone }, nil)
	if err != nil {
		return nil, err
	}
	planner, err := p.planner()
	if err != nil {
		return nil, err
	}
	planned, err := p.replay(Planned, func(c Count) Seen { return c.Planned }, planner.contribute)
	return []Comparison{alone, planned}, err
}

// problem is a recording that is replayed.
type problem struct {
	Recording
	manifests plan.Manifests
}

func (p *problem) sync() time.Duration { return time.Duration(p.Settings.Sync) }

// replay simulates one shop and compares it.
func (p *problem) replay(name string, of func(Count) Seen, contribute func(time.Time, simulate.Seen) []bounds.Contribution) (Comparison, error) {
	seen := make([]Seen, len(p.Counts))
	for i, c := range p.Counts {
		seen[i] = of(c)
	}
	first, delay := p.phase(seen)
	demand, err := p.demand()
	if err != nil {
		return Comparison{}, err
	}
	var ticks []simulate.Tick
	_, err = simulate.Run(simulate.Config{
		HPA: *p.manifests.HPA, Options: hpa.DefaultOptions(), Start: first, End: p.Settings.To, Sync: p.sync(),
		Demand: demand, Capacity: p.Settings.Capacity, Startup: time.Duration(p.Settings.Startup), Initial: int32(seen[0].Replicas),
		SampleEvery: time.Second, SampleDelay: delay, Contribute: contribute, Watch: func(t simulate.Tick) { ticks = append(ticks, t) },
	})
	if err != nil {
		return Comparison{}, fmt.Errorf("replay %s: %w", name, err)
	}
	c := Comparison{Name: name, SampleDelay: Seconds(delay)}
	for _, t := range ticks {
		p.compare(&c, t, seen)
	}
	return c, nil
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
// It returns its first look, and how old the values were at its looks, in the median.
func (p *problem) phase(seen []Seen) (first time.Time, delay time.Duration) {
	from, sync := p.Counts[0].Time, p.sync()
	slots := int(sync / time.Second)
	votes := make([]int, max(1, slots))
	slot := func(i int) int { return int(p.Counts[i].Time.Sub(from)/time.Second) % len(votes) }
	for i := 1; i < len(seen); i++ {
		if seen[i].Replicas != seen[i-1].Replicas {
			votes[slot(i-1)]++ // it happened after the look at i-1
		}
	}
	best := slices.Index(votes, slices.Max(votes))
	var ages []time.Duration
	for i := range seen {
		if slot(i) == best {
			ages = append(ages, seen[i].Age)
		}
	}
	slices.Sort(ages)
	const half = 500 * time.Millisecond // where in the second it was is not known
	return from.Add(time.Duration(best)*time.Second + half), ages[len(ages)/2] + half
}

// before are the points up to a time.
func before(points []forecast.Point, t time.Time) []forecast.Point {
	i, _ := slices.BinarySearchFunc(points, t, func(p forecast.Point, t time.Time) int { return p.Time.Compare(t) })
	return points[:i]
}
