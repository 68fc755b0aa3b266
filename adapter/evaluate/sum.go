// SPDX-License-Identifier: Apache-2.0

package evaluate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/plimsoll/plimsoll/adapter/members"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// sum evaluates a rule in every member cluster and adds up the answers. A cluster that does not answer counts with its last
// values as long as they may be served; once they may not, the whole evaluation fails, because a sum without it would be a
// lie. Only a cluster that was declared Failed counts as 0.
func (l *Loop) sum(ctx context.Context, e *snapshot.Entry, now time.Time) (*snapshot.Table, string, error) {
	all, err := l.members()
	if err != nil {
		return nil, "members", fmt.Errorf("evaluating %s: %w", e.Rule.Key, err)
	}
	before := map[string]*snapshot.Table{}
	if t := e.Table(); t != nil && t.Parts != nil {
		before = t.Parts
	}
	var mu sync.Mutex
	var missing []string
	var asking sync.WaitGroup
	said := map[string]snapshot.Part{}
	for _, m := range all {
		if m.Failed {
			missing = append(missing, m.Name)
			continue
		}
		asking.Go(func() {
			part := l.part(ctx, e, m, before[m.Name], now)
			mu.Lock()
			defer mu.Unlock()
			said[m.Name] = part
		})
	}
	asking.Wait()
	e.NoteParts(said)
	slices.Sort(missing)
	parts := map[string]*snapshot.Table{}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if said[name].Table == nil {
			return nil, "members", fmt.Errorf("evaluating %s: %w (member %s)", e.Rule.Key, said[name].Err, name)
		}
		parts[name] = said[name].Table
	}
	table, err := snapshot.Sum(e.Rule, now, parts, missing)
	if err != nil {
		return nil, "members", fmt.Errorf("evaluating %s: %w", e.Rule.Key, err)
	}
	return table, table.Source, nil
}

// part evaluates a rule in one cluster, or falls back on what it said last.
func (l *Loop) part(ctx context.Context, e *snapshot.Entry, m members.Member, last *snapshot.Table, now time.Time) snapshot.Part {
	table, err := tableOf(ctx, e, m, last, now)
	if err == nil {
		return snapshot.Part{Table: table}
	}
	if last != nil && !last.Oldest().IsZero() && now.Sub(last.Oldest()) <= e.Limit() {
		return snapshot.Part{Table: last, Err: err}
	}
	return snapshot.Part{Err: err}
}

func tableOf(ctx context.Context, e *snapshot.Entry, m members.Member, last *snapshot.Table, now time.Time) (*snapshot.Table, error) {
	if m.Problem != nil {
		return nil, m.Problem
	}
	if m.External != nil {
		return external(ctx, e, m.External, last, now)
	}
	builder, err := answer(ctx, e, m.Source, last, now)
	if err != nil {
		return nil, err
	}
	return builder.Table(m.Source.Name())
}

// external gets the member's own external metric that the rule's is called, in place of the query's result.
func external(ctx context.Context, e *snapshot.Entry, x *source.External, last *snapshot.Table, now time.Time) (*snapshot.Table, error) {
	r := e.Rule
	switch {
	case r.Object != nil:
		return nil, fmt.Errorf("%w: an external metric describes no object: remove spec.object, or give the member spec.metrics.url", source.ErrRefused)
	case r.Key.Namespace == "":
		return nil, fmt.Errorf("%w: a ClusterMetricRule has no namespace, and %s are in one: write a MetricRule, or give the member spec.metrics.url", source.ErrRefused, x.Name())
	case r.Guard != "":
		return nil, fmt.Errorf("%w: spec.guard is PromQL, which %s do not know: put it into the member's own rule, or give the member spec.metrics.url", source.ErrRefused, x.Name())
	}
	builder := snapshot.NewBuilder(r, now, last)
	err := x.Values(ctx, r.Key.Namespace, r.Metric, func(s source.Sample, measured time.Time) error {
		if of := s.Get(snapshot.IncompleteLabel); of != "" {
			return fmt.Errorf("%w: the value is itself a sum without %s (%s)", source.ErrPartial, of, x.Name())
		}
		return builder.AddStamped(s, measured)
	})
	if err != nil {
		return nil, err
	}
	table, err := builder.Table(x.Name())
	if err != nil {
		return nil, err
	}
	switch d := table.Dropped; {
	case d.OtherNamespace == table.Series:
		return nil, fmt.Errorf("%w: all values name another namespace, for example %s (%s)", source.ErrPartial, d.OtherNamespaceExample, x.Name())
	case d.Duplicates > 0:
		return nil, fmt.Errorf("%w: %s with equal labels (%s)", source.ErrPartial, d.DuplicateExample, x.Name())
	}
	return table, nil
}
