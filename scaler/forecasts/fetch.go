// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/forecasts/history"
	"github.com/plimsoll/plimsoll/scaler/forecasts/model"
)

const (
	// weeksOfHistory that are read: the week profile needs several, and older ones say little of today.
	weeksOfHistory = 5
	// mostHistory bounds the points for short intervals: two weeks of 30 seconds.
	mostHistory = 2 * 7 * 24 * 120
	// lateSteps is how many steps back values may still come that were not there when they were due.
	lateSteps = 12
	// fewestToRenew: a model whose history was shorter than wanted is learned anew when twice as much is there, because
	// seasons can be found then. That many points are needed at least.
	fewestToRenew = 60
	// after a failure, the next request waits a second, then twice as long each time
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// asking is one forecast's business with the source.
type asking struct {
	key types.NamespacedName
	demand
	rule   forecast.Rule
	lead   time.Duration
	now    time.Time
	newest time.Time // the newest time of which there may be a value
	// censored says whether a value of now is not the true demand.
	censored func(value float64) bool
}

// fetch asks for what is new and learns it. What went wrong is in the entry's problem. The error is the context's.
func (l *loop) fetch(ctx context.Context, e *entry, a asking) error {
	e.turnBack(a)
	if !a.newest.After(e.asked) || a.now.Before(e.retry) {
		return nil
	}
	if e.loading {
		select {
		case l.loading <- struct{}{}:
			defer func() { <-l.loading }()
		default:
			e.retry = a.now.Add(l.turn(e.uid))
			return nil
		}
	}
	if e.next.IsZero() {
		e.next = a.newest.Add(-historySpan(a.rule))
		klog.FromContext(ctx).V(2).Info("Reading the history of a demand", "forecast", a.key, "from", e.next, "query", a.query)
	}
	var last history.Answer
	for !e.next.After(a.newest) {
		span := history.Span{From: e.next, To: a.newest, Step: a.rule.Interval}.Next()
		answer, err := l.source.Range(ctx, a.key.Namespace, a.query, span)
		l.metrics.asked(err)
		if err != nil {
			return e.fail(ctx, err, a)
		}
		if span.To.After(span.From) {
			l.mark(ctx, a, span, answer.Points)
		}
		if err := e.take(answer.Points, a); err != nil {
			return e.fail(ctx, err, a)
		}
		e.next = span.To.Add(a.rule.Interval)
		last = answer
		if e.loading {
			klog.FromContext(ctx).V(3).Info("Read a part of the history of a demand", "forecast", a.key, "until", span.To, "points", len(e.buffer))
		}
	}
	return e.done(ctx, last, a)
}

// turnBack forgets what was noted while the clock was ahead: it would wait until the clock is there again.
func (e *entry) turnBack(a asking) {
	if !e.asked.After(a.newest) {
		return
	}
	e.asked, e.retry = a.newest, earlier(e.retry, a.now)
	e.next = earlier(e.next, a.newest.Add(a.rule.Interval))
	e.writtenAt, e.risen = earlier(e.writtenAt, a.now), earlier(e.risen, a.now)
	e.held.At, e.kept.At = earlier(e.held.At, a.now), earlier(e.kept.At, a.now)
	// a source repeats its newest value for a minute or a point, also into a future that has no others
	if e.model != nil && e.model.Newest().Time.After(a.newest.Add(2*a.rule.Interval+time.Minute)) {
		e.reload() // it takes no values that are older than its newest
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func historySpan(rule forecast.Rule) time.Duration {
	week := 7 * 24 * time.Hour
	if rule.Seasons != nil && rule.Seasons.Week > 0 {
		week = rule.Seasons.Week
	}
	steps := min(mostHistory, int64(weeksOfHistory*week/rule.Interval))
	return time.Duration(steps) * rule.Interval
}

// take learns points, or keeps them until the history is complete.
func (e *entry) take(points []forecast.Point, a asking) error {
	for i, p := range points {
		if p.Time.Equal(a.newest) {
			points[i].Censored = points[i].Censored || a.censored(p.Value)
			e.censored = points[i].Censored
		}
	}
	if e.loading {
		e.buffer = append(e.buffer, points...)
		return nil
	}
	for _, p := range points {
		if e.model == nil {
			return nil
		}
		if !p.Time.After(e.model.Newest().Time) {
			continue
		}
		if err := e.model.Learn(p); err != nil {
			return err
		}
		e.points++
	}
	return nil
}

// fail keeps what went wrong, and when to try again.
func (e *entry) fail(ctx context.Context, err error, a asking) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e.failed++
	wait := min(firstRetry<<min(e.failed-1, 10), lastRetry, a.rule.Interval)
	reason, atOnce := v1alpha1.ForecastQueryFailed, true
	var failed *history.Error
	switch {
	case !errors.As(err, &failed):
	case failed.Failure == history.Invalid:
		reason, wait = v1alpha1.ForecastInvalid, max(a.rule.Interval, lastRetry)
	case failed.Failure == history.Unreachable:
		atOnce = false // it may answer before the value is missed
	}
	e.retry = a.now.Add(wait)
	e.problem = model.Problem{Reason: reason, Message: a.tell(err), AtOnce: atOnce}
	klog.FromContext(ctx).V(2).Info("A demand could not be asked for", "forecast", a.key, "reason", err.Error(), "again", wait)
	return nil
}

// tell is what a ScaleForecast may say of an error: a source repeats parts of the query in those about the query.
func (a asking) tell(err error) string {
	var failed *history.Error
	if a.hidden() && errors.As(err, &failed) && (failed.Failure == history.Invalid || failed.Failure == history.Refused) {
		return fmt.Sprintf("the query of %s brings no series of numbers; who may read the rule finds out why by running it against the source", a.shown)
	}
	return err.Error()
}

// done is reached when everything up to the newest time was asked for.
func (e *entry) done(ctx context.Context, last history.Answer, a asking) error {
	e.asked, e.failed, e.retry = a.newest, 0, time.Time{}
	e.problem = missing(last, a)
	if e.loading {
		if err := e.learn(ctx, a); err != nil {
			return e.fail(ctx, err, a)
		}
	} else if e.renewAt > 0 && e.points >= e.renewAt {
		e.reload()
		return nil
	}
	e.next = a.newest.Add(-(lateSteps - 1) * a.rule.Interval)
	if e.model != nil {
		if after := e.model.Newest().Time.Add(a.rule.Interval); after.After(e.next) {
			e.next = after
		}
	}
	return nil
}

// learn makes the model of the history that was read. Without any value the next ones are its history.
func (e *entry) learn(ctx context.Context, a asking) error {
	points := e.buffer
	if len(points) == 0 {
		return nil
	}
	learned, err := model.New(a.rule, a.lead, points)
	if err != nil {
		return fmt.Errorf("the history cannot be learned: %w", err)
	}
	e.kept = e.held
	e.model, e.points, e.buffer, e.loading, e.renewAt = learned, len(points), nil, false, 0
	if a.rule.Seasons == nil && time.Duration(len(points))*a.rule.Interval < historySpan(a.rule)/2 {
		e.renewAt = 2 * max(fewestToRenew, len(points))
	}
	klog.FromContext(ctx).Info("Learned the history of a demand", "forecast", a.key, "points", len(points), "from", points[0].Time, "season", learned.Seasons().Day)
	return nil
}

// missing says why the newest value is not there.
func missing(last history.Answer, a asking) model.Problem {
	p := model.Problem{Reason: v1alpha1.ForecastNoData}
	switch {
	case last.Newest().Equal(a.newest):
		return model.Problem{}
	case last.Ambiguous.Equal(a.newest):
		p.AtOnce = true
		p.Message = fmt.Sprintf("the query has several series, such as %s and %s; sum() makes one of them", last.Series[0], last.Series[1])
	default:
		p.Message = "the query has no value now; run it against the source"
	}
	return p
}

// turn is how long a forecast waits that could not read its history because others do. All of them together ask some 50
// times a second.
func (l *loop) turn(uid types.UID) time.Duration {
	most := max(500*time.Millisecond, time.Duration(l.entries.count())*20*time.Millisecond)
	return most/2 + delay(uid, most)
}

// mark finds out which points of the past were not the true demand, from the metric that this loop itself exposes. Where
// it is not scraped nothing is known of it, and all points count.
func (l *loop) mark(ctx context.Context, a asking, span history.Span, points []forecast.Point) {
	if len(points) == 0 {
		return
	}
	query := fmt.Sprintf("max(max_over_time(%s{forecast=%s}[%ds])) > 0", censoredMetric, strconv.Quote(a.key.Name), max(1, int64(a.rule.Interval.Seconds())))
	marked, err := l.source.Range(ctx, a.key.Namespace, query, span)
	l.metrics.asked(err)
	if err != nil {
		klog.FromContext(ctx).V(2).Info("It is not known which values were censored", "forecast", a.key, "reason", err.Error())
		return
	}
	at := make(map[int64]bool, len(marked.Points))
	for _, p := range marked.Points {
		at[p.Time.UnixNano()] = true
	}
	for i := range points {
		points[i].Censored = points[i].Censored || at[points[i].Time.UnixNano()]
	}
}
