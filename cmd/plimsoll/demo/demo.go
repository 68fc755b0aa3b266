// SPDX-License-Identifier: Apache-2.0

// Package demo shows Plimsoll at work on a cluster of its own: a simulated shop, whose users come and go over a day of
// a few minutes, and an ordinary HPA that follows them.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/screen"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/shop"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// Options are what a demo is run with.
type Options struct {
	Duration   time.Duration // of the one day that is shown; 0: days of DefaultDay until the context ends
	Keep       bool          // whether a temporary folder stays; it also does after an error
	Dir        string        // for the cluster, its kubeconfig and logs; "": a new temporary folder
	Prometheus bool          // whether a Prometheus server scrapes the shop, instead of the adapter itself
	Out        *os.File      // the view, or lines if it is not a terminal
	Progress   io.Writer     // what is being started
}

const (
	// DefaultDay is the length of a day in a demo without an end.
	DefaultDay = 5 * time.Minute
	// ShortestDay is the shortest one that an HPA with a sync period of 5 s can follow.
	ShortestDay = 2 * time.Minute
	// summarised is how many seconds a demo without an end must have run to be worth a summary.
	summarised = 20
)

// Validate returns an error that says which option is wrong.
func (o Options) Validate() error {
	if o.Duration != 0 && o.Duration < ShortestDay {
		return fmt.Errorf("--duration %s is too short for a day that an HPA can follow: give at least %s, or 0 for a demo without an end", o.Duration, ShortestDay)
	}
	return nil
}

// How a demo with a Duration can end badly although everything was started.
var (
	ErrNotFollowed = errors.New("the HPA did not follow the users")
	ErrInterrupted = errors.New("the demo was interrupted before its day ended, so that nothing was judged")
)

// demo is one run.
type demo struct {
	options Options
	shop    *shop.Shop
	client  kubernetes.Interface
	stage   *stage
	day     shop.Day
	began   clock
	samples []report.Sample
}

// Run runs a demo until its day or the context ends, and ends everything that it started. With a
// Duration the error is ErrNotFollowed or ErrInterrupted if the HPA did not follow the users over the whole day.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	d := &demo{options: o, day: dayOf(o)}
	d.shop = shop.New(shop.Options{Namespace: namespace, Day: d.day, Turnover: 0.03, Capacity: 1.2 * target.PerPod})
	exporter, err := shop.Serve(d.shop)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, exporter.Close()) }()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.say("Starting a Kubernetes cluster and the adapter on this machine")
	if d.stage, err = start(ctx, o, exporter.Address()); err != nil {
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

// prepare creates the shop's objects, and waits until the HPA reads the shop's users.
func (d *demo) prepare(ctx context.Context) error {
	d.say("Opening the shop: a Deployment, an HPA and a MetricRule in namespace %s", namespace)
	if err := d.stage.ApplyYAML(ctx, shopYAML); err != nil {
		return err
	}
	var err error
	if d.client, err = kubernetes.NewForConfig(d.stage.RESTConfig); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	pods, err := shop.Pods(ctx, d.client, namespace, selector)
	if err != nil {
		return err
	}
	go d.shop.Run(ctx, d.began.since, pods)
	d.say("Waiting for the HPA's first reading of %s", metric)
	return d.untilRead(ctx)
}

// untilRead waits until the HPA reads the metric and its least replicas are ready.
func (d *demo) untilRead(ctx context.Context) error {
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", human.Age(patience)))
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	last := observation{said: "nothing"}
	for {
		seen, err := observe(ctx, d.client, d.shop.State(), 0)
		if err == nil && seen.active && seen.HasValue && seen.Ready >= target.Min {
			return nil
		}
		if err == nil {
			last = seen
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the HPA did not read %s: %w; it said: %s", metric, context.Cause(ctx), last.said)
		case <-tick.C:
		}
	}
}

// show observes the day once a second and shows it, until it or the context ends.
func (d *demo) show(ctx context.Context) {
	v := screen.View{
		Target: target, Day: d.day.Length, Ends: d.options.Duration > 0, Peak: d.day.Peak,
		Kubeconfig: d.stage.Kubeconfig, Source: d.stage.source,
	}
	display := newDisplay(d.options.Out, d.stage.Kubeconfig)
	display.open()
	defer display.close()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	d.began.start()
	for {
		at := d.began.since()
		if v.Ends && at > d.day.Length {
			return
		}
		seen, err := observe(ctx, d.client, d.shop.State(), at)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			seen.said, seen.problem = err.Error(), true
		} else {
			d.samples = append(d.samples, seen.Sample)
		}
		v.Samples, v.Phase = d.samples, d.day.Phase(at)
		v.Said, v.SaidAge, v.Problem = seen.said, seen.saidAge, seen.problem
		display.show(v)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// conclude writes the summary, and judges the day if it went to its end.
func (d *demo) conclude() error {
	whole := d.options.Duration > 0 && d.began.since() >= d.day.Length
	if whole || len(d.samples) >= summarised {
		fmt.Fprint(d.options.Out, "\n"+report.Summary(d.samples, target, whole)+"\n")
	}
	if !whole {
		return d.interrupted()
	}
	if v := report.Judge(d.samples, target); !v.Followed() {
		return fmt.Errorf("%w: %s", ErrNotFollowed, strings.Join(v.Reasons, "; "))
	}
	return nil
}

// stop ends what was started, and says what stays.
func (d *demo) stop(keep bool) error {
	d.say("Ending the cluster and the adapter")
	err := d.stage.stop(keep)
	if keep || !d.stage.temporary {
		d.say("Logs are in %s", d.stage.dir)
	}
	return err
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.options.Progress, format+"\n", args...)
}
