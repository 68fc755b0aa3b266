// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// HubIdentity is what a hub is known by in its members: the UID of its own namespace kube-system, which lasts as long as
// the cluster.
func HubIdentity(ctx context.Context, hub client.Reader) (string, error) {
	namespace := &metav1.PartialObjectMetadata{} // as it is cached already
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := hub.Get(ctx, types.NamespacedName{Name: metav1.NamespaceSystem}, namespace); err != nil {
		return "", fmt.Errorf("cannot read namespace %s, by whose UID what this hub writes in members is known: %w", metav1.NamespaceSystem, err)
	}
	return string(namespace.UID), nil
}
