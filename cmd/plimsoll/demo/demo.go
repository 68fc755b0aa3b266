// SPDX-License-Identifier: Apache-2.0

// Package demo shows Plimsoll at work on a cluster of its own: the same simulated shop twice, whose users come and go
// over a day of a few minutes. One has an ordinary HPA alone, the other one the same HPA with a schedule, a forecast and
// an override beside it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/screen"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/shop"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Options are what a demo is run with.
type Options struct {
	Duration   time.Duration // of the one day that is shown; 0: days of DefaultDay until the context ends
	Keep       bool          // whether a temporary folder stays; it also does after an error
	Dir        string        // for the cluster, its kubeconfig and logs; "": a new temporary folder
	Prometheus bool          // whether a Prometheus server scrapes the shop, instead of the adapter itself
	Record     string        // folder for what was seen, to be replayed; "": none, but with Keep the demo's own has it
	Out        *os.File      // the view, or lines if it is not a terminal
	Progress   io.Writer     // what is being started
}

const (
	// DefaultDay is the length of a day in a demo without an end.
	DefaultDay = 5 * time.Minute
	// ShortestDay is the shortest one that an HPA with a sync period of 5 s can follow up and down: its evening leaves it
	// time to scale down.
	ShortestDay = 3 * time.Minute
	// summarised is how many seconds a demo without an end must have run to be worth a summary.
	summarised = 20
)

// Validate returns an error that says which option is wrong.
func (o Options) Validate() error {
	if o.Duration != 0 && o.Duration < ShortestDay {
		return fmt.Errorf("--duration %s is too short for a day that an HPA can follow: give at least %s, or 0 for a demo without an end", o.Duration, ShortestDay)
	}
	if o.Duration%time.Second != 0 {
		return fmt.Errorf("--duration %s is not a whole number of seconds", o.Duration)
	}
	return nil
}

// How a demo with a Duration can end badly although everything was started.
var (
	ErrNotShown    = errors.New("the day did not show what it should")
	ErrInterrupted = errors.New("the demo was interrupted before its day ended, so that nothing was judged")
)

// demo is one run.
type demo struct {
	options Options
	stage   *stage
	day     shop.Day
	target  report.Target
	clock   clock
	planner planner
	alone   *branch
	planned *branch
	cluster *cluster
	// exporter tells of both shops.
	exporter *shop.Exporter
	news     news
	// earlier is the demand of the days before the first one, as far as the forecast can know it.
	earlier []forecast.Point
	// overrides are those that were written.
	overrides []record.Override
}

// Run runs a demo until its day or the context ends, and ends everything that it started. With a Duration the error is
// ErrNotShown or ErrInterrupted if the HPAs did not follow the users, or planning did not help, over the whole day.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	d := newDemo(o)
	if d.exporter, err = shop.Serve(d.alone.shop, d.planned.shop); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.exporter.Close()) }()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.say("Starting a Kubernetes cluster on this machine; its pods take %s to be Ready", d.target.Startup)
	if d.stage, err = start(ctx, o, d.exporter.Address(), d.target.Startup); err != nil {
		return d.unlessAsked(ctx, err)
	}
	defer func() {
		cancel()
		err = errors.Join(err, d.stop(err != nil && !errors.Is(err, ErrInterrupted) || o.Keep))
	}()
	if err := d.prepare(ctx); err != nil {
		return d.unlessAsked(ctx, err)
	}
	d.show(ctx)
	return d.conclude()
}

func newDemo(o Options) *demo {
	d := &demo{options: o, day: dayOf(o)}
	d.target = targetOf(d.day.Length)
	d.planner = planner{day: d.day, target: d.target}
	d.alone, d.planned = d.branch("HPA alone", aloneNamespace), d.branch("with Plimsoll", plannedNamespace)
	return d
}

// dayOf makes a day whose peak leaves the HPA some room below its maximum.
func dayOf(o Options) shop.Day {
	length := o.Duration
	if length == 0 {
		length = DefaultDay
	}
	return shop.Day{Length: length, Quiet: 150, Peak: 3000, Noise: 0.015, Seed: 11}
}

// unlessAsked replaces an error that is only the consequence of Ctrl-C.
func (d *demo) unlessAsked(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return d.interrupted()
}

// interrupted is how a demo ends that was asked to: well, unless a day was to be judged.
func (d *demo) interrupted() error {
	if d.options.Duration > 0 {
		return ErrInterrupted
	}
	return nil
}

// show observes the day once a second and shows it, until it or the context ends.
func (d *demo) show(ctx context.Context) {
	view := screen.View{
		Target: d.target, Day: d.day.Length, Ends: d.options.Duration > 0, Peak: d.day.Peak,
		Kubeconfig: d.stage.Kubeconfig, Source: d.stage.source,
	}
	display := newDisplay(d.options.Out, d.stage.Kubeconfig)
	display.open()
	defer display.close()
	d.clock.wait(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		at := d.clock.since()
		if view.Ends && at > d.day.Length {
			return
		}
		d.plan(ctx, at)
		d.look(ctx, at)
		if ctx.Err() != nil {
			return
		}
		view.Phase, view.News = d.day.Phase(at), d.news.line()
		view.Alone, view.Planned = d.alone.panel(), d.planned.panel()
		view.Forecast, view.Lead = d.cluster.forecast, d.cluster.lead
		display.show(view)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// conclude writes the summary, and judges the day if it went to its end.
func (d *demo) conclude() error {
	whole := d.options.Duration > 0 && d.clock.since() >= d.day.Length
	result := report.Compare(d.alone.run, d.planned.run, d.target)
	result.Lead, result.Untaught = d.cluster.lead, d.stage.samples == ""
	if whole || len(d.alone.run.Samples) >= summarised {
		fmt.Fprint(d.options.Out, "\n"+result.Summary(whole)+"\n")
	}
	if err := d.record(); err != nil {
		return err
	}
	if !whole {
		return d.interrupted()
	}
	if reasons := result.Reasons(); len(reasons) > 0 {
		return fmt.Errorf("%w: %s", ErrNotShown, strings.Join(reasons, "; "))
	}
	return nil
}

// stop ends what was started, and says what stays.
func (d *demo) stop(keep bool) error {
	d.say("Ending the cluster and what runs in it")
	err := d.stage.stop(keep)
	if keep || !d.stage.temporary {
		d.say("Logs are in %s", d.stage.dir)
	}
	return err
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.options.Progress, format+"\n", args...)
}
