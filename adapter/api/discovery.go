// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery/aggregated"
	"k8s.io/apiserver/pkg/endpoints/handlers/negotiation"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// directory says which metrics there are. Every API server asks each version five times in 30 s, and the list is long where
// there are many rules: it is made and encoded once for each change. It is brought up to date when somebody asks.
type directory struct {
	store   *snapshot.Store
	apis    APIs
	manager aggregated.ResourceManager // nil until the server exists

	lists atomic.Pointer[metricLists]
	group http.Handler // the custom metrics' group, with both versions
	mu    sync.Mutex   // held while lists change
}

// metricLists is what one catalog has; immutable.
type metricLists struct {
	catalog   *snapshot.Catalog
	custom    []provider.CustomMetricInfo
	external  []provider.ExternalMetricInfo
	documents map[string]map[string]document // by path, then by media type
}

// document is an encoded APIResourceList.
type document struct {
	body []byte
	etag string // quoted
}

func (d *directory) custom() []provider.CustomMetricInfo     { return d.current().custom }
func (d *directory) external() []provider.ExternalMetricInfo { return d.current().external }

// current is the lists of the catalog in force.
func (d *directory) current() *metricLists {
	catalog := d.store.Catalog()
	if l := d.lists.Load(); l != nil && l.catalog == catalog {
		return l
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.lists.Load()
	if old != nil && old.catalog == catalog {
		return old
	}
	l := &metricLists{catalog: catalog, custom: customInfos(catalog), external: externalInfos(catalog)}
	if old != nil && slices.Equal(old.custom, l.custom) && slices.Equal(old.external, l.external) {
		l.documents = old.documents
	} else {
		l.documents = d.encode(l)
		d.publish(l)
	}
	d.lists.Store(l)
	return l
}

// customInfos names each metric of a resource once, however many namespaces define it.
func customInfos(c *snapshot.Catalog) []provider.CustomMetricInfo {
	out := []provider.CustomMetricInfo{}
	seen := map[provider.CustomMetricInfo]bool{}
	for _, e := range c.Entries() {
		if o := e.Rule.Object; o != nil {
			info := provider.CustomMetricInfo{GroupResource: o.Resource, Namespaced: o.Namespaced, Metric: e.Rule.Metric}
			if !seen[info] {
				seen[info] = true
				out = append(out, info)
			}
		}
	}
	slices.SortFunc(out, func(a, b provider.CustomMetricInfo) int {
		return bytes.Compare([]byte(a.GroupResource.String()+"/"+a.Metric), []byte(b.GroupResource.String()+"/"+b.Metric))
	})
	return out
}

func externalInfos(c *snapshot.Catalog) []provider.ExternalMetricInfo {
	names := []string{}
	for _, e := range c.Entries() {
		if e.Rule.Object == nil {
			names = append(names, e.Rule.Metric)
		}
	}
	slices.Sort(names)
	out := []provider.ExternalMetricInfo{}
	for _, name := range slices.Compact(names) {
		out = append(out, provider.ExternalMetricInfo{Metric: name})
	}
	return out
}

// frozen shows one state of the lists to the library's resource lister.
type frozen struct {
	provider.CustomMetricsProvider
	provider.ExternalMetricsProvider
	lists *metricLists
}

func (f frozen) ListAllMetrics() []provider.CustomMetricInfo           { return f.lists.custom }
func (f frozen) ListAllExternalMetrics() []provider.ExternalMetricInfo { return f.lists.external }

// encode makes the documents of every version, in every media type that clients ask for.
func (d *directory) encode(l *metricLists) map[string]map[string]document {
	out := map[string]map[string]document{}
	if d.apis.Custom {
		resources := provider.NewCustomMetricResourceLister(frozen{lists: l}).ListAPIResources()
		for _, version := range []string{"v1beta1", "v1beta2"} {
			encodeList(out, schema.GroupVersion{Group: customGroup, Version: version}, resources)
		}
	}
	if d.apis.External {
		resources := provider.NewExternalMetricResourceLister(frozen{lists: l}).ListAPIResources()
		encodeList(out, schema.GroupVersion{Group: externalGroup, Version: "v1beta1"}, resources)
	}
	return out
}

// encodeList fills out as the library's own handler would encode it. A media type that fails is left to the library.
func encodeList(out map[string]map[string]document, gv schema.GroupVersion, resources []metav1.APIResource) {
	list := &metav1.APIResourceList{GroupVersion: gv.String(), APIResources: resources}
	byType := map[string]document{}
	for _, info := range apiserver.Codecs.SupportedMediaTypes() {
		if info.MediaType != runtime.ContentTypeJSON && info.MediaType != runtime.ContentTypeProtobuf {
			continue
		}
		body, err := runtime.Encode(apiserver.Codecs.EncoderForVersion(info.Serializer, schema.GroupVersion{}), list)
		if err != nil {
			continue
		}
		sum := sha256.Sum256(body)
		byType[info.MediaType] = document{body, `"` + hex.EncodeToString(sum[:]) + `"`}
	}
	out["/apis/"+gv.String()] = byType
}

// handler answers the documents of the group versions from memory and keeps the aggregated document up to date.
func (d *directory) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if len(path) > len("/apis/"+externalGroup+"/v1beta1") || len(path) < len("/apis") || path[:len("/apis")] != "/apis" {
			next.ServeHTTP(w, r)
			return
		}
		documents := d.current().documents[path]
		if path == "/apis/"+customGroup && d.group != nil {
			d.group.ServeHTTP(w, r)
			return
		}
		if documents == nil || r.Method != http.MethodGet || r.URL.RawQuery != "" || !d.serve(w, r, documents) {
			next.ServeHTTP(w, r)
		}
	})
}

func (d *directory) serve(w http.ResponseWriter, r *http.Request, documents map[string]document) bool {
	mediaType, info, err := negotiation.NegotiateOutputMediaType(r, apiserver.Codecs, negotiation.DefaultEndpointRestrictions)
	if err != nil || mediaType.Pretty || info.Serializer != mediaType.Accepted.Serializer {
		return false
	}
	doc, ok := documents[info.MediaType]
	if !ok || len(doc.body) > gzipFrom {
		return false
	}
	w.Header().Set("ETag", doc.etag)
	w.Header().Set("Vary", "Accept")
	if r.Header.Get("If-None-Match") == doc.etag {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	w.Header().Set("Content-Type", info.MediaType)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(doc.body)
	return true
}
