// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"

	"github.com/plimsoll/plimsoll/adapter/objects"
)

// gzipFrom is the size from which the library compresses answers; the fast path leaves those to it.
const gzipFrom = 128 * 1024

// selectorsKept bounds the cache of parsed selectors.
const selectorsKept = 16384

// fastPath answers hot reads itself and passes everything else on. It stands behind authentication and authorization.
type fastPath struct {
	reader  *reader
	metrics *Metrics
	next    http.Handler

	customOn, externalOn bool

	selectors *lru.Cache[string, *parsedSelector]
	scratch   sync.Pool // *scratch
}

// parsedSelector is one selector, in the forms that reads need.
type parsedSelector struct {
	objects *objects.Selector
	labels  labels.Selector // nil: everything
	encoded []byte          // as a LabelSelector in the answer; nil: none
}

// scratch is the memory of one read.
type scratch struct {
	answer  answer
	encoder encoder
}

func newFastPath(r *reader, m *Metrics, apis APIs, next http.Handler) (*fastPath, error) {
	cache, err := lru.New[string, *parsedSelector](selectorsKept)
	if err != nil {
		return nil, err
	}
	f := &fastPath{reader: r, metrics: m, next: next, customOn: apis.Custom, externalOn: apis.External, selectors: cache}
	f.scratch.New = func() any { return &scratch{} }
	return f, nil
}

func (f *fastPath) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, ok := parseHot(r)
	if !ok || (q.external && !f.externalOn) || (!q.external && !f.customOn) || !f.serve(w, r, &q) {
		f.next.ServeHTTP(w, r)
	}
}

// serve answers a hot read. It writes nothing and returns false if the library has to answer.
func (f *fastPath) serve(w http.ResponseWriter, r *http.Request, q *hotRead) bool {
	started := time.Now()
	selector, err := f.selector(q.selector)
	if err != nil {
		return false
	}
	matching, err := f.selector(q.matching)
	if err != nil {
		return false
	}
	s := f.scratch.Get().(*scratch)
	defer f.scratch.Put(s)
	kind, body, err := f.answer(r.Context(), q, s, selector, matching)
	if err == nil && len(body) > gzipFrom {
		return false
	}
	if err != nil {
		gv := schema.GroupVersion{Group: q.group(), Version: q.version}
		responsewriters.ErrorNegotiated(err, apiserver.Codecs, gv, w, r)
	} else {
		w.Header()["Content-Type"] = contentType
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body) // if the client went away nothing is left to say
	}
	f.metrics.fast(kind, err, time.Since(started))
	return true
}

var contentType = []string{protobufType}

// answer looks the values up and encodes them.
func (f *fastPath) answer(ctx context.Context, q *hotRead, s *scratch, selector, matching *parsedSelector) (readKind, []byte, error) {
	if q.external {
		if err := f.reader.external(ctx, q.namespace, q.metric, selector.labels, &s.answer); err != nil {
			return kindExternal, nil, err
		}
		return kindExternal, s.encoder.external(q.metric, &s.answer), nil
	}
	read := customRead{namespace: q.namespace, resource: schema.ParseGroupResource(q.resource), metric: q.metric, name: q.name, matching: matching.labels}
	if q.name == "*" {
		read.selector = selector.objects
	}
	if err := f.reader.custom(ctx, &read, &s.answer); err != nil {
		return customKind(&read), nil, err
	}
	return customKind(&read), s.encoder.custom(q.version, q.metric, matching.encoded, &s.answer), nil
}

var everything = &parsedSelector{objects: objects.NewSelector(nil)}

// selector parses a selector that is still percent-encoded, or finds it parsed.
func (f *fastPath) selector(raw string) (*parsedSelector, error) {
	if raw == "" {
		return everything, nil
	}
	if s, ok := f.selectors.Get(raw); ok {
		return s, nil
	}
	text, err := url.QueryUnescape(raw)
	if err != nil {
		return nil, err
	}
	parsed, err := labels.Parse(text)
	if err != nil {
		return nil, err
	}
	s := &parsedSelector{objects: objects.NewSelector(parsed), labels: orNil(parsed)}
	if s.encoded, err = encodeSelector(selectorOf(s.labels)); err != nil {
		return nil, err
	}
	f.selectors.Add(strings.Clone(raw), s) // raw points into the whole URL
	return s, nil
}
