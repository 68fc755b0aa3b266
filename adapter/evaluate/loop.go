// SPDX-License-Identifier: Apache-2.0

package evaluate

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/plimsoll/plimsoll/adapter/members"
	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

const (
	// turn is how long the loop sleeps at most: a new rule or reader waits no longer than this.
	turn = 250 * time.Millisecond
	// readMemory is for how long a read keeps a rule demanded that no HPA names.
	readMemory = 5 * time.Minute
	// firstRetry and lastRetry bound the time, doubled each time, until a rule without readers and values is looked at again.
	firstRetry, lastRetry = 10 * time.Second, 10 * time.Minute
	// firstPatience is how long readiness waits for the first evaluations: an adapter whose source hangs must be reachable, to
	// say so.
	firstPatience = 15 * time.Second
	// stuck is how long the loop may take for one turn before liveness says so.
	stuck = 30 * time.Second
)

// Options say what a Loop works on. All fields but Identity, Concurrency and Now are required.
type Options struct {
	Store   *snapshot.Store
	Ask     Ask
	Readers func(*snapshot.Catalog) map[rule.Key]int // how many HPAs name each rule's metric
	Metrics *Metrics
	// Members are the clusters that rules with members: Sum add up.
	Members func() ([]members.Member, error)
	// Identity tells replicas apart, so that they do not all query at the same moment.
	Identity string
	// Concurrency is how many queries may be under way at once; default 8.
	Concurrency int
	Now         func() time.Time // default time.Now
}

// Loop evaluates what is demanded, when it is due.
type Loop struct {
	store    *snapshot.Store
	ask      Ask
	readers  func(*snapshot.Catalog) map[rule.Key]int
	metrics  *Metrics
	members  func() ([]members.Member, error)
	identity string
	now      func() time.Time

	slots    chan struct{}
	flights  singleflight.Group
	lastTurn atomic.Int64 // unix nanoseconds; 0 before the first
	first    atomic.Bool  // every rule that was demanded at the start has been evaluated once
	started  atomic.Int64

	mu          sync.Mutex
	jobs        map[*snapshot.Entry]*job
	running     int
	byNamespace map[string]int
}

// job is the loop's memory of one entry.
type job struct {
	running bool
	next    time.Time
	again   time.Time     // when a rule without readers is looked at again, as long as it has no values
	delay   time.Duration // from the evaluation to again
}

// New prepares a loop; Run turns it.
func New(o Options) *Loop {
	if o.Concurrency <= 0 {
		o.Concurrency = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Loop{
		store: o.Store, ask: o.Ask, members: o.Members, readers: o.Readers, metrics: o.Metrics, identity: o.Identity, now: o.Now,
		slots: make(chan struct{}, o.Concurrency), jobs: map[*snapshot.Entry]*job{}, byNamespace: map[string]int{},
	}
}

// Run evaluates until ctx ends, and returns when the last evaluation has ended.
func (l *Loop) Run(ctx context.Context) {
	var running sync.WaitGroup
	l.started.Store(l.now().UnixNano())
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		l.turn(ctx, &running)
		l.lastTurn.Store(l.now().UnixNano())
	}, turn)
	running.Wait()
}

// turn starts every evaluation that is due and for which there is a free slot; the others wait for the next turn.
func (l *Loop) turn(ctx context.Context, running *sync.WaitGroup) {
	catalog, now := l.store.Catalog(), l.now()
	readers := l.readers(catalog)
	var due []candidate
	waiting := false
	for _, e := range catalog.Entries() {
		if e.Rule.Refusal != nil {
			continue
		}
		demanded := Demanded(e, readers[e.Rule.Key], now)
		waiting = waiting || demanded && e.Outcome() == nil
		if since, ok := l.due(e, demanded, now); ok {
			due = append(due, candidate{e, demanded, since})
		}
	}
	slices.SortStableFunc(due, candidate.compare)
	for _, c := range due {
		if !l.start(c.entry, now) {
			continue
		}
		running.Go(func() {
			defer l.end(c.entry)
			_ = l.shared(ctx, c.entry) // recorded in the entry
		})
	}
	if !waiting || now.Sub(time.Unix(0, l.started.Load())) > firstPatience {
		l.first.Store(true)
	}
	l.forget(catalog)
}

// candidate is an entry whose evaluation is due.
type candidate struct {
	entry    *snapshot.Entry
	demanded bool
	since    time.Time
}

// compare puts what somebody waits for first, and of that what has waited longest.
func (c candidate) compare(other candidate) int {
	if c.demanded != other.demanded {
		if c.demanded {
			return -1
		}
		return 1
	}
	return c.since.Compare(other.since)
}

// Demanded reports whether somebody reads the entry's metric: an HPA that names it, or a read of late.
func Demanded(e *snapshot.Entry, hpas int, now time.Time) bool {
	return hpas > 0 || now.Sub(e.LastRead()) < readMemory
}

// due reports whether e is to be evaluated now, and since when. A rule without readers is due once, or until it has values.
func (l *Loop) due(e *snapshot.Entry, demanded bool, now time.Time) (since time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.jobs[e]
	if j == nil {
		return time.Time{}, true
	}
	if j.running {
		return time.Time{}, false
	}
	if !demanded {
		return j.again, !hasValues(e) && !now.Before(j.again)
	}
	return j.next, !now.Before(j.next) || e.Cold(now)
}

// start claims a place for an evaluation. The rules of one namespace get half of the places at most: slow queries of one
// tenant do not keep the others waiting.
func (l *Loop) start(e *snapshot.Entry, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ns := e.Rule.Key.Namespace
	if l.running >= cap(l.slots) || (ns != "" && l.byNamespace[ns] >= max(1, cap(l.slots)/2)) {
		return false
	}
	l.running++
	l.byNamespace[ns]++
	delay := firstRetry
	if before := l.jobs[e]; before != nil {
		delay = min(2*before.delay, lastRetry)
	}
	l.jobs[e] = &job{running: true, next: l.next(e.Rule, now), again: now.Add(delay), delay: delay}
	return true
}

// hasValues reports whether a rule has been seen to work. One that was written before its application was scraped has not, and
// is looked at again now and then: its status must not say NoData for ever because nobody reads it yet.
func hasValues(e *snapshot.Entry) bool {
	t := e.Table()
	return t != nil && len(t.Rows()) > 0
}

func (l *Loop) end(e *snapshot.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if l.byNamespace[e.Rule.Key.Namespace]--; l.byNamespace[e.Rule.Key.Namespace] == 0 {
		delete(l.byNamespace, e.Rule.Key.Namespace)
	}
	if j := l.jobs[e]; j != nil {
		j.running = false
	}
}

// forget drops the memory of entries that are no longer in force, and the metrics of rules that are gone.
func (l *Loop) forget(c *snapshot.Catalog) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := range l.jobs {
		now := c.Entry(e.Rule.Key)
		if now != e {
			delete(l.jobs, e)
		}
		if now == nil {
			l.metrics.forget(e.Rule.Key)
		}
	}
}

// next is the rule's first point of time after now on a grid of its interval. Where the grid lies depends on the rule and
// the replica alone: rules and replicas spread over the interval, and a restart does not move them.
func (l *Loop) next(r *rule.Rule, now time.Time) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.Key.String() + "\x00" + l.identity))
	phase := time.Duration(h.Sum64() % uint64(r.Interval))
	return now.Add(-phase).Truncate(r.Interval).Add(phase + r.Interval)
}

// shared evaluates e, or waits for the evaluation of e that is under way.
func (l *Loop) shared(ctx context.Context, e *snapshot.Entry) error {
	_, err, _ := l.flights.Do(flight(e), func() (any, error) { return nil, l.inSlot(ctx, e) })
	return err
}

// inSlot evaluates e when one of the places for queries is free. It is inside the flight that it waits: those who share the
// flight hold no place meanwhile.
func (l *Loop) inSlot(ctx context.Context, e *snapshot.Entry) error {
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	return l.once(ctx, e)
}

// flight tells entries apart also when a rule changes while its old form is being evaluated.
func flight(e *snapshot.Entry) string { return fmt.Sprintf("%p", e) }

// Now evaluates an entry that nobody demanded until this read, and waits for the answer as long as ctx allows. Any number
// of reads share one evaluation, which goes on when the reads have given up.
func (l *Loop) Now(ctx context.Context, e *snapshot.Entry) error {
	done := l.flights.DoChan(flight(e), func() (any, error) {
		return nil, l.inSlot(context.WithoutCancel(ctx), e)
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return fmt.Errorf("%s: metric %s is being evaluated for the first reader; ask again in a moment", e.Rule.Key, e.Rule.Metric)
	}
}

// Alive says whether the loop still turns.
func (l *Loop) Alive() error {
	last := l.lastTurn.Load()
	if last == 0 {
		last = l.started.Load()
	}
	if last == 0 {
		return nil
	}
	if ago := l.now().Sub(time.Unix(0, last)); ago > stuck {
		return fmt.Errorf("the evaluation loop has not turned for %s", ago.Round(time.Second))
	}
	return nil
}

// Ready says whether there is data to serve: every rule that somebody demands has been evaluated once. It does not wait for
// good answers: an adapter whose source is down must still be reachable, to say so.
func (l *Loop) Ready() error {
	if l.first.Load() {
		return nil
	}
	return fmt.Errorf("the first evaluation of the demanded rules has not ended")
}
