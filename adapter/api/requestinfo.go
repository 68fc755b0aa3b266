// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apiserver/pkg/endpoints/request"
)

// hotInfo is the generic API server's RequestInfo resolver with a shortcut for the HPA's external reads. The resolver decodes
// a list's query three times, by reflection, to find out that it is neither a watch nor about one name; the shortcut takes
// only requests whose query cannot say such things.
type hotInfo struct{ request.RequestInfoResolver }

// NewRequestInfo says what a request asks for, exactly as the resolver that it shortens.
func (h hotInfo) NewRequestInfo(r *http.Request) (*request.RequestInfo, error) {
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, externalV1beta1) {
		if info := externalInfo(r.URL); info != nil {
			return info, nil
		}
	}
	return h.RequestInfoResolver.NewRequestInfo(r)
}

// externalInfo is nil if the resolver itself must be asked.
func externalInfo(u *url.URL) *request.RequestInfo {
	var q hotRead
	if !parsePath(u.Path, &q) || !parseQuery(u.RawQuery, &q) {
		return nil
	}
	selector, err := url.QueryUnescape(q.selector)
	if err != nil {
		return nil
	}
	return &request.RequestInfo{
		IsResourceRequest: true, Path: u.Path, Verb: "list", APIPrefix: "apis", APIGroup: externalGroup, APIVersion: q.version,
		Namespace: q.namespace, Resource: q.metric, Parts: []string{q.metric}, LabelSelector: selector,
	}
}
