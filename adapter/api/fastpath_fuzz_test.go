// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
)

var resolver = &request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}

// FuzzFastPath compares what the fast path makes of a request with RequestInfo, by which it was authorized, and its answer
// with that of the library's handlers.
func FuzzFastPath(f *testing.F) {
	for _, read := range reads {
		path, query, _ := strings.Cut(read.path, "?")
		path, err := url.PathUnescape(path)
		require.NoError(f, err)
		f.Add(path, query)
	}
	for _, path := range []string{
		v1beta2 + "shop/metrics/budget/x", v1beta2 + "shop/status/x/online_users", v1beta2 + "shop/pods//online_users", v1beta2 + "shop/pods/x-1/online_users/",
		v1beta2 + "*/metrics/budget", external + "shop/status", external + "shop/queue_length/x", v1beta2 + "/pods/x/y", "/apis/custom.metrics.k8s.io/v1beta2/watch/namespaces/shop/pods/x/y",
		v1beta2 + "metrics/metrics/metrics", v1beta2 + "shop/metrics/x/y", v1beta2 + "shop/pods.v1./x-1/online_users", v1beta2 + "shop/./../online_users",
	} {
		f.Add(path, "labelSelector=app%3Dx")
		f.Add(path, "labelSelector=app%3Dx&labelSelector=app%3Dy")
		f.Add(path, "labelSelector=%zz&metricLabelSelector=a")
		f.Add(path, "watch=true&fieldSelector=metadata.name%3Dx")
		f.Add(path, "labelSelector")
	}
	fixture := shop(f)
	fixture.options.Objects = fixture.cluster.objects(f)
	server, err := New(fixture.options)
	require.NoError(f, err)
	metrics, err := NewMetrics(prometheus.NewRegistry())
	require.NoError(f, err)
	lookup := &reader{store: fixture.options.Store, objects: fixture.options.Objects, now: fixture.options.Now}
	fast, err := newFastPath(lookup, metrics, fixture.options.APIs, http.NotFoundHandler())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, path, query string) {
		r := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{"Accept": {hpaAccept}}}).WithContext(t.Context())
		q, ok := parseHot(r)
		if !ok {
			return
		}
		info, err := resolver.NewRequestInfo(r)
		require.NoError(t, err)
		sameMeaning(t, q, info)
		short, err := hotInfo{resolver}.NewRequestInfo(r)
		require.NoError(t, err)
		require.Equal(t, info, short)
		r = r.WithContext(request.WithRequestInfo(r.Context(), info))
		got, want := httptest.NewRecorder(), httptest.NewRecorder()
		if !fast.serve(got, r, &q) {
			return
		}
		server.generic.Handler.Director.ServeHTTP(want, r.Clone(r.Context()))
		require.Equal(t, want.Code, got.Code)
		require.Equal(t, want.Header(), got.Header())
		require.Equal(t, want.Body.String(), got.Body.String())
	})
}

func sameMeaning(t *testing.T, q hotRead, info *request.RequestInfo) {
	require.True(t, info.IsResourceRequest)
	require.Equal(t, info.APIGroup, q.group())
	require.Equal(t, info.APIVersion, q.version)
	switch {
	case q.external:
		require.Equal(t, []string{"list", info.Namespace, info.Resource, "", ""}, []string{info.Verb, q.namespace, q.metric, info.Name, info.Subresource})
	case q.resource == "namespaces" && q.namespace == "":
		require.Equal(t, []string{"get", info.Namespace, "metrics", info.Name, ""}, []string{info.Verb, q.name, info.Resource, q.metric, info.Subresource})
	default:
		require.Equal(t, []string{"get", info.Namespace, info.Resource, info.Name, info.Subresource}, []string{info.Verb, q.namespace, q.resource, q.name, q.metric})
	}
}
