// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// signed adds the aggregator's headers to client-go's requests.
type signed struct{ http.RoundTripper }

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	return s.RoundTripper.RoundTrip(as(r.Clone(r.Context()), hpaAccount))
}

// listed is what client-go says that the server serves: "group/version name".
func (f *fixture) listed(t *testing.T, legacy bool) []string {
	client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: f.url, Transport: signed{f.client.Transport}})
	require.NoError(t, err)
	client.UseLegacyDiscovery = legacy
	_, lists, err := client.ServerGroupsAndResources()
	require.NoError(t, err)
	var out []string
	for _, l := range lists {
		for _, r := range l.APIResources {
			out = append(out, l.GroupVersion+" "+r.Name+" "+r.Kind+map[bool]string{true: " namespaced"}[r.Namespaced])
		}
	}
	slices.Sort(out)
	return out
}

func TestDiscoveryListsEveryMetricOnce(t *testing.T) {
	f := newFixture(t, podRule("", "online_users"), podRule("shop", "own"), podRule("bank", "own"), podRule("shop", "online_users"), objectRule("", "load", nodes), externalRule("", "queue_length"), externalRule("shop", "queue_length"))
	f.start(t)
	want := []string{
		"custom.metrics.k8s.io/v1beta1 nodes/load MetricValueList",
		"custom.metrics.k8s.io/v1beta1 pods/online_users MetricValueList namespaced",
		"custom.metrics.k8s.io/v1beta1 pods/own MetricValueList namespaced",
		"custom.metrics.k8s.io/v1beta2 nodes/load MetricValueList",
		"custom.metrics.k8s.io/v1beta2 pods/online_users MetricValueList namespaced",
		"custom.metrics.k8s.io/v1beta2 pods/own MetricValueList namespaced",
		"external.metrics.k8s.io/v1beta1 queue_length ExternalMetricValueList namespaced",
		"query.plimsoll.dev/v1alpha1 memberdemands MemberDemand",
		"query.plimsoll.dev/v1alpha1 metrics/explain Metric namespaced",
		"query.plimsoll.dev/v1alpha1 sources/proxy SourceProxyOptions namespaced",
	}
	require.Equal(t, want, f.listed(t, false))
	require.Equal(t, want, f.listed(t, true))

	catalog, _ := snapshot.NewCatalog([]*rule.Rule{podRule("", "orders")}, nil)
	f.options.Store.Swap(catalog)
	require.Contains(t, f.listed(t, false), "custom.metrics.k8s.io/v1beta2 pods/orders MetricValueList namespaced")
	require.NotContains(t, f.listed(t, false), want[4])
	require.Contains(t, f.listed(t, true), "custom.metrics.k8s.io/v1beta2 pods/orders MetricValueList namespaced")
	require.NotContains(t, f.listed(t, true), want[4])
}

func TestDiscoveryWithoutRules(t *testing.T) {
	f := newFixture(t)
	f.options.APIs.Query = false
	f.start(t)
	require.Empty(t, f.listed(t, false))
	require.Empty(t, f.listed(t, true))
	got := f.get(t, "/apis/custom.metrics.k8s.io/v1beta2", "Accept", "application/json")
	require.JSONEq(t, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"custom.metrics.k8s.io/v1beta2","resources":[]}`, got.body)
}

// TestDiscoveryDocumentsAreTheLibrarys compares the documents kept with those that the library makes for each request.
func TestDiscoveryDocumentsAreTheLibrarys(t *testing.T) {
	f := shop(t).start(t)
	for _, path := range []string{"/apis/custom.metrics.k8s.io/v1beta1", "/apis/custom.metrics.k8s.io/v1beta2", "/apis/external.metrics.k8s.io/v1beta1"} {
		for _, accept := range []string{"application/json", "application/json, */*", hpaAccept, ""} {
			kept, made := f.get(t, path, "Accept", accept), f.get(t, path+"?timeout=30s", "Accept", accept)
			require.Equal(t, made.status, kept.status)
			require.Equal(t, made.body, kept.body)
			require.Equal(t, made.header.Get("Content-Type"), kept.header.Get("Content-Type"))
			etag := kept.header.Get("ETag")
			require.NotEmpty(t, etag)
			again := f.get(t, path, "Accept", accept, "If-None-Match", etag)
			require.Equal(t, http.StatusNotModified, again.status)
			require.Empty(t, again.body)
		}
		require.Equal(t, http.StatusOK, f.get(t, path, "Accept", "application/yaml").status, "left to the library")
	}
}

func TestDiscoveryServesOnlyTheChosenAPIs(t *testing.T) {
	f := shop(t)
	f.options.APIs = APIs{External: true}
	f.start(t)
	for _, resource := range f.listed(t, false) {
		require.Contains(t, resource, "external.metrics.k8s.io/")
	}
	require.Equal(t, http.StatusNotFound, f.get(t, v1beta2+"shop/pods/x-1/online_users", "Accept", hpaAccept).status)
	require.Equal(t, http.StatusOK, f.get(t, external+"shop/orders", "Accept", hpaAccept).status)
	require.Len(t, APIs{Custom: true, External: true, Query: true}.Groups(), 4)
}

func BenchmarkDiscovery(b *testing.B) {
	var rules []*rule.Rule
	for i := range 1000 {
		rules = append(rules, podRule("", "metric_"+string(rune('a'+i%26))+string(rune('a'+i/26))))
	}
	f := newFixture(b, rules...)
	d := &directory{store: f.options.Store, apis: APIs{Custom: true}}
	h := d.handler(http.NotFoundHandler())
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "/apis/custom.metrics.k8s.io/v1beta2", nil)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&discard{header: http.Header{}}, r)
	}
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}
