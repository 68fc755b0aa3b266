// SPDX-License-Identifier: Apache-2.0

// Package queryapi serves the read-only part of Prometheus' HTTP API in front of the adapter's source, for one namespace
// or for the whole cluster. Who may read which of the two is decided before a request comes here.
package queryapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/plimsoll/plimsoll/adapter/source"
)

const (
	maxForm    = 1 << 20          // bytes of a request's form
	maxTimeout = 30 * time.Second // of one request
	maxPoints  = 11_000           // per series of a range query; Prometheus' own limit
	maxListed  = 50_000           // series, labels or values in one answer
)

// namespaceLabel is the label by which series belong to a namespace.
const namespaceLabel = "namespace"

// Handler passes requests to the source that answered last.
type Handler struct {
	source *source.Failover
	parser parser.Parser
	places *places
}

// New returns the API of a source.
func New(f *source.Failover) *Handler {
	return &Handler{source: f, parser: parser.NewParser(parser.Options{}), places: newPlaces()}
}

// ServeNamespace serves /api/v1/query, query_range, series, labels and label/<name>/values. With a namespace, every
// selector of a request is limited to series with namespace="<it>"; "" is the whole cluster.
func (h *Handler) ServeNamespace(namespace string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endpoint, ok := source.Endpoint(r.URL.Path)
		switch {
		case !ok:
			source.WriteError(w, http.StatusNotFound, "not_found", "served are /api/v1/query, query_range, series, labels and label/<name>/values")
		case r.Method != http.MethodGet && (r.Method != http.MethodPost || endpoint == "label"):
			w.Header().Set("Allow", "GET, POST")
			source.WriteError(w, http.StatusMethodNotAllowed, "bad_data", "use GET, or POST with a form")
		default:
			h.serve(w, r, endpoint, namespace)
		}
	})
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, endpoint, namespace string) {
	form, err := parse(w, r)
	if err != nil {
		source.WriteError(w, http.StatusBadRequest, "bad_data", err.Error())
		return
	}
	checked, timeout, err := h.check(endpoint, namespace, form)
	if err != nil {
		source.WriteError(w, http.StatusBadRequest, "bad_data", err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	leave, err := h.places.take(ctx, namespace)
	if err != nil {
		source.WriteError(w, http.StatusServiceUnavailable, "unavailable", "too many queries at once; try again later")
		return
	}
	defer leave()
	h.source.API().ServeHTTP(w, request(ctx, r, endpoint, checked))
}

// parse reads the form from the URL and the body.
func parse(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > maxForm {
		return nil, errors.New("the query string is longer than 1 MiB")
	}
	if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, errors.New("the body must be a form (Content-Type: application/x-www-form-urlencoded)")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	return r.Form, nil
}

// request is what the source is asked: nothing of r but the checked form, and how the answer may be encoded.
func request(ctx context.Context, r *http.Request, endpoint string, form url.Values) *http.Request {
	out := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: r.URL.Path}, Header: http.Header{}, Host: "source",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	for _, name := range []string{"Accept", "Accept-Encoding"} {
		if v := r.Header.Values(name); len(v) > 0 {
			out.Header[name] = v
		}
	}
	encoded := form.Encode()
	if endpoint == "label" { // Prometheus serves it for GET only
		out.Method, out.URL.RawQuery, out.Body = http.MethodGet, encoded, http.NoBody
		return out.WithContext(ctx)
	}
	out.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	out.Header.Set("Content-Length", strconv.Itoa(len(encoded)))
	out.ContentLength = int64(len(encoded))
	out.Body = io.NopCloser(strings.NewReader(encoded))
	return out.WithContext(ctx)
}
