// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"context"
	"fmt"
	"time"
)

// act is something that happens at its time.
type act struct {
	at time.Duration
	do func(ctx context.Context)
}

// What is done to the member that dies.
const (
	killed  = "killed"
	revived = "started again"
)

// acts are what happens, in order.
func (d *demo) acts() []act {
	return []act{
		{d.plot.dies, func(ctx context.Context) {
			d.run.Began = time.Since(d.began)
			d.news.say(d.run.Began, "%s dies: its API server, its nodes and everything else", lost)
			d.background(ctx, killed, d.stage.members[lost].die)
		}},
		{d.plot.back, func(ctx context.Context) {
			d.news.say(time.Since(d.began), "%s is started again", lost)
			d.background(ctx, revived, d.stage.members[lost].revive)
		}},
		{d.plot.surge, func(context.Context) {
			d.run.Surge = time.Since(d.began)
			d.news.say(d.run.Surge, "a fifth more users at once, here and in the shop that is alone")
		}},
	}
}

// background does something to the member while the day goes on.
func (d *demo) background(ctx context.Context, what string, do func(ctx context.Context) error) {
	from := time.Since(d.began)
	go func() {
		err := do(ctx)
		d.deeds <- deed{what: what, from: from, to: time.Since(d.began), err: err}
	}()
}

// done notes what was done since.
func (d *demo) done() error {
	for {
		select {
		case one := <-d.deeds:
			if one.err != nil {
				return fmt.Errorf("member %s could not be %s: %w", lost, one.what, one.err)
			}
			if one.what == killed {
				d.run.Died = one.to
			} else {
				d.run.Back = one.from
			}
		default:
			return nil
		}
	}
}
