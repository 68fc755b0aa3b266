// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/plimsoll/plimsoll/adapter/rule"
)

// Outcome is how an evaluation ended.
type Outcome struct {
	Time     time.Time     // when it began
	Duration time.Duration // how long it took
	Source   string        // who answered or failed last
	Err      error         // nil: the table was replaced
}

// errorsKept is how many failures an entry remembers for explain.
const errorsKept = 5

// Entry is one rule in force. Evaluations write it, reads do not lock.
type Entry struct {
	Rule *rule.Rule

	table    atomic.Pointer[Table]
	outcome  atomic.Pointer[Outcome]
	success  atomic.Pointer[Outcome]
	failures atomic.Pointer[[]Outcome]
	parts    atomic.Pointer[map[string]Part]
	lastRead atomic.Int64 // unix nanoseconds
}

// Table is the answer of the last good evaluation; nil before the first.
func (e *Entry) Table() *Table { return e.table.Load() }

// Outcome is how the last evaluation ended; nil before the first has.
func (e *Entry) Outcome() *Outcome { return e.outcome.Load() }

// Success is the last good evaluation; nil before the first.
func (e *Entry) Success() *Outcome { return e.success.Load() }

// Failures are the last failed evaluations, newest first.
func (e *Entry) Failures() []Outcome {
	if f := e.failures.Load(); f != nil {
		return *f
	}
	return nil
}

// Part is what one cluster said last, if that still counts, and why it says nothing now.
type Part struct {
	Table *Table
	Err   error
}

// Parts are what the clusters said in the last evaluation of a Sum, by member, whether there is a sum of them or not. Not to be
// changed.
func (e *Entry) Parts() map[string]Part {
	if p := e.parts.Load(); p != nil {
		return *p
	}
	return nil
}

// NoteParts keeps what the clusters said.
func (e *Entry) NoteParts(parts map[string]Part) { e.parts.Store(&parts) }

// Sampled is when the newest sample behind a table's values was measured; zero if there is none of which that is known for
// certain. Left out are constants, values whose age cannot be known or is beyond what may be served (of a range without
// a sample it goes on with the clock), those that were taken over from an earlier table, and those from the future.
func (e *Entry) Sampled(t *Table) time.Time {
	var newest time.Time
	if len(e.Rule.Times) == 0 {
		return newest
	}
	rows := t.Rows()
	for i := range rows {
		r := &rows[i]
		sure := r.Finite() && !r.NoSample && !r.Held && r.Time.Before(t.Evaluated) && t.Evaluated.Sub(r.Time) <= e.Limit()
		if sure && r.Time.After(newest) {
			newest = r.Time
		}
	}
	return newest
}

// Publish puts the answer of a good evaluation in place. One evaluation of an entry runs at a time.
func (e *Entry) Publish(t *Table, o Outcome) {
	o.Err = nil
	e.table.Store(t)
	e.success.Store(&o)
	e.outcome.Store(&o)
}

// Fail records an evaluation without an answer. The last good table stays; its values grow old.
func (e *Entry) Fail(o Outcome) {
	kept := append([]Outcome{o}, e.Failures()...)
	if len(kept) > errorsKept {
		kept = kept[:errorsKept]
	}
	e.failures.Store(&kept)
	e.outcome.Store(&o)
}

// MarkRead remembers that somebody wanted this entry's values.
func (e *Entry) MarkRead(now time.Time) {
	// Written at most once a second: the cache line is shared by all readers.
	if n := now.UnixNano(); n-e.lastRead.Load() > int64(time.Second) {
		e.lastRead.Store(n)
	}
}

// LastRead is when somebody last wanted this entry's values, zero if nobody has.
func (e *Entry) LastRead() time.Time {
	n := e.lastRead.Load()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// Cold reports that no evaluation has been tried for so long that nobody can have demanded the entry.
func (e *Entry) Cold(now time.Time) bool {
	if e.Rule.Refusal != nil {
		return false // there is nothing to evaluate
	}
	o := e.Outcome()
	return o == nil || now.Sub(o.Time.Add(o.Duration)) > 2*e.Rule.Interval+time.Second
}

// Usable reports whether a row may be handed out: finite, and not older than the rule allows.
func (e *Entry) Usable(r *Row, now time.Time) bool {
	return r.Finite() && !r.NoSample && now.Sub(r.Time) <= e.Limit()
}

// Limit is the age up to which a value may be served: maxAge, and holdFor beyond it. Where the rule says no holdFor, the
// values of a failed or vanished source are errors once they are older than maxAge.
func (e *Entry) Limit() time.Duration { return e.Rule.MaxAge + e.Rule.HoldFor }

// The reasons for which a value is not handed out; wrapped in a sentence that says more.
var (
	ErrNeverEvaluated = errors.New("not evaluated yet")
	ErrNoValue        = errors.New("no value")
	ErrStale          = errors.New("stale")
	ErrNotFinite      = errors.New("not a finite number")
	ErrAmbiguous      = errors.New("ambiguous")
	ErrNoSample       = errors.New("no sample is behind it")
	ErrGuard          = errors.New("the guard does not hold")
)

// Why says why a row may not be handed out; nil if it may.
func (e *Entry) Why(r *Row, now time.Time) error {
	if !r.Finite() {
		return fmt.Errorf("%s: the value of metric %s is %v, which is %w", e.Rule.Key, e.Rule.Metric, r.Value, ErrNotFinite)
	}
	if r.NoSample {
		return fmt.Errorf("%s: the value %v of metric %s does not count: %w; if it is right also when the query's selectors have no series, add a guard that says that the source is well",
			e.Rule.Key, r.Value, e.Rule.Metric, ErrNoSample)
	}
	age, limit := now.Sub(r.Time), e.Limit()
	if age <= limit {
		return nil
	}
	return fmt.Errorf("%s: the value of metric %s is %w: measured %s ago, allowed are %s%s",
		e.Rule.Key, e.Rule.Metric, ErrStale, age.Round(100*time.Millisecond), limit, e.because())
}

// Missing says why there is no row at all for what was asked.
func (e *Entry) Missing(what string) error {
	if e.Rule.Refusal != nil {
		return fmt.Errorf("%s is not in force, so metric %s has no value: %w", e.Rule.Key, e.Rule.Metric, e.Rule.Refusal)
	}
	if e.Table() == nil {
		if o := e.Outcome(); o != nil && o.Err != nil {
			return fmt.Errorf("%s: metric %s has no value yet: %w", e.Rule.Key, e.Rule.Metric, o.Err)
		}
		return fmt.Errorf("%s: metric %s is %w", e.Rule.Key, e.Rule.Metric, ErrNeverEvaluated)
	}
	return fmt.Errorf("%s: %w of metric %s for %s%s", e.Rule.Key, ErrNoValue, e.Rule.Metric, what, e.because())
}

// because is the last evaluation's failure as the end of a sentence.
func (e *Entry) because() string {
	if o := e.Outcome(); o != nil && o.Err != nil {
		return "; the last evaluation failed: " + o.Err.Error()
	}
	return ""
}
