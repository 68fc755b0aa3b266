// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// jitter is the part of the interval by which probes of several members come apart.
const jitter = 0.1

// task is what a prober does: for which spec, and by which way. It does not change.
type task struct {
	member *v1alpha1.MemberCluster
	way    way
}

// prober asks one member for its health, judges it, and writes its status, as long as its MemberCluster is there.
type prober struct {
	c    *fleetController
	name string
	uid  types.UID
	// created is when its MemberCluster was.
	created time.Time
	ctx     context.Context //nolint:containedctx // the prober's own life
	cancel  context.CancelFunc
	wake    chan struct{}

	mu   sync.Mutex
	next *task // what it was told last

	// What follows is the running prober's alone.
	kept    health.Kept
	found   finding
	known   known
	memory  remembered
	written written
}

func newProber(c *fleetController, member *v1alpha1.MemberCluster) *prober {
	p := &prober{
		c: c, name: member.Name, uid: member.UID, created: member.CreationTimestamp.Time, wake: make(chan struct{}, 1),
		kept: keptIn(&member.Status), written: written{status: *member.Status.DeepCopy()},
	}
	p.known.ID = member.Status.ClusterID
	p.ctx, p.cancel = context.WithCancel(c.life)
	return p
}

// tell says what to do from now on.
func (p *prober) tell(t task) {
	p.mu.Lock()
	p.next = &t
	p.mu.Unlock()
	p.poke()
}

// poke makes the prober judge anew.
func (p *prober) poke() {
	select {
	case p.wake <- struct{}{}:
	default: // it will
	}
}

func (p *prober) task() *task {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

func (p *prober) run() {
	defer p.c.ended(p)
	var done *task
	var due time.Time // when to ask next
	for {
		if t := p.task(); t != nil {
			now := p.c.now()
			if t != done || !now.Before(due) {
				p.found = p.ask(t)
				done, due = t, time.Time{}
			}
			if p.ctx.Err() != nil {
				return
			}
			next := p.judge(t)
			if due.IsZero() || next.Before(due) {
				due = next
			}
		}
		var timer <-chan time.Time
		if !due.IsZero() {
			timer = time.After(due.Sub(p.c.now()))
		}
		select {
		case <-p.ctx.Done():
			return
		case <-p.wake:
		case <-timer:
		}
	}
}

// judge decides what to think of the member, has it written, and returns when to ask again.
func (p *prober) judge(t *task) time.Time {
	now, options := p.c.now(), t.member.HealthOptions()
	in := health.Input{
		Probe: p.found.Probe, Nodes: p.found.nodes, Pods: p.found.pods,
		Demand: p.c.fleet.demanded(p.name), Suspended: t.member.Spec.Suspend, Options: options,
		DuplicateOf: p.c.keeperOf(p.name),
	}
	verdict := health.Step(in, p.kept, now)
	p.kept = verdict.Kept
	p.c.demand.note(t.member, p.kept.Trouble())
	judged := asMember(p.kept, t.member)
	if in.DuplicateOf != "" {
		judged.Cause = health.Duplicate // its cluster's silence counts once
	}
	doubt := p.c.note(p, judged)
	p.write(t, p.report(t, &verdict, doubt, now), now)
	return jittered(verdict.Next, now, options.Interval)
}

// jittered spreads the usual interval; what is due at a moment stays so.
func jittered(next, now time.Time, interval time.Duration) time.Time {
	if next.Sub(now) < interval {
		return next
	}
	return now.Add(time.Duration((1 - jitter + 2*jitter*rand.Float64()) * float64(interval))) //nolint:gosec // no secret depends on it
}
