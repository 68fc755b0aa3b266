// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/plimsoll/plimsoll/adapter/objects"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// Demand evaluates a rule that nobody demanded until now. It returns when the entry has an answer or an error, or with ctx.
type Demand func(ctx context.Context, e *snapshot.Entry) error

// firstAnswer is how long a read waits for a rule that nobody demanded until now. The HPA sets no time limit of its own.
const firstAnswer = 800 * time.Millisecond

// reader looks values up. It is what the fast path and the library's handlers share.
type reader struct {
	store   *snapshot.Store
	objects *objects.Objects
	demand  Demand
	now     func() time.Time
}

// customRead is one read of a custom metric: of the object named name, or of all that selector means.
type customRead struct {
	namespace string // "" for the route without a namespace
	resource  schema.GroupResource
	metric    string
	name      string
	selector  *objects.Selector // nil: name counts
	matching  labels.Selector   // of the series' other labels; nil: all
}

// namespaces is the resource whose objects are themselves the namespace that a rule may be limited to.
var namespaces = schema.GroupResource{Resource: "namespaces"}

// ruleNamespace is where rules for the read are looked for.
func (q *customRead) ruleNamespace() string {
	if q.resource == namespaces && q.selector == nil {
		return q.name
	}
	return q.namespace
}

// answer is what a read found; reused by the fast path.
type answer struct {
	entry *snapshot.Entry
	rows  []*snapshot.Row
	names []string // scratch
}

// custom answers a read of a custom metric. Errors are *apierrors.StatusError.
func (r *reader) custom(ctx context.Context, q *customRead, a *answer) error {
	a.rows, a.names = a.rows[:0], a.names[:0]
	if q.resource == namespaces && q.namespace != "" && q.name != q.namespace {
		return otherNamespace(q) // the caller was authorized for q.namespace
	}
	catalog := r.store.Catalog()
	e := catalog.Custom(q.ruleNamespace(), q.resource, q.metric)
	if e == nil {
		return unknownCustom(catalog, q)
	}
	now := r.now()
	t := r.table(ctx, e, now)
	a.entry = e
	if q.selector == nil {
		return r.one(q, t, a, now)
	}
	return r.several(ctx, q, t, a)
}

// table is the entry's last good answer, nil if there is none. A rule that rested is evaluated first.
func (r *reader) table(ctx context.Context, e *snapshot.Entry, now time.Time) *snapshot.Table {
	e.MarkRead(now)
	if r.demand != nil && e.Cold(now) {
		ctx, cancel := context.WithTimeout(ctx, firstAnswer)
		defer cancel()
		_ = r.demand(ctx, e) // the entry remembers why it failed
	}
	return e.Table()
}

// objectNamespace is the namespace of the described objects: that of the request, but none for cluster-scoped ones, which
// the HPA asks for under its own namespace.
func objectNamespace(e *snapshot.Entry, namespace string) string {
	if e.Rule.Object.Namespaced {
		return namespace
	}
	return ""
}

func (r *reader) one(q *customRead, t *snapshot.Table, a *answer, now time.Time) error {
	e := a.entry
	what := q.resource.String() + " " + q.name
	if t == nil {
		return unavailable(e.Missing(what))
	}
	if e.Rule.Object.Namespaced && q.namespace == "" {
		return needsNamespace(q)
	}
	rows := t.Find(snapshot.Object{Namespace: objectNamespace(e, q.namespace), Name: q.name})
	row, unusable, err := choose(e, rows, q.matching, now)
	switch {
	case err != nil:
		return err
	case row != nil:
		a.rows = append(a.rows, row)
		return nil
	case unusable != nil:
		return serveable(e, unusable, now)
	}
	return noValue(e, what+matchingText(q.matching))
}

// several leaves out objects whose value is missing or stale: the HPA counts them conservatively. Without any value left the
// answer is an error.
func (r *reader) several(ctx context.Context, q *customRead, t *snapshot.Table, a *answer) error {
	e := a.entry
	object := e.Rule.Object
	if object.Namespaced && q.namespace == "" {
		return needsNamespace(q)
	}
	namespace := objectNamespace(e, q.namespace)
	in := objects.In{Resource: object.Resource.WithVersion(object.Kind.Version), Namespace: namespace}
	var err error
	if a.names, err = r.objects.AppendNames(ctx, a.names, in, q.selector); err != nil {
		return unavailable(fmt.Errorf("%s: %w", e.Rule.Key, err))
	}
	if len(a.names) == 0 {
		return noObjects(q)
	}
	if t == nil {
		return unavailable(e.Missing(fmt.Sprintf("any of %d %s", len(a.names), q.resource)))
	}
	now := r.now() // a first read may have waited
	var unusable *snapshot.Row
	for _, name := range a.names {
		row, bad, err := choose(e, t.Find(snapshot.Object{Namespace: namespace, Name: name}), q.matching, now)
		if err != nil {
			return err
		}
		if row != nil {
			a.rows = append(a.rows, row)
		} else if bad != nil {
			unusable = bad
		}
	}
	if len(a.rows) > 0 {
		return nil
	}
	if unusable != nil {
		return serveable(e, unusable, now)
	}
	return noValue(e, fmt.Sprintf("any of %d %s%s", len(a.names), q.resource, matchingText(q.matching)))
}

// choose returns the one matching row of an object that may be served. Without one it returns a matching row that may not be
// served, if there is one. Two that may be served are an error.
func choose(e *snapshot.Entry, rows []snapshot.Row, matching labels.Selector, now time.Time) (chosen, unusable *snapshot.Row, err error) {
	for i := range rows {
		row := &rows[i]
		if matching != nil && !matching.Matches(row) {
			continue
		}
		switch {
		case !e.Usable(row, now) || !readable(row.Value):
			unusable = row
		case chosen != nil:
			return nil, nil, ambiguous(e, chosen, row)
		default:
			chosen = row
		}
	}
	return chosen, unusable, nil
}

// serveable says why a row must not be served, nil if it may be.
func serveable(e *snapshot.Entry, row *snapshot.Row, now time.Time) error {
	if !e.Usable(row, now) {
		return unavailable(e.Why(row, now))
	}
	if !readable(row.Value) {
		return tooLarge(e, row)
	}
	return nil
}

// external answers a read of an external metric with all rows that match. One stale row fails the whole read: the HPA sums
// them, and the sum of the others would be too small.
func (r *reader) external(ctx context.Context, namespace, metric string, matching labels.Selector, a *answer) error {
	a.rows = a.rows[:0]
	catalog := r.store.Catalog()
	e := catalog.External(namespace, metric)
	if e == nil {
		return unknownExternal(catalog, namespace, metric)
	}
	t := r.table(ctx, e, r.now())
	a.entry = e
	if t == nil {
		return unavailable(e.Missing("the cluster"))
	}
	now := r.now()
	if err := a.matching(t, matching); err != nil {
		return err
	}
	for _, row := range a.rows {
		if err := serveable(e, row, now); err != nil {
			return err
		}
	}
	return nil
}

// matching collects the rows of an external metric that a selector means.
func (a *answer) matching(t *snapshot.Table, selector labels.Selector) error {
	rows := t.Rows()
	positions, indexed := candidates(t, selector)
	if !indexed {
		for i := range rows {
			if selector == nil || selector.Matches(&rows[i]) {
				a.rows = append(a.rows, &rows[i])
			}
		}
	}
	for _, i := range positions {
		if selector.Matches(&rows[i]) {
			a.rows = append(a.rows, &rows[i])
		}
	}
	if len(a.rows) == 0 {
		return noSeries(a.entry, rows, selector)
	}
	return nil
}

// candidates narrows the rows down by the first requirement that names a label's value; ok is false if there is none, or no
// index.
func candidates(t *snapshot.Table, selector labels.Selector) (positions []int32, ok bool) {
	if selector == nil {
		return nil, false
	}
	requirements, selectable := selector.Requirements()
	if !selectable {
		return nil, false
	}
	for i := range requirements {
		name := requirements[i].Key()
		if value, exact := selector.RequiresExactMatch(name); exact {
			return t.Labelled(name, value)
		}
	}
	return nil, false
}
