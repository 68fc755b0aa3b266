// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strings"
)

// The API groups served, with the prefixes of their namespaced routes.
const (
	customGroup   = "custom.metrics.k8s.io"
	externalGroup = "external.metrics.k8s.io"
	queryGroup    = "query.plimsoll.dev"

	customV1beta1   = "/apis/" + customGroup + "/v1beta1/namespaces/"
	customV1beta2   = "/apis/" + customGroup + "/v1beta2/namespaces/"
	externalV1beta1 = "/apis/" + externalGroup + "/v1beta1/namespaces/"
)

// hotRead is a request in one of the forms that the HPA makes. Its strings point into the request.
type hotRead struct {
	external  bool
	version   string // of the API group
	namespace string // "" if the described object is a namespace
	resource  string // resource.group; "namespaces" for /namespaces/<name>/metrics/<metric>
	name      string // "*": by selector; "" for external metrics
	metric    string

	selector string // labelSelector, percent-encoded as it came
	matching string // metricLabelSelector, likewise
}

func (q *hotRead) group() string {
	if q.external {
		return externalGroup
	}
	return customGroup
}

// parseHot recognises the requests that the fast path answers. Whatever it does not know for certain to mean what the
// library's handlers make of it is left to them.
func parseHot(r *http.Request) (q hotRead, ok bool) {
	if r.Method != http.MethodGet || !acceptsProtobuf(r.Header) || !parsePath(r.URL.Path, &q) {
		return q, false
	}
	return q, parseQuery(r.URL.RawQuery, &q)
}

// acceptsProtobuf recognises the Accept headers of client-go's protobuf clients.
func acceptsProtobuf(h http.Header) bool {
	accept := h["Accept"]
	if len(accept) != 1 {
		return false
	}
	switch accept[0] {
	case "application/vnd.kubernetes.protobuf, */*", "application/vnd.kubernetes.protobuf,*/*", "application/vnd.kubernetes.protobuf",
		"application/vnd.kubernetes.protobuf,application/json", "application/vnd.kubernetes.protobuf, application/json":
		return true
	}
	return false
}

func parsePath(path string, q *hotRead) bool {
	if rest, ok := strings.CutPrefix(path, externalV1beta1); ok {
		q.external, q.version = true, "v1beta1"
		var more bool
		q.namespace, q.metric, more = strings.Cut(rest, "/")
		return more && q.namespace != "" && plainResource(q.metric)
	}
	rest, ok := strings.CutPrefix(path, customV1beta2)
	q.version = "v1beta2"
	if !ok {
		rest, ok = strings.CutPrefix(path, customV1beta1)
		q.version = "v1beta1"
	}
	return ok && parseCustom(rest, q)
}

// parseCustom reads <namespace>/<resource>/<name>/<metric> or <namespace>/metrics/<metric>.
func parseCustom(rest string, q *hotRead) bool {
	var parts [4]string
	n := 0
	for more := true; more; n++ {
		if n == len(parts) {
			return false
		}
		if parts[n], rest, more = strings.Cut(rest, "/"); parts[n] == "" {
			return false
		}
	}
	switch {
	case n == 3 && parts[1] == "metrics" && parts[0] != "*":
		q.resource, q.name, q.metric = "namespaces", parts[0], parts[2]
		return true
	case n == 4 && parts[1] != "metrics" && plainResource(parts[1]):
		q.namespace, q.resource, q.name, q.metric = parts[0], parts[1], parts[2], parts[3]
		return true
	}
	return false
}

// plainResource excludes what the API machinery reads as a subresource of the namespace, and further path.
func plainResource(s string) bool {
	return s != "" && s != "status" && s != "finalize" && !strings.Contains(s, "/")
}

// parseQuery takes labelSelector and metricLabelSelector, each at most once, and nothing else.
func parseQuery(raw string, q *hotRead) bool {
	seenSelector, seenMatching := false, false
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		key, value, _ := strings.Cut(pair, "=")
		switch {
		case key == "labelSelector" && !seenSelector:
			q.selector, seenSelector = value, true
		case key == "metricLabelSelector" && !seenMatching && !q.external:
			q.matching, seenMatching = value, true
		default:
			return false
		}
		if strings.Contains(value, ";") {
			return false
		}
	}
	return true
}
