// SPDX-License-Identifier: Apache-2.0

package distribute

import (
	"context"
	"errors"
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// maxFailed is how many refused objects a status names.
const maxFailed = 10

// round brings one member to what the hub has, once.
type round struct {
	member client.Client
	hub    string
	wanted []thing

	applied int
	failed  []string
}

func newRound(member client.Client, hub string, wanted []thing) *round {
	return &round{member: member, hub: hub, wanted: wanted}
}

// run applies and removes what differs. What a member refuses is noted, and the rest goes on; an error is about the
// member as a whole, and ends the round.
func (d *round) run(ctx context.Context) error {
	for _, k := range kinds() {
		var wanted []thing
		for _, t := range d.wanted {
			if t.kind == k.name {
				wanted = append(wanted, t)
			}
		}
		if err := d.bring(ctx, k, wanted); err != nil {
			return fmt.Errorf("%ss: %w", k.name, err)
		}
	}
	return nil
}

func (d *round) bring(ctx context.Context, k kind, wanted []thing) error {
	listed, err := listThings(ctx, d.member, k, client.MatchingLabels{ByLabel: d.hub})
	if err != nil {
		return d.refusedAll(wanted, err)
	}
	ours := make(map[name]thing, len(listed))
	for _, t := range listed {
		ours[t.name] = t
	}
	for _, t := range wanted {
		copied, there := ours[t.name]
		delete(ours, t.name)
		if t.problem != "" {
			d.fail(t, t.problem)
			continue
		}
		if err := d.settle(ctx, k, t, copied, there); err != nil {
			return err
		}
	}
	for _, t := range ours { // has no original any more
		object := k.object()
		object.SetNamespace(t.Namespace)
		object.SetName(t.Name)
		err := d.member.Delete(ctx, object, client.Preconditions{UID: &t.uid})
		if client.IgnoreNotFound(err) != nil {
			if err := d.refused(t, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle makes one copy as its original is.
func (d *round) settle(ctx context.Context, k kind, t, copied thing, there bool) error {
	if there && equality.Semantic.DeepEqual(copied.spec, t.spec) {
		d.applied++
		return nil
	}
	if !there {
		object := k.object()
		err := d.member.Get(ctx, t.NamespacedName, object)
		switch {
		case err == nil && object.GetUID() == t.uid: // the hub is a member of itself
			d.applied++
			return nil
		case err == nil:
			d.fail(t, "there is one that this hub did not make; rename the one or delete the other")
			return nil
		case !apierrors.IsNotFound(err):
			return d.refused(t, err)
		}
	}
	if err := d.apply(ctx, t); err != nil {
		return d.refused(t, err)
	}
	d.applied++
	return nil
}

func (d *round) apply(ctx context.Context, t thing) error {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": t.spec}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(t.kind))
	object.SetNamespace(t.Namespace)
	object.SetName(t.Name)
	object.SetLabels(map[string]string{ByLabel: d.hub, "app.kubernetes.io/managed-by": "plimsoll"})
	return d.member.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(FieldManager), client.ForceOwnership)
}

// refused notes that the member refused one object. An error that is none of its answers is returned.
func (d *round) refused(t thing, err error) error {
	var answer apierrors.APIStatus
	if errors.As(err, &answer) && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) && !apierrors.IsTooManyRequests(err) && !apierrors.IsInternalError(err) {
		d.fail(t, err.Error())
		return nil
	}
	return err
}

// refusedAll notes that a kind cannot be listed. Where it is not known, nothing of it is there to be removed.
func (d *round) refusedAll(wanted []thing, err error) error {
	if !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return err
	}
	why := err.Error()
	if !apierrors.IsForbidden(err) {
		why = "the member does not know the kind; apply manifests/crd there"
	}
	for _, t := range wanted {
		d.fail(t, why)
	}
	return nil
}

func (d *round) fail(t thing, why string) { d.failed = append(d.failed, t.String()+": "+why) }

// status is what the MemberCluster says of it; nil: nothing is distributed.
func (d *round) status(unreached error) *v1alpha1.Distribution {
	failed := d.failed
	if unreached != nil {
		failed = append([]string{unreached.Error()}, failed...)
	}
	if len(d.wanted) == 0 && len(failed) == 0 {
		return nil
	}
	if len(failed) > maxFailed {
		failed = append(failed[:maxFailed-1:maxFailed-1], fmt.Sprintf("and %d more", len(failed)-maxFailed+1))
	}
	return &v1alpha1.Distribution{Objects: clamp(len(d.wanted)), Applied: clamp(d.applied), Failed: failed}
}

func clamp(n int) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // it fits
