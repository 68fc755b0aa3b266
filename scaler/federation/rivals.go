// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// takenBy is the name of an older FederatedScale that divides the same target over some of the same clusters, "" if there
// is none: two would correct each other's numbers for ever. One that only observes takes nothing, and one that is paused
// keeps what it has.
func (r *reconciler) takenBy(ctx context.Context, f *v1alpha1.FederatedScale, rule v1alpha1.Federation) (string, error) {
	if !rule.Enforce {
		return "", nil
	}
	all, err := r.sameTarget(ctx, f)
	if err != nil {
		return "", err
	}
	for i := range all {
		other := &all[i]
		theirs, err := other.Compile()
		if err == nil && theirs.Enforce && other.DeletionTimestamp.IsZero() && isOlder(other, f) && share(theirs, rule) {
			return other.Name, nil
		}
	}
	return "", nil
}

// sameTarget are all FederatedScales of the namespace that name the target of one of them, which may be among them.
func (r *reconciler) sameTarget(ctx context.Context, f *v1alpha1.FederatedScale) ([]v1alpha1.FederatedScale, error) {
	var list v1alpha1.FederatedScaleList
	for _, target := range targets(f) {
		err := r.client.List(ctx, &list, client.InNamespace(f.Namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{targetIndex: target})
		if err != nil {
			return nil, fmt.Errorf("cannot list the FederatedScales of namespace %s: %w", f.Namespace, err)
		}
	}
	return list.Items, nil
}

// isOlder orders two objects of one kind and namespace.
func isOlder(a, b *v1alpha1.FederatedScale) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// share says whether some cluster is both's. The index knows kinds without their groups; a kind's versions are all the same.
func share(a, b v1alpha1.Federation) bool {
	kind := func(t v1alpha1.MemberTarget) schema.GroupKind {
		return schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).GroupKind()
	}
	if kind(a.Target) != kind(b.Target) || a.Target.Name != b.Target.Name {
		return false
	}
	if a.Clusters == nil || b.Clusters == nil {
		return true
	}
	for name := range a.Clusters {
		if _, both := b.Clusters[name]; both {
			return true
		}
	}
	return false
}

// rivals maps a FederatedScale to the others of its target: what it leaves may be theirs.
func (r *reconciler) rivals(ctx context.Context, object client.Object) []reconcile.Request {
	f, ok := object.(*v1alpha1.FederatedScale)
	if !ok {
		return nil
	}
	all, err := r.sameTarget(ctx, f)
	if err != nil {
		return nil // they are looked at in a while anyway
	}
	var requests []reconcile.Request
	for i := range all {
		if all[i].Name != f.Name {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all[i])})
		}
	}
	return requests
}
