// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// tellMembers says what stays in member clusters, which only a scaler reaches: replicas, as they shall, but also floors and
// reserves.
func (c *Cluster) tellMembers(ctx context.Context, hub client.Client) error {
	var scales v1alpha1.FederatedScaleList
	if err := hub.List(ctx, &scales); err != nil {
		return fmt.Errorf("list the FederatedScales to see what stays in member clusters: %w", err)
	}
	for i := range scales.Items {
		f := &scales.Items[i]
		if rule, err := f.Compile(); err == nil && rule.Enforce && rule.Bounds {
			c.tellReleased(false, false, fmt.Sprintf("FederatedScale %s/%s", f.Namespace, f.Name), fmt.Sprintf(
				"minReplicas of the HPAs %s in its clusters stay as they are, each with its own number in the annotation %s; to have those back, delete it, wait until the annotations are gone, and then uninstall",
				rule.Target.Name, record.FederatedAnnotation))
		}
	}
	var headrooms v1alpha1.HeadroomList
	if err := hub.List(ctx, &headrooms); err != nil {
		return fmt.Errorf("list the Headrooms to see what stays in member clusters: %w", err)
	}
	for i := range headrooms.Items {
		if h := &headrooms.Items[i]; h.Spec.Mode == v1alpha1.ModeEnforce {
			c.tellReleased(false, false, "Headroom "+h.Name,
				"what it reserves stays in its clusters, in the namespace plimsoll-headroom; to have it removed, delete it, wait until that namespace is empty, and then uninstall")
		}
	}
	return nil
}
