// SPDX-License-Identifier: Apache-2.0

// Package evaluate turns rules into values: one query for each demanded rule and interval, whoever and however many read
// it. A rule is demanded while an HPA names its metric or somebody has read it lately; every other rule is evaluated once,
// when it appears or changes, so that its status is never blank, and then rests.
package evaluate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// The bounds of one evaluation's time: it has ended before the next one is due, but a short interval leaves a source
// time to answer, and a long one does not keep a connection open for minutes.
const (
	shortestTimeout = 2 * time.Second
	longestTimeout  = 10 * time.Second
)

// timesLimit is how many sample times a selector may have whatever the rule's maxSeries: topk(5, x) has those of all x.
const timesLimit = 100_000

// Ask puts a question to the first source that answers it; see source.Failover.
type Ask func(ctx context.Context, question func(context.Context, source.Source) error) error

// once evaluates a rule and publishes its table, or records why there is none.
func (l *Loop) once(ctx context.Context, e *snapshot.Entry) error {
	started := l.now()
	ctx, cancel := context.WithTimeout(ctx, timeout(e.Rule.Interval))
	defer cancel()
	evaluated := l.query
	if e.Rule.Members {
		evaluated = l.sum
	}
	table, from, err := evaluated(ctx, e, started)
	outcome := snapshot.Outcome{Time: started, Duration: l.now().Sub(started), Source: from, Err: err}
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return err // the adapter is ending: that says nothing about the rule
	}
	if err != nil {
		e.Fail(outcome)
		klog.FromContext(ctx).V(2).Info("Evaluation failed", "rule", e.Rule.Key, "source", from, "err", err, "detail", source.Detail(err))
	} else {
		e.Publish(table, outcome)
	}
	l.metrics.observe(e.Rule.Key, outcome)
	return err
}

func timeout(interval time.Duration) time.Duration {
	return min(max(interval, shortestTimeout), longestTimeout)
}

func (l *Loop) query(ctx context.Context, e *snapshot.Entry, now time.Time) (*snapshot.Table, string, error) {
	var builder *snapshot.Builder
	var from string
	err := l.ask(ctx, func(ctx context.Context, s source.Source) (err error) {
		from = s.Name()
		builder, err = answer(ctx, e, s, e.Table(), now)
		return err
	})
	if err != nil {
		return nil, from, fmt.Errorf("evaluating %s: %w", e.Rule.Key, err)
	}
	table, err := builder.Table(from)
	if err != nil {
		return nil, from, fmt.Errorf("evaluating %s: %w", e.Rule.Key, err)
	}
	return table, from, nil
}

// answer asks one source. previous is what the rule's query said before; nil if nothing.
func answer(ctx context.Context, e *snapshot.Entry, s source.Source, previous *snapshot.Table, now time.Time) (*snapshot.Builder, error) {
	q := source.Query{Expr: e.Rule.Expr, Time: now, Lookback: e.Rule.MaxAge, MaxSeries: answerLimit(e)}
	builder := snapshot.NewBuilder(e.Rule, now, previous)
	return builder, s.Instant(ctx, q, builder.Add)
}

// answerLimit bounds the combined answer: the builder counts the rule's own series; this keeps the sample times, which may be of
// more objects than the query picks, from being endless.
func answerLimit(e *snapshot.Entry) int {
	if e.Rule.MaxSeries == 0 {
		return 0
	}
	return (max(e.Rule.MaxSeries, timesLimit) + 1) * (len(e.Rule.Times) + 1)
}
