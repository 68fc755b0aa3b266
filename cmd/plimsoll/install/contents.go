// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// things is "1 MetricRule" or "no MetricRules".
func things(n int, kind string) string {
	if n == 0 {
		return "no " + kind + "s"
	}
	return human.Things(n, kind)
}

// count is the number of objects of a CRD's kind. One request: the API server says how many it has left out.
func (c *Cluster) count(ctx context.Context, crd *unstructured.Unstructured) (int, error) {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if len(versions) == 0 {
		return 0, fmt.Errorf("count the objects of %s: it has no versions", title(crd))
	}
	version, _ := versions[0].(map[string]any)["name"].(string)
	resource := schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
	list, err := c.metadata.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1})
	switch {
	case apierrors.IsNotFound(err):
		return 0, nil // no longer served
	case err != nil:
		return 0, fmt.Errorf("count the objects of %s: %w", title(crd), err)
	case list.RemainingItemCount != nil:
		return len(list.Items) + int(*list.RemainingItemCount), nil
	}
	return len(list.Items), nil
}

// contents are the objects in a namespace that people put there, other than ours: not what Kubernetes itself puts into
// every namespace, not what a controller made for another object, and not what only notes what happens.
func (c *Cluster) contents(ctx context.Context, namespace string, ours []*unstructured.Unstructured, rulesGo bool) ([]string, error) {
	c.discoverer.Invalidate()
	lists, err := discovery.ServerPreferredNamespacedResources(c.discoverer)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) { // an API without a server has no objects either
		return nil, fmt.Errorf("ask the cluster for its kinds: %w", err)
	}
	var others []string
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("ask the cluster for its kinds: %w", err)
		}
		for _, resource := range list.APIResources {
			if passing(resource.Name) || (rulesGo && version.Group == "plimsoll.dev") {
				continue
			}
			names, err := c.names(ctx, version.WithResource(resource.Name), namespace, resource.Kind)
			if err != nil {
				return nil, err
			}
			others = append(others, names...)
		}
	}
	return slices.DeleteFunc(others, func(other string) bool {
		return slices.ContainsFunc(ours, func(object *unstructured.Unstructured) bool {
			return object.GetNamespace() == namespace && object.GetKind()+" "+object.GetName() == other
		})
	}), nil
}

// passing are resources that come and go with others.
func passing(resource string) bool {
	return slices.Contains([]string{"events", "endpoints", "endpointslices", "leases"}, resource)
}

// names are the objects of one kind in a namespace that people put there.
func (c *Cluster) names(ctx context.Context, resource schema.GroupVersionResource, namespace, kind string) ([]string, error) {
	list, err := c.metadata.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err), apierrors.IsServiceUnavailable(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("list the %s of namespace %s: %w", resource.Resource, namespace, err)
	}
	var names []string
	for i := range list.Items {
		one := &list.Items[i]
		every := one.Name == "kube-root-ca.crt" && kind == "ConfigMap" || one.Name == "default" && kind == "ServiceAccount"
		if !every && len(one.OwnerReferences) == 0 {
			names = append(names, kind+" "+one.Name)
		}
	}
	return names, nil
}
