// SPDX-License-Identifier: Apache-2.0

// Package source asks a Prometheus-compatible source for the values of rules. There are two sources: a remote HTTP
// API (package source) and the embedded engine (package source/embedded). Both answer one instant query at a time,
// series by series, so that an answer of 100,000 series is never held twice.
package source

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Query is one instant evaluation.
type Query struct {
	Expr     string        // PromQL, already scoped to the rule's namespace
	Time     time.Time     // evaluation time
	Lookback time.Duration // how old a sample may be and still count; the rule's maxAge
	// MaxSeries ends the evaluation with ErrTooManySeries once the answer has more series; 0: no limit.
	MaxSeries int
}

// Label is one label of a result series.
type Label struct{ Name, Value string }

// Sample is one series of an instant answer. Labels is reused between calls; its strings stay valid.
type Sample struct {
	Labels []Label
	Value  float64
}

// Get returns the value of the label, "" if the series has none of that name.
func (s Sample) Get(name string) string {
	for _, l := range s.Labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// A Source evaluates PromQL. Implementations are safe for concurrent use.
type Source interface {
	// Name says where the values come from, for status and explain; never with credentials.
	Name() string
	// Instant evaluates q and calls each once for every series. An error, of each or of the source, means that the
	// whole answer must be thrown away, also when each was called before. An answer with warnings is ErrPartial.
	Instant(ctx context.Context, q Query, each func(Sample) error) error
	// API is Prometheus' own HTTP API, read-only and not scoped to a namespace: /api/v1/query, query_range, series,
	// labels, label/<name>/values.
	API() http.Handler
}

// The causes by which evaluations fail; wrapped, so that status, metrics and explain can name them.
var (
	ErrUnreachable   = errors.New("the source cannot be reached")
	ErrRefused       = errors.New("the source refused the query") // 4xx, PromQL errors
	ErrBroken        = errors.New("the source failed")            // 5xx
	ErrBadAnswer     = errors.New("the answer cannot be read")    // truncated or malformed
	ErrPartial       = errors.New("the answer is partial")        // warnings
	ErrTooManySeries = errors.New("the answer has too many series")
	ErrTimeout       = errors.New("the source did not answer in time")
)
