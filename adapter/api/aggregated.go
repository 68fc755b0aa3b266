// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"slices"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/endpoints/discovery"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
)

// publish puts the lists into the aggregated document, which custom-metrics-apiserver leaves empty. client-go shows a
// subresource whose parent has no kind as "pods/online_users", exactly as the other documents have it.
func (d *directory) publish(l *metricLists) {
	if d.manager == nil {
		return
	}
	if d.apis.Custom {
		resources := aggregatedCustom(l.custom)
		for _, version := range []string{"v1beta1", "v1beta2"} {
			d.manager.AddGroupVersion(customGroup, withKind(version, resources))
		}
	}
	if d.apis.External {
		d.manager.AddGroupVersion(externalGroup, aggregatedExternal(l.external))
	}
	if d.apis.Query {
		d.manager.AddGroupVersion(queryGroup, aggregatedQuery())
	}
}

// attach completes the server's own discovery before it listens: the aggregated document, and the group of the custom
// metrics, of which the library names the oldest version only.
func (d *directory) attach(s *genericapiserver.GenericAPIServer) error {
	m := s.AggregatedDiscoveryGroupManager
	if m == nil {
		return errors.New("the API server has no aggregated discovery")
	}
	d.mu.Lock()
	d.manager = m
	d.mu.Unlock()
	if d.apis.Custom {
		m.SetGroupVersionPriority(metav1.GroupVersion{Group: customGroup, Version: "v1beta2"}, 100, 200)
		m.SetGroupVersionPriority(metav1.GroupVersion{Group: customGroup, Version: "v1beta1"}, 100, 100)
		group := metav1.APIGroup{Name: customGroup}
		for _, version := range []string{"v1beta2", "v1beta1"} {
			group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: customGroup + "/" + version, Version: version})
		}
		group.PreferredVersion = group.Versions[0]
		s.DiscoveryGroupManager.AddGroup(group)
		d.group = discovery.NewAPIGroupHandler(s.Serializer, group)
	}
	d.publish(d.current())
	return nil
}

// aggregatedCustom groups the metrics by what they describe. The kind is filled in for each version.
func aggregatedCustom(infos []provider.CustomMetricInfo) []apidiscovery.APIResourceDiscovery {
	var out []apidiscovery.APIResourceDiscovery
	for _, i := range infos { // sorted by resource
		scope := apidiscovery.ScopeCluster
		if i.Namespaced {
			scope = apidiscovery.ScopeNamespace
		}
		name := i.GroupResource.String()
		if n := len(out); n == 0 || out[n-1].Resource != name || out[n-1].Scope != scope {
			out = append(out, apidiscovery.APIResourceDiscovery{Resource: name, Scope: scope})
		}
		parent := &out[len(out)-1]
		parent.Subresources = append(parent.Subresources, apidiscovery.APISubresourceDiscovery{Subresource: i.Metric, Verbs: []string{"get"}})
	}
	return out
}

func withKind(version string, resources []apidiscovery.APIResourceDiscovery) apidiscovery.APIVersionDiscovery {
	out := apidiscovery.APIVersionDiscovery{Version: version, Freshness: apidiscovery.DiscoveryFreshnessCurrent}
	for _, r := range resources {
		r.Subresources = slices.Clone(r.Subresources)
		for i := range r.Subresources {
			r.Subresources[i].ResponseKind = &metav1.GroupVersionKind{Group: customGroup, Version: version, Kind: "MetricValueList"}
		}
		out.Resources = append(out.Resources, r)
	}
	return out
}

func aggregatedExternal(infos []provider.ExternalMetricInfo) apidiscovery.APIVersionDiscovery {
	out := apidiscovery.APIVersionDiscovery{Version: "v1beta1", Freshness: apidiscovery.DiscoveryFreshnessCurrent}
	for _, i := range infos {
		out.Resources = append(out.Resources, apidiscovery.APIResourceDiscovery{
			Resource: i.Metric, Scope: apidiscovery.ScopeNamespace, Verbs: []string{"get"},
			ResponseKind: &metav1.GroupVersionKind{Group: externalGroup, Version: "v1beta1", Kind: "ExternalMetricValueList"},
		})
	}
	return out
}
