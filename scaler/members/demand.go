// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

const (
	// demandEvery is how often the adapter is asked, while a member is in trouble.
	demandEvery = 2 * time.Second
	// demandWithin is how long one answer may take.
	demandWithin = 2 * time.Second
)

// demandWatch asks the adapter, while some member may be about to fail, whether its demand still comes in. What cannot be found out
// keeps nobody from failing.
//
// News of a member is a sample that was measured after its trouble began. Its time says nothing about that: the member's clock
// may be wrong. So a rule's first answer for which the member was asked after the trouble began is what others are compared with:
// a newer sample was not there then. The adapter says when it asked, by its own clock, which is compared with the time at
// which it made its first list since the trouble began. The replicas of an adapter ask at different times, but each one's
// answer from after that time will do.
type demandWatch struct {
	ask   func(ctx context.Context) (*demandList, error) // one list
	fleet *Fleet
	now   func() time.Time
	wake  chan struct{}

	mu       sync.Mutex
	troubles map[string]time.Time // by member: since when it has been in trouble

	// What follows is run's alone.
	watched map[string]*watched
	problem string // of the last question, to log it once
}

// watched is what is known of the demand of one member in trouble.
type watched struct {
	since  time.Time            // of the trouble
	from   time.Time            // by the adapter's clock: what it asked a member for before this may be older than the trouble
	newest map[string]time.Time // by rule: the newest sample, by the member's clock
}

func newDemandWatch(ask func(context.Context) (*demandList, error), fleet *Fleet, now func() time.Time) *demandWatch {
	return &demandWatch{
		ask: ask, fleet: fleet, now: now, wake: make(chan struct{}, 1), troubles: map[string]time.Time{}, watched: map[string]*watched{},
	}
}

// note says since when a member has been in trouble; zero: it is in none. One without a Prometheus is of no interest.
func (d *demandWatch) note(member *v1alpha1.MemberCluster, since time.Time) {
	if member.Spec.Metrics == nil || member.Spec.Metrics.URL == "" {
		since = time.Time{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if since.IsZero() {
		delete(d.troubles, member.Name)
		return
	}
	d.troubles[member.Name] = since
	select {
	case d.wake <- struct{}{}:
	default: // it will
	}
}

// forget forgets a member that is gone.
func (d *demandWatch) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.troubles, name)
}

func (d *demandWatch) inTrouble() map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make(map[string]time.Time, len(d.troubles))
	for name, since := range d.troubles {
		all[name] = since
	}
	return all
}

// run asks until the context ends; nothing while no member is in trouble.
func (d *demandWatch) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		}
		for len(d.inTrouble()) > 0 {
			d.look(ctx)
			select {
			case <-ctx.Done():
				return
			case <-time.After(demandEvery):
			}
		}
	}
}

// look asks once.
func (d *demandWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, demandWithin)
	defer cancel()
	troubles := d.inTrouble() // those of before the question
	list, err := d.ask(ctx)
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != d.problem {
		klog.FromContext(ctx).Info("Whether the demand of members is known has changed", "problem", problem)
		d.problem = problem
	}
	if err == nil {
		d.take(list, troubles)
	}
}

// take compares a list with what is known.
func (d *demandWatch) take(list *demandList, troubles map[string]time.Time) {
	for name := range d.watched {
		if _, still := troubles[name]; !still {
			delete(d.watched, name)
		}
	}
	for name, since := range troubles {
		w := d.watched[name]
		if w == nil || !w.since.Equal(since) {
			d.watched[name] = &watched{since: since, from: list.Time, newest: map[string]time.Time{}}
			continue
		}
		if w.isNews(list.samples(name)) {
			d.fleet.SawDemand(name, d.now())
		}
	}
}

// isNews notes samples, and reports whether one of them was measured since the member's trouble began.
func (w *watched) isNews(samples []demandSample) bool {
	news := false
	for _, s := range samples {
		if s.Evaluated.Before(w.from) {
			continue
		}
		before, known := w.newest[s.Rule]
		if !known || s.SampleTime.After(before) {
			w.newest[s.Rule] = s.SampleTime
			news = news || known
		}
	}
	return news
}
