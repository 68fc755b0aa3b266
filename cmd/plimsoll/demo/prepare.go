// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/screen"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/shop"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// branch is one of the two shops.
type branch struct {
	observer
	bounds *boundsLog
	run    report.Run
	last   observation
}

func (b *branch) visited() shop.Branch { return shop.Branch{Shop: b.shop, Serving: b.pods.Serving} }

func (d *demo) branch(title, namespace string) *branch {
	b := &branch{run: report.Run{Name: title}, observer: observer{namespace: namespace}}
	b.shop = shop.New(shop.Options{Namespace: namespace, Day: d.day, Turnover: 0.03, Capacity: d.target.Capacity})
	return b
}

// open creates the shop's objects.
func (b *branch) open(ctx context.Context, stage *stage, client kubernetes.Interface) error {
	if err := stage.ApplyYAML(ctx, manifestOf(b.namespace)); err != nil {
		return err
	}
	var err error
	if b.pods, err = shop.Watch(ctx, client, b.namespace, selector); err != nil {
		return err
	}
	b.client = client
	b.bounds, err = watchBounds(ctx, client, b.namespace)
	return err
}

// panel is what the view shows of the shop.
func (b *branch) panel() screen.Panel {
	return screen.Panel{Run: b.run, Said: b.last.said, SaidAge: b.last.saidAge, Problem: b.last.problem}
}

// prepare opens the shops, writes the earlier days, starts Plimsoll and waits until all is in place for the first day.
func (d *demo) prepare(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(d.stage.RESTConfig)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	if d.cluster, err = connect(d.stage.RESTConfig); err != nil {
		return err
	}
	d.say("Opening the same shop in the namespaces %s (HPA alone) and %s (schedule, forecast, override)", aloneNamespace, plannedNamespace)
	for _, b := range []*branch{d.alone, d.planned} {
		if err := b.open(ctx, d.stage, client); err != nil {
			return err
		}
	}
	go shop.Run(ctx, d.clock.since, d.alone.visited(), d.planned.visited())
	if err := d.past(ctx); err != nil {
		return err
	}
	if err := d.stage.install(ctx); err != nil {
		return err
	}
	forecast, err := text(d.planner.forecast())
	if err != nil {
		return err
	}
	if err := d.stage.ApplyYAML(ctx, forecast); err != nil {
		return err
	}
	d.say("Waiting for the HPAs' first readings of %s, and for the forecast", metric)
	if err := d.untilReady(ctx); err != nil {
		return err
	}
	return d.midnight(ctx)
}

// past sets when the first day begins, and writes the days before it.
func (d *demo) past(ctx context.Context) error {
	now := time.Now()
	d.clock.begin(now.Add(max(12*time.Second, min(20*time.Second, d.day.Length/10))))
	if d.stage.samples == "" {
		d.say("A Prometheus server takes no earlier days, so the forecast is not trusted until it has seen some: it is in Learning")
		return nil
	}
	d.say("Writing the shop's %d earlier days into the adapter's storage, for the forecast to learn from", pastDays)
	d.earlier = earlierDemand(d.day, now.Add(-d.clock.since()), now)
	return writePast(ctx, d.stage.samples, d.earlier)
}

// untilReady waits until both HPAs read the metric, their least replicas are Ready, and the forecast is made.
func (d *demo) untilReady(ctx context.Context) error {
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", human.Age(patience)))
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		err := d.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the demo's day cannot begin: %w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// ready returns nil when the day can begin, and else what is missing.
func (d *demo) ready(ctx context.Context) error {
	for _, b := range []*branch{d.alone, d.planned} {
		seen, err := b.observe(ctx, 0)
		switch {
		case err != nil:
			return err
		case !seen.active || !seen.HasValue || seen.Ready < d.target.Min:
			return fmt.Errorf("the HPA in %s does not read %s, or has only %d Ready pods; it said: %s", b.namespace, metric, seen.Ready, seen.said)
		}
	}
	if err := d.cluster.look(ctx); err != nil {
		return err
	}
	if d.stage.samples != "" && !d.cluster.trusted {
		return errors.New("the forecast is not trusted: " + d.cluster.forecast)
	}
	return nil
}

// midnight begins the first day: as planned, or later if what had to be prepared took longer.
func (d *demo) midnight(ctx context.Context) error {
	if d.clock.since() > -time.Second {
		d.clock.begin(time.Now().Add(time.Second))
	}
	d.planner.began = time.Now().Add(-d.clock.since())
	return d.schedule(ctx, 0)
}
