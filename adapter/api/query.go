// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
)

// QueryHandlers answer query.plimsoll.dev. Requests arrive authenticated and authorized; RBAC names what is asked for as
// sources/proxy (get for GET, create for POST), metrics/explain (get) and memberdemands (list, of the whole cluster).
type QueryHandlers struct {
	// Proxy is the metric source's own HTTP API as a caller in namespace sees it, "" for the whole cluster. The request's
	// path is what stands behind proxy: /api/v1/query.
	Proxy func(namespace string) http.Handler
	// Explain writes the document of package explain for one metric.
	Explain func(namespace, metric string, w http.ResponseWriter, r *http.Request)
	// MemberDemands writes package explain's list of the member clusters' demand.
	MemberDemands http.HandlerFunc
}

var queryVersion = schema.GroupVersion{Group: queryGroup, Version: "v1alpha1"}

// source is the only name that sources have: the adapter asks one source, with failover.
const source = "default"

func installQuery(s *genericapiserver.GenericAPIServer, h QueryHandlers) {
	version := metav1.GroupVersionForDiscovery{GroupVersion: queryVersion.String(), Version: queryVersion.Version}
	group := metav1.APIGroup{Name: queryGroup, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version}
	s.DiscoveryGroupManager.AddGroup(group)
	mux := s.Handler.NonGoRestfulMux
	mux.Handle("/apis/"+queryGroup, discovery.NewAPIGroupHandler(s.Serializer, group))
	mux.Handle("/apis/"+queryVersion.String(), discovery.NewAPIVersionHandler(s.Serializer, queryVersion, discovery.APIResourceListerFunc(queryResources)))
	mux.HandlePrefix("/apis/"+queryVersion.String()+"/", http.HandlerFunc(h.serve))
}

func queryResources() []metav1.APIResource {
	return []metav1.APIResource{
		{Name: "memberdemands", SingularName: "memberdemand", Kind: "MemberDemand", Verbs: metav1.Verbs{"list"}},
		{Name: "metrics/explain", Namespaced: true, Kind: "Metric", Verbs: metav1.Verbs{"get"}},
		{Name: "sources/proxy", Namespaced: true, Kind: "SourceProxyOptions", Verbs: metav1.Verbs{"create", "get"}},
	}
}

func aggregatedQuery() apidiscovery.APIVersionDiscovery {
	out := apidiscovery.APIVersionDiscovery{Version: queryVersion.Version, Freshness: apidiscovery.DiscoveryFreshnessCurrent}
	for _, r := range queryResources() {
		kind := &metav1.GroupVersionKind{Group: queryGroup, Version: queryVersion.Version, Kind: r.Kind}
		parent, sub, isSub := strings.Cut(r.Name, "/")
		if !isSub {
			out.Resources = append(out.Resources, apidiscovery.APIResourceDiscovery{
				Resource: r.Name, SingularResource: r.SingularName, Scope: apidiscovery.ScopeCluster, Verbs: r.Verbs, ResponseKind: kind,
			})
			continue
		}
		out.Resources = append(out.Resources, apidiscovery.APIResourceDiscovery{
			Resource: parent, Scope: apidiscovery.ScopeNamespace,
			Subresources: []apidiscovery.APISubresourceDiscovery{{
				Subresource: sub, Verbs: r.Verbs, ResponseKind: kind,
			}},
		})
	}
	return out
}

// serve routes by what the request was authorized as, not by a second reading of its path.
func (h QueryHandlers) serve(w http.ResponseWriter, r *http.Request) {
	info, ok := request.RequestInfoFrom(r.Context())
	if !ok || !info.IsResourceRequest {
		info = &request.RequestInfo{}
	}
	switch {
	case isDemands(info):
		h.MemberDemands(w, r)
	case len(info.Parts) < 3:
		h.nothing(w, r)
	case info.Resource == "sources" && info.Subresource == "proxy":
		h.proxy(w, r, info)
	case info.Resource == "metrics" && info.Subresource == "explain" && len(info.Parts) == 3 && info.Namespace != "" && info.Verb == "get":
		h.Explain(info.Namespace, info.Name, w, r)
	default:
		h.nothing(w, r)
	}
}

// isDemands: the list of all. Whoever may list some by name or selector, or those of a namespace, was not asked whether they
// may list all.
func isDemands(info *request.RequestInfo) bool {
	return info.Resource == "memberdemands" && info.Verb == "list" && len(info.Parts) == 1 &&
		info.Namespace == "" && info.Name == "" && info.FieldSelector == "" && info.LabelSelector == ""
}

func (h QueryHandlers) nothing(w http.ResponseWriter, r *http.Request) {
	h.refuse(w, r, notFound("there is nothing at %s: ask for sources/%s/proxy/..., namespaces/<namespace>/metrics/<metric>/explain or, without selectors, memberdemands", r.URL.Path, source))
}

func (h QueryHandlers) proxy(w http.ResponseWriter, r *http.Request, info *request.RequestInfo) {
	if info.Name != source {
		h.refuse(w, r, notFound("there is no source %q: the only one is %q", info.Name, source))
		return
	}
	if asked := r.Method + " " + info.Verb; asked != "GET get" && asked != "POST create" {
		h.refuse(w, r, refuse(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, errMethod))
		return
	}
	inner := r.Clone(r.Context())
	inner.URL.Path = "/" + strings.Join(info.Parts[3:], "/")
	inner.URL.RawPath = ""
	inner.RequestURI = inner.URL.RequestURI()
	h.Proxy(info.Namespace).ServeHTTP(w, inner)
}

func (h QueryHandlers) refuse(w http.ResponseWriter, r *http.Request, err error) {
	responsewriters.ErrorNegotiated(err, apiserver.Codecs, queryVersion, w, r)
}
