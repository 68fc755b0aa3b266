// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/replay"
	"github.com/plimsoll/plimsoll/policy/forecast"
)

// record writes what was seen, for `plimsoll plan --replay`.
func (d *demo) record() error {
	dir := d.options.Record
	if dir == "" && d.options.Keep {
		dir = filepath.Join(d.stage.dir, "recording")
	}
	if dir == "" || len(d.alone.run.Samples) == 0 {
		return nil
	}
	recording, err := d.recording()
	if err != nil {
		return err
	}
	if err := recording.Write(dir); err != nil {
		return err
	}
	d.say("The day is recorded: plimsoll plan --replay %s", dir)
	return nil
}

func (d *demo) recording() (replay.Recording, error) {
	began := d.planner.began
	last := d.alone.run.Samples[len(d.alone.run.Samples)-1].At
	r := replay.Recording{
		Settings: replay.Settings{
			From: began, To: began.Add(last), Sync: replay.Seconds(syncPeriod), Startup: replay.Seconds(d.target.Startup),
			Capacity: d.target.Capacity, Overrides: d.overrides,
		},
		Demand: d.pastDemand(began),
		HPA:    documentOf(manifestOf(plannedNamespace), "HorizontalPodAutoscaler"),
	}
	// Both shops are looked at in one go, and one that could not be has no sample of that time.
	planned := map[time.Duration]replay.Seen{}
	for _, s := range d.planned.run.Samples {
		planned[s.At] = replay.Seen{Replicas: s.Pods, Age: s.Age}
	}
	for _, s := range d.alone.run.Samples {
		r.Demand = append(r.Demand, forecast.Point{Time: began.Add(s.At), Value: float64(s.Users)})
		if p, ok := planned[s.At]; ok {
			r.Counts = append(r.Counts, replay.Count{Time: began.Add(s.At), Alone: replay.Seen{Replicas: s.Pods, Age: s.Age}, Planned: p})
		}
	}
	var err error
	sales := d.planner.scheduleOf(0)
	for number := 1; number < d.news.schedule; number++ {
		sales.Spec.Windows = append(sales.Spec.Windows, d.planner.scheduleOf(number).Spec.Windows...)
	}
	if r.Schedule, err = text(sales); err != nil {
		return r, err
	}
	r.Forecast, err = text(d.planner.forecast())
	return r, err
}

// pastDemand are the earlier days as the forecast reads them: at the multiples of its interval.
func (d *demo) pastDemand(began time.Time) []forecast.Point {
	if d.stage.samples == "" {
		return nil
	}
	interval := intervalOf(d.day.Length)
	var points []forecast.Point
	for at := began.Add(-pastDays * d.day.Length).Truncate(interval).Add(interval); at.Before(began); at = at.Add(interval) {
		points = append(points, forecast.Point{Time: at, Value: float64(d.day.Users(at.Sub(began)))})
	}
	return points
}

// documentOf is the YAML document of a kind.
func documentOf(text, kind string) string {
	for document := range strings.SplitSeq(text, "\n---\n") {
		if strings.Contains(document, "\nkind: "+kind+"\n") || strings.HasPrefix(document, "kind: "+kind+"\n") {
			return document + "\n"
		}
	}
	return ""
}
