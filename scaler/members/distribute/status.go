// SPDX-License-Identifier: Apache-2.0

package distribute

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// writeStatus writes status.distributed if it says something new. The rest of the status is the health controller's.
func (r *reconciler) writeStatus(ctx context.Context, cluster *v1alpha1.MemberCluster, status *v1alpha1.Distribution) error {
	if equality.Semantic.DeepEqual(cluster.Status.Distributed, status) {
		return nil
	}
	fields := map[string]any{}
	if status != nil {
		plain, err := runtime.DefaultUnstructuredConverter.ToUnstructured(status)
		if err != nil {
			return fmt.Errorf("make the status of MemberCluster %s: %w", cluster.Name, err)
		}
		fields["distributed"] = plain
	}
	object := &unstructured.Unstructured{Object: map[string]any{"status": fields}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("MemberCluster"))
	object.SetName(cluster.Name)
	object.SetUID(cluster.UID)
	err := r.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(statusManager), client.ForceOwnership)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("cannot write what MemberCluster %s has of the hub: %w", cluster.Name, err)
	}
	return nil
}
