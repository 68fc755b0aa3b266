// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/ownership"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// heldBy is the name of the FederatedScale whose share stands on a member's HPA, "" if none does.
func heldBy(hpa *autoscalingv2.HorizontalPodAutoscaler) string {
	share, err := record.ParseShare(hpa.Annotations)
	if err != nil {
		return ""
	}
	return share.Scale
}

// judgeFloor finds out about a member's HPA whether this hub may write its minReplicas.
func (t *target) judgeFloor(hub string, now time.Time) {
	t.own = t.replicas
	if held, err := record.Parse(t.hpa.Annotations); err == nil && t.held {
		t.own = int64(held.Base.Min) // what the member's own scaler has put there is nobody's wish
	}
	var err error
	owner := metav1.GetControllerOfNoCopy(t.hpa)
	switch t.share, err = record.ParseShare(t.hpa.Annotations); {
	case owner != nil:
		t.refused = fmt.Sprintf("HPA %s belongs to %s %s, which sets its bounds: let that have a minReplicas, or leave the cluster out of spec.clusters", t.hpa.Name, owner.Kind, owner.Name)
	case err != nil:
		t.refused = fmt.Sprintf("HPA %s: %s", t.hpa.Name, err)
	case t.share.Floor != nil && t.share.Hub != hub:
		t.refused = fmt.Sprintf("another hub (%s) divides HPA %s: let one hub only do so; if that hub is gone, set minReplicas to %d and remove the annotation %s",
			t.share.Hub, t.hpa.Name, t.share.Floor.Base, record.FederatedAnnotation)
	}
	if until, contested := t.share.Floor.Contested(t.own, now); contested {
		by := "somebody"
		if others := ownership.Others(record.HubManager, t.hpa.ManagedFields, ownership.MinReplicas); len(others) > 0 {
			by = others[0].Manager
		}
		t.contested, t.until = fmt.Sprintf("%s writes minReplicas of HPA %s back to %d, so it is left alone until %s: let it ignore minReplicas", by, t.hpa.Name, t.own, until.UTC().Format(time.RFC3339)), until
	}
}

// writeFloor writes minReplicas of the member's own HPA, if it still is as it was observed, and keeps the user's own beside
// it in the same write.
func (s *scene) writeFloor(ctx context.Context, c change) error {
	t := c.one.target
	kept := t.share.Floor.Write(t.own, c.to, s.now)
	share := record.Share{Hub: s.hub, Scale: s.scale.Name, Floor: &kept, Owners: t.owners()}
	written, err := floorPatch{metadata: metadata(share.Format(), nil), minReplicas: &c.to}.send(ctx, c.one.member, t.hpa, record.HubManager)
	switch {
	case apierrors.IsConflict(err):
		return errMoved
	case err != nil:
		return fmt.Errorf("set minReplicas of HPA %s from %d to %d: %w", t.hpa.Name, c.from, c.to, err)
	}
	c.one.memo.note(written.UID, written.ResourceVersion)
	return nil
}

// owners are those who have minReplicas besides Plimsoll's scalers: what the member's own scaler holds for now is whose it
// was before.
func (t *target) owners() []record.Owner {
	if !t.held {
		return ownership.Note(record.HubManager, t.share.Owners, t.hpa.ManagedFields, []string{ownership.MinReplicas})
	}
	if len(t.share.Owners) > 0 {
		return t.share.Owners
	}
	held, err := record.Parse(t.hpa.Annotations)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(held.Owners, func(o record.Owner) bool { return o.Field != ownership.MinReplicas })
}

// floorPatch is a write of a member's HPA.
type floorPatch struct {
	metadata    map[string]any
	minReplicas *int64 // nil: it stays
}

// send writes it, unless somebody has written the HPA since it was read, and returns the HPA as it is then.
func (p floorPatch) send(ctx context.Context, to *members.Member, hpa *autoscalingv2.HorizontalPodAutoscaler, manager string) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	p.metadata["resourceVersion"] = hpa.ResourceVersion
	patch := map[string]any{"metadata": p.metadata}
	if p.minReplicas != nil {
		patch["spec"] = map[string]any{"minReplicas": *p.minReplicas}
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("write down the patch of HPA %s: %w", hpa.Name, err)
	}
	written := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: hpa.Namespace, Name: hpa.Name}}
	err = to.Patch(ctx, written, client.RawPatch(types.MergePatchType, data), client.FieldOwner(manager))
	return written, err
}
