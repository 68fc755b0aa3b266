// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"path/filepath"
	"slices"
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
		Demand: d.demand(),
		HPA:    documentOf(manifestOf(plannedNamespace), "HorizontalPodAutoscaler"),
	}
	looks, err := d.looks()
	if err != nil {
		return r, err
	}
	r.Alone, r.Planned = d.alone.seen(began, looks[aloneNamespace]), d.planned.seen(began, looks[plannedNamespace])
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

// seen is what was seen of the shop.
func (b *branch) seen(began time.Time, looks []replay.Look) replay.Shop {
	s := replay.Shop{Looks: looks, Bounds: b.bounds.all()}
	for _, sample := range b.run.Samples {
		s.Counts = append(s.Counts, replay.Count{Time: began.Add(sample.At), Replicas: sample.Pods})
	}
	for _, start := range b.pods.Starts() {
		s.Pods = append(s.Pods, replay.Pod{Seen: start.Seen, Ready: start.Served})
	}
	return s
}

// demand is the users of the earlier days as they were written, and then those that the scrapes read.
func (d *demo) demand() []forecast.Point {
	points := slices.Clone(d.earlier)
	for _, s := range d.exporter.Scrapes() {
		points = append(points, forecast.Point{Time: s.Time, Value: float64(s.Users)})
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
