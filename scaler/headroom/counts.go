// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// pausedNamespaces are the hub's namespaces in which nothing is written.
func (r *reconciler) pausedNamespaces(ctx context.Context) (map[string]bool, error) {
	list := &metav1.PartialObjectMetadataList{} // as they are cached already
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.list(ctx, list, "namespaces"); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i := range list.Items {
		if list.Items[i].Annotations[record.PausedAnnotation] == "true" {
			out[list.Items[i].Name] = true
		}
	}
	return out, nil
}

// acts says whether a FederatedScale's replicas are written to the members. That an older one has its target is for its own
// controller to find out.
func acts(f *v1alpha1.FederatedScale, rule v1alpha1.Federation, paused map[string]bool) bool {
	taken := slices.ContainsFunc(f.Status.Notes, func(n v1alpha1.FederatedNote) bool { return n.Reason == v1alpha1.FederatedTargetTaken })
	return rule.Enforce && f.Annotations[record.PausedAnnotation] != "true" && !paused[f.Namespace] && !taken
}

// size is how many replicas a workload has: those that were found, and of those that it asks for beyond them the ones that
// are being written to a member. What no cluster takes, or nobody writes, buys no reserve.
func (one *workload) size() int64 {
	var found, placed int64
	for i := range one.scale.Status.Clusters {
		status := &one.scale.Status.Clusters[i]
		p := one.in[status.Name]
		if p.moved || p.missing {
			continue
		}
		found += p.replicas
		if one.refuses(status.Name) {
			placed += p.replicas
		} else {
			placed += int64(status.Target)
		}
	}
	if !one.acts || one.rule.Bounds { // nothing is written, or each member's own HPA decides
		return found
	}
	asked := int64(one.scale.Status.Divided)
	if asked == 0 {
		asked = one.rule.Replicas
	}
	return max(found, min(asked, placed))
}

// refuses says whether a cluster did not let the replicas be written.
func (one *workload) refuses(cluster string) bool {
	return slices.ContainsFunc(one.scale.Status.Notes, func(n v1alpha1.FederatedNote) bool {
		return n.Cluster == cluster && n.Reason == v1alpha1.FederatedWriteFailed
	})
}

// claim is what two FederatedScales may both speak of.
type claim struct{ cluster, namespace, kind, name string }

// claims are the workloads in the members that a FederatedScale is about.
func (one *workload) claims() []claim {
	var out []claim
	for cluster, p := range one.in {
		c := claim{cluster, one.scale.Namespace, p.kind, p.name}
		if p.kind == "" {
			c.kind, c.name = one.rule.Target.Kind, one.rule.Target.Name
		}
		out = append(out, c)
	}
	return out
}

// single leaves one of the FederatedScales that are about the same workload in the same cluster, so that its pods count
// once: the one that acts, else the oldest. They come back by namespace and name.
func single(all []*workload) []*workload {
	slices.SortFunc(all, func(a, b *workload) int {
		if a.acts != b.acts {
			if a.acts {
				return -1
			}
			return 1
		}
		return cmp.Or(a.scale.CreationTimestamp.Compare(b.scale.CreationTimestamp.Time), cmp.Compare(a.name, b.name))
	})
	taken := map[claim]bool{}
	all = slices.DeleteFunc(all, func(one *workload) bool {
		claims := one.claims()
		if slices.ContainsFunc(claims, func(c claim) bool { return taken[c] }) {
			return true
		}
		for _, c := range claims {
			taken[c] = true
		}
		return false
	})
	slices.SortFunc(all, func(a, b *workload) int { return cmp.Compare(a.name, b.name) })
	return all
}
