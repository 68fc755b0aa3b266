// SPDX-License-Identifier: Apache-2.0

// Package democlusters shows one shop in three member clusters, scaled by a plain HPA in a hub, while one of them dies and
// comes back. All four are real local clusters.
package democlusters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/democlusters/report"
)

// Options are what the demo is run with.
type Options struct {
	Duration time.Duration // of the day, at least Shortest
	Dir      string        // for the clusters, their kubeconfigs and logs; "": a new temporary folder
	Keep     bool          // whether a temporary folder stays; it also does after an error
	Out      *os.File      // the view, or lines if it is not a terminal
	Progress io.Writer     // what is being started
}

// DefaultDuration is the length of a day.
const DefaultDuration = 6 * time.Minute

// Validate returns an error that says which option is wrong.
func (o Options) Validate() error {
	if o.Duration < Shortest {
		return fmt.Errorf("--duration %s is too short for a failover with default settings and the way back: give at least %s", o.Duration, Shortest)
	}
	if o.Duration%time.Second != 0 {
		return fmt.Errorf("--duration %s is not a whole number of seconds", o.Duration)
	}
	return nil
}

// How a demo can end badly although everything was started.
var (
	ErrNotShown    = errors.New("the day did not show what it should")
	ErrInterrupted = errors.New("the demo was interrupted before its day ended, so that nothing was judged")
)

// demo is one run.
type demo struct {
	options  Options
	plot     plot
	stage    *stage
	exporter *exporter
	began    time.Time
	run      report.Run
	news     news
	deeds    chan deed // what was done to the member, once it is done
}

// deed is something done to the member that dies.
type deed struct {
	what string
	from time.Duration
	to   time.Duration
	err  error
}

// Run runs the demo until its day or the context ends, and ends everything that it started. The error is ErrNotShown or
// ErrInterrupted if the day did not show a failover and a fail-back as they should be.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	d := &demo{options: o, plot: plotOf(o.Duration), deeds: make(chan deed, 2)}
	d.run.Story = report.Story{
		Names: names(), Lost: lost, NodeDelay: d.plot.nodeDelay, PodDelay: podDelay, Every: every, ReturnAfter: d.plot.returnAfter,
	}
	if d.exporter, err = serve(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.exporter.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.say("Starting a hub and three member clusters on this machine, which takes a minute or two")
	if d.stage, err = start(ctx, o, d.plot, d.exporter.address()); err != nil {
		return unlessAsked(ctx, err)
	}
	defer func() {
		cancel()
		d.say("Ending the clusters and what runs in them")
		err = errors.Join(err, d.stage.stop(o.Keep || err != nil && !errors.Is(err, ErrInterrupted)))
	}()
	d.grow(ctx)
	if err := d.untilReady(ctx); err != nil {
		return unlessAsked(ctx, err)
	}
	if err := d.day(ctx); err != nil {
		return unlessAsked(ctx, err)
	}
	return d.conclude()
}

// unlessAsked replaces an error that is only the consequence of Ctrl-C.
func unlessAsked(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return ErrInterrupted
}

// grow lets every cluster have nodes when pods find no room.
func (d *demo) grow(ctx context.Context) {
	for _, m := range d.stage.members {
		go (&grower{client: m.client, delay: d.plot.nodeDelay}).run(ctx)
	}
	go (&grower{client: d.stage.hub, delay: d.plot.nodeDelay}).run(ctx)
}

// prepared is how long everything may take to be in place.
const prepared = 5 * time.Minute

// untilReady waits until the day can begin.
func (d *demo) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, prepared, fmt.Errorf("the day cannot begin after %s", prepared))
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	said := ""
	for {
		seen, err := d.stage.observe(ctx)
		switch {
		case err != nil:
			seen.missing = err.Error()
		case seen.missing == "":
			return nil
		case seen.missing != said:
			said = seen.missing
			d.say("Waiting: %s", said)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), seen.missing)
		case <-tick.C:
		}
	}
}

// day lets the plot happen, and observes it.
func (d *demo) day(ctx context.Context) error {
	display := newView(d.options.Out)
	d.say("To look around: export KUBECONFIG=%s", d.stage.Kubeconfig)
	display.open()
	defer display.close()
	d.began = time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	acts := d.acts()
	for {
		at := time.Since(d.began)
		d.exporter.users.Store(int64(d.plot.users(at)))
		for len(acts) > 0 && at >= acts[0].at {
			acts[0].do(ctx)
			acts = acts[1:]
		}
		if err := d.done(); err != nil {
			return err
		}
		if err := d.look(ctx, display); err != nil {
			return err
		}
		if at >= d.plot.length+late || at >= d.plot.length && d.returned() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// look takes a sample. One in which a member is missing that nobody killed is left out: our own request was late.
func (d *demo) look(ctx context.Context, display *view) error {
	seen, err := d.stage.observe(ctx)
	if err != nil {
		return err
	}
	seen.At = time.Since(d.began)
	seen.Users = d.plot.users(seen.At)
	for name, m := range seen.Members {
		if !m.Answers && (name != lost || d.run.Began == 0) {
			return nil
		}
	}
	d.run.Samples = append(d.run.Samples, seen.Sample)
	d.news.compare(&seen)
	display.show(&seen, &d.news, d.plot, d.stage.Kubeconfig)
	return nil
}

// returned says whether the fail-back has ended.
func (d *demo) returned() bool {
	result := report.Judge(&d.run)
	return result.Returned >= 0
}

// conclude writes the summary and judges the day.
func (d *demo) conclude() error {
	result := report.Judge(&d.run)
	fmt.Fprint(d.options.Out, "\n"+result.Summary()+"\n")
	if reasons := result.Reasons(); len(reasons) > 0 {
		return fmt.Errorf("%w: %s", ErrNotShown, strings.Join(reasons, "; "))
	}
	return nil
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.options.Progress, format+"\n", args...)
}
