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

// The names of what is replayed.
const (
	Alone   = "the HPA alone"
	Bounded = "with Plimsoll, its bounds as recorded"
	Planned = "with Plimsoll, its bounds replayed too"
)

// Run replays both shops from the demand: the one with Plimsoll first with the bounds that its HPA was given, and then
// with those that schedule, forecast and override make of the demand. What is taken from the cluster are times: when the
// HPA looked, of when the values were that it read, and how long pods took to be Ready.
func Run(r Recording) ([]Comparison, error) {
	p := problem{Recording: r}
	if err := p.read(); err != nil {
		return nil, err
	}
	var list []Comparison
	for _, c := range []struct {
		name string
		shop Shop
		plan bool
	}{{Alone, r.Alone, false}, {Bounded, r.Planned, false}, {Planned, r.Planned, true}} {
		comparison, err := p.replay(c.name, c.shop, c.plan)
		if err != nil {
			return nil, fmt.Errorf("replay %s: %w", c.name, err)
		}
		list = append(list, comparison)
	}
	return list, nil
}

// problem is a recording that is replayed.
type problem struct {
	Recording
	manifests plan.Manifests
	demand    *simulate.Series
}

// read reads the manifests and the demand.
func (p *problem) read() error {
	for name, text := range map[string]string{hpaFile: p.HPA, scheduleFile: p.Schedule, forecastFile: p.Forecast} {
		if err := p.manifests.Read(name, []byte(text)); err != nil {
			return err
		}
	}
	switch m := p.manifests; {
	case m.HPA == nil || m.Forecast == nil || len(m.Schedules) == 0:
		return errors.New("the recording lacks an HPA, a ScaleSchedule or a ScaleForecast")
	case len(m.HPA.Metrics) != 1:
		return errors.New("the recording's HPA has several metrics, or none")
	case len(p.Demand) == 0:
		return errors.New("the recording has no demand")
	case p.Settings.Sync <= 0:
		return errors.New("the recording does not say what the HPA's period is")
	}
	points := make([]simulate.Point, len(p.Demand))
	for i, d := range p.Demand {
		points[i] = simulate.Point{Time: d.Time, Value: d.Value}
	}
	var err error
	p.demand, err = simulate.NewSeries(points)
	return err
}

func (p *problem) sync() time.Duration { return time.Duration(p.Settings.Sync) }

// replay simulates one shop and compares it, with the bounds that it had or with those that the planner decides.
func (p *problem) replay(name string, shop Shop, plan bool) (Comparison, error) {
	looks := p.looks(shop)
	if len(looks) == 0 || len(shop.Counts) == 0 || len(shop.Bounds) == 0 {
		return Comparison{}, errors.New("the recording has no look of the HPA, no bounds, or no replicas to compare")
	}
	c, at := Comparison{Name: name}, 0
	config := simulate.Config{
		HPA: *p.manifests.HPA, Options: hpa.DefaultOptions(), Start: looks[0].At, End: p.Settings.To, Looks: looks,
		Demand: p.demand, Capacity: p.Settings.Capacity, StartupAt: shop.startup, Initial: shop.initial(looks[0].At), Pending: true,
		Watch: func(t simulate.Tick) {
			p.compare(&c, at, t, shop)
			at++
		},
	}
	if plan {
		planner, err := p.planner(shop.planned(looks[0].At))
		if err != nil {
			return Comparison{}, err
		}
		config.Contribute = func(_ time.Time, seen simulate.Seen) []bounds.Contribution {
			return planner.contribute(p.began(shop, at), seen)
		}
	} else {
		config.Edits = p.edits(shop)
	}
	_, err := simulate.Run(config)
	return c, err
}

// looks are those of the HPA, each with the time of the scrape whose values it read. One that read none, as it was outside
// of its bounds, could have read values as old as those at the look before it.
func (p *problem) looks(shop Shop) []simulate.Look {
	var looks []simulate.Look
	var age time.Duration
	for _, l := range shop.Looks {
		if !l.Time.Before(p.Settings.To) {
			break
		}
		sampled := p.scraped(l.Time.Add(-age))
		if !l.Measured.IsZero() {
			sampled = p.scraped(l.Measured.Add(time.Second - 1))
			age = l.Time.Sub(sampled)
		}
		looks = append(looks, simulate.Look{At: l.Time, Sampled: sampled})
	}
	return looks
}

// began is when the HPA began a look, which is when it reads its bounds: one period after the look before. It logs a look
// once it has read the values, which takes a while on a busy machine, and goes by that time from then on.
func (p *problem) began(shop Shop, at int) time.Time {
	logged := shop.Looks[at].Time
	if at == 0 {
		return logged
	}
	if began := shop.Looks[at-1].Time.Add(p.sync()); began.Before(logged) && logged.Sub(began) < time.Second {
		return began
	}
	return logged
}

// edits are the bounds as the looks read them: those that came during a look count after it.
func (p *problem) edits(shop Shop) []simulate.Edit {
	var edits []simulate.Edit
	at := 0
	for _, b := range shop.Bounds {
		for at < len(shop.Looks) && shop.Looks[at].Time.Before(b.Time) {
			at++
		}
		edit := simulate.Edit{At: b.Time, Bounds: b.Bounds}
		if at < len(shop.Looks) && b.Time.After(p.began(shop, at)) {
			edit.At = shop.Looks[at].Time.Add(1)
		}
		edits = append(edits, edit)
	}
	return edits
}

// planned is when the scaler began: when it first wrote bounds, at the latest at a time.
func (s Shop) planned(latest time.Time) time.Time {
	if len(s.Bounds) > 1 && s.Bounds[1].Time.Before(latest) { // the first are those that the HPA began with
		return s.Bounds[1].Time
	}
	return latest
}

// scraped is the time of the newest scrape at a time.
func (p *problem) scraped(t time.Time) time.Time {
	if known := until(p.Demand, t); len(known) > 0 {
		return known[len(known)-1].Time
	}
	return t
}

// startup is how long a pod that begins at a time takes to be Ready: the median of those that began about then.
func (s Shop) startup(at time.Time) time.Duration {
	const about = 2 * time.Second
	var near, all []time.Duration
	for _, pod := range s.Pods {
		if pod.Ready.IsZero() {
			continue
		}
		took := pod.Ready.Sub(pod.Seen)
		all = append(all, took)
		if pod.Seen.Sub(at).Abs() < about {
			near = append(near, took)
		}
	}
	if len(near) == 0 {
		near = all
	}
	if len(near) == 0 {
		return 0
	}
	slices.Sort(near)
	return near[len(near)/2]
}

// initial is how many replicas there were at a time before which none was deleted.
func (s Shop) initial(at time.Time) int32 {
	n := int32(0)
	for _, pod := range s.Pods {
		if !pod.Seen.After(at) {
			n++
		}
	}
	return n
}

// until are the points up to a time and at it.
func until(points []forecast.Point, t time.Time) []forecast.Point {
	i, _ := slices.BinarySearchFunc(points, t.Add(1), func(p forecast.Point, t time.Time) int { return p.Time.Compare(t) })
	return points[:i]
}
