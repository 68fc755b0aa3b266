// SPDX-License-Identifier: Apache-2.0

// Package snapshot keeps what the rules' last evaluations said, indexed for reading. A Catalog is the immutable set of
// rules in force; each Entry of it holds the Table of its last good evaluation, swapped whole. A read takes no lock.
package snapshot

import (
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// Object names what a value describes. Namespace is "" for cluster-scoped objects; both are "" for external metrics.
type Object struct{ Namespace, Name string }

// Row is one value: what was measured, when, and by which series.
type Row struct {
	Object Object
	Value  float64        // finite
	Time   time.Time      // when it was measured: the oldest sample that went into it
	Labels []source.Label // the series' other labels, sorted by name; metric selectors match them
}

// Outcome is how the last evaluation of an entry ended.
type Outcome struct {
	Time     time.Time // when it began; zero: never evaluated
	Duration time.Duration
	Err      error // nil: the table was replaced
}

// Entry is one rule in force.
type Entry struct {
	Rule     *rule.Rule
	table    atomic.Pointer[Table]
	outcome  atomic.Pointer[Outcome]
	lastRead atomic.Int64 // unix nanoseconds
}

// Catalog is the set of rules in force. It is immutable; the entries' tables change.
type Catalog struct {
	custom   map[customKey]*Entry
	external map[externalKey]*Entry
	entries  []*Entry
}

type customKey struct {
	namespace string // "" for cluster rules
	resource  schema.GroupResource
	metric    string
}

type externalKey struct{ namespace, metric string }
