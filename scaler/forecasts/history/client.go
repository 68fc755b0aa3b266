// SPDX-License-Identifier: Apache-2.0

// Package history reads the past of a demand from the query API: Prometheus' own HTTP API, which the adapter serves
// for each namespace behind the kube-apiserver, as query.plimsoll.dev.
package history

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
)

const (
	// MaxPoints of one request: a week of 5-minute points. An answer of that size has about 50 kB, and Prometheus
	// computes it in some 50 ms, so that nobody else waits for it.
	MaxPoints = 7 * 24 * 12
	// maxSeries of an answer: one is wanted, and a few are read so that the message can name them.
	maxSeries = 5
	// maxBody of an answer: maxSeries with MaxPoints take less than half of it.
	maxBody = 1 << 20
	// Timeout of one request. The API's own limit is 30 s, but who cannot answer a week of points in 10 s is overloaded.
	timeout = 10 * time.Second
	// A value may be that old where the source has none at the very time: as long as Prometheus' own default, but
	// not longer than the points are apart, and not shorter than most targets are scraped.
	longestLookback  = 5 * time.Minute
	shortestLookback = time.Minute
)

// Failure is why a request brought nothing.
type Failure string

const (
	// Invalid: the query is no PromQL, or none that may be asked here.
	Invalid Failure = "invalid"
	// Refused: the query cannot be evaluated.
	Refused Failure = "refused"
	// Forbidden: the API server does not let the scaler ask, or does not know the query API.
	Forbidden Failure = "forbidden"
	// Unreachable: nobody answered, or not in time.
	Unreachable Failure = "unreachable"
)

// Error says why a request brought nothing.
type Error struct {
	Failure Failure
	err     error
	// silent says that nobody answered at all, which all queries of a namespace have in common. A slow or too large query
	// has not: the deadline is ours.
	silent bool
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Client asks the query API. It is safe for concurrent use.
type Client struct {
	transport http.RoundTripper
	base      url.URL
	now       func() time.Time
	timeout   time.Duration
	breakers  breakers
}

// New returns a client that asks query.plimsoll.dev of the API server with the configuration's credentials. now is the
// clock by which it spares a source that does not answer.
func New(config *rest.Config, now func() time.Time) (*Client, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("no client for the query API can be made of the API server's configuration: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("the API server's address %q cannot be read: %w", config.Host, err)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	transport := client.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &Client{transport: limited{transport}, base: *base, now: now, timeout: timeout}, nil
}

// Span is the times to ask for: From, From+Step, ... up to and with To.
type Span struct {
	From, To time.Time
	Step     time.Duration
}

// Next is the part of a span that one request may ask for.
func (s Span) Next() Span {
	if last := s.From.Add((MaxPoints - 1) * s.Step); last.Before(s.To) {
		s.To = last
	}
	return s
}

// Range asks for the values of a query in a namespace, at most MaxPoints of them. The error is an *Error, or the
// context's.
func (c *Client) Range(ctx context.Context, namespace, query string, span Span) (Answer, error) {
	if err := c.breakers.open(namespace, c.now()); err != nil {
		return Answer{}, err
	}
	matrix, err := c.ask(ctx, namespace, query, span.Next())
	if ctx.Err() != nil {
		return Answer{}, ctx.Err()
	}
	c.breakers.note(namespace, c.now(), err)
	if err != nil {
		return Answer{}, err
	}
	return answerOf(matrix), nil
}

func (c *Client) ask(ctx context.Context, namespace, query string, span Span) (model.Matrix, error) {
	address := c.base
	address.Path += "/apis/query.plimsoll.dev/v1alpha1/namespaces/" + url.PathEscape(namespace) + "/sources/default/proxy"
	client, err := api.NewClient(api.Config{Address: address.String(), RoundTripper: c.transport})
	if err != nil {
		return nil, &Error{Failure: Unreachable, err: fmt.Errorf("the query API's address %s cannot be used: %w", address.String(), err)}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	lookback := min(longestLookback, max(shortestLookback, span.Step))
	value, _, err := promv1.NewAPI(client).QueryRange(ctx, query, promv1.Range{Start: span.From, End: span.To, Step: span.Step},
		promv1.WithTimeout(timeout), promv1.WithLookbackDelta(lookback), promv1.WithLimit(maxSeries))
	if err != nil {
		return nil, failure(err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, &Error{Failure: Refused, err: fmt.Errorf("the query has a %s as its result; it must be one series of numbers", value.Type())}
	}
	return matrix, nil
}

// failure classifies what the API's client returns.
func failure(err error) *Error {
	var refused *promv1.Error
	if !errors.As(err, &refused) {
		late := errors.Is(err, context.DeadlineExceeded)
		return &Error{Failure: Unreachable, err: fmt.Errorf("the query API does not answer: %w", err), silent: !late}
	}
	switch {
	case refused.Type == promv1.ErrBadData:
		return &Error{Failure: Invalid, err: fmt.Errorf("the query cannot be used: %s", refused.Msg)}
	case refused.Type == promv1.ErrExec:
		return &Error{Failure: Refused, err: fmt.Errorf("the source refuses the query: %s", refused.Msg)}
	case refused.Type == promv1.ErrClient && strings.HasSuffix(refused.Msg, "403"):
		return &Error{Failure: Forbidden, err: errors.New("the scaler may not ask the query API; it needs the verbs get and create for sources/proxy of query.plimsoll.dev")}
	case refused.Type == promv1.ErrClient && strings.HasSuffix(refused.Msg, "404"):
		return &Error{Failure: Forbidden, err: errors.New("this cluster does not serve query.plimsoll.dev; is Plimsoll's adapter installed?")}
	}
	return &Error{Failure: Unreachable, err: fmt.Errorf("the query API does not answer: %s", refused.Msg), silent: refused.Type == promv1.ErrServer}
}
