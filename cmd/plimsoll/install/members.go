// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// tellMembers says what stays in member clusters, which only a scaler reaches: replicas, as they shall, but also floors and
// reserves, and how they are removed.
func (c *Cluster) tellMembers(ctx context.Context) error {
	hub, err := c.direct()
	if err != nil {
		return err
	}
	var scales v1alpha1.FederatedScaleList
	if err := hub.List(ctx, &scales); err != nil {
		return fmt.Errorf("list the FederatedScales to see what stays in member clusters: %w", err)
	}
	for i := range scales.Items {
		f := &scales.Items[i]
		if rule, err := f.Compile(); err == nil && rule.Enforce && rule.Bounds {
			c.tellReleased(false, false, fmt.Sprintf("FederatedScale %s/%s", f.Namespace, f.Name), fmt.Sprintf(
				"minReplicas of the HPAs %s in its clusters stay as they are. Deleted while the scaler runs, it gives them back by itself; later set each to the base in its annotation %s, and remove that",
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
				"what it reserves stays in its clusters. Deleted while the scaler runs, it removes that by itself; later run in each: kubectl -n plimsoll-headroom delete deployments,podtemplates -l plimsoll.dev/reserve (and capacitybuffers, if there are some)")
		}
	}
	return nil
}
