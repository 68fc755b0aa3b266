// SPDX-License-Identifier: Apache-2.0

package override

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/snapshot"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

type hpa = autoscalingv2.HorizontalPodAutoscaler

// attempts is how often a write is tried when somebody else writes the HPA at the same time; a busy HPA controller
// writes its status every 15 s.
const attempts = 5

// Write writes a proposal, unless the HPA has changed in a way that makes it another one: then the error says so.
func Write(ctx context.Context, c client.Client, s *snapshot.Snapshot, p Proposal, now time.Time) error {
	for range attempts {
		err := Annotate(ctx, c, &hpa{ObjectMeta: metav1.ObjectMeta{Namespace: p.key.Namespace, Name: p.key.Name, ResourceVersion: p.version}},
			map[string]string{record.OverrideAnnotation: p.text})
		if !apierrors.IsConflict(err) {
			return err
		}
		if err := Refresh(ctx, c, s, p.key); err != nil {
			return err
		}
		again, err := Propose(ctx, s, p.key, p.Override.Override, now)
		if err != nil {
			return err
		}
		if len(again.Consent) > len(p.Consent) {
			return fmt.Errorf("hpa/%s has changed meanwhile, and now %s; nothing was written", p.key.Name, again.Consent[0])
		}
		p.version = again.version
	}
	return fmt.Errorf("hpa/%s is written by others all the time: nothing was written after %d attempts; try again", p.key.Name, attempts)
}

// Annotate writes annotations of an object, or removes those that are "". With a resourceVersion in the object it
// fails with a conflict if somebody else has written it.
func Annotate(ctx context.Context, c client.Client, object client.Object, annotations map[string]string) error {
	values := map[string]any{}
	for key, value := range annotations {
		values[key] = value
		if value == "" {
			values[key] = nil
		}
	}
	metadata := map[string]any{"annotations": values}
	if version := object.GetResourceVersion(); version != "" {
		metadata["resourceVersion"] = version
	}
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return fmt.Errorf("cannot write the annotations down: %w", err)
	}
	return c.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(Manager))
}

// Refresh reads an HPA again.
func Refresh(ctx context.Context, c client.Reader, s *snapshot.Snapshot, key types.NamespacedName) error {
	fresh := &hpa{}
	if err := c.Get(ctx, key, fresh); err != nil {
		return err
	}
	return s.Put(fresh)
}

// poll is how often an HPA is looked at while waiting for the scaler.
const poll = 200 * time.Millisecond

// Wait waits until the scaler has written what the HPA's annotations ask for, or the time is over, and says which.
func Wait(ctx context.Context, c client.Reader, s *snapshot.Snapshot, key types.NamespacedName, timeout time.Duration) (bool, error) {
	// Requests get ctx itself: one that is cut off by the end of the wait would be an error.
	err := wait.PollUntilContextTimeout(ctx, poll, max(timeout, poll), true, func(context.Context) (bool, error) {
		if err := Refresh(ctx, c, s, key); err != nil {
			return false, err
		}
		now := time.Now()
		observed, err := s.Observe(ctx, key, now)
		if err != nil {
			return false, err
		}
		return Settled(observed, observed.Decide(now)), nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// Stage says how far an override got of which the bounds are settled or not.
func (o *Override) Stage(settled bool, after time.Duration) {
	freezes := o.Override != nil && o.Override.NoScaleDown
	switch {
	case !settled:
		o.Applied = Unanswered
	case o.Before.Bounds == o.After.Bounds && !freezes:
		o.Applied = Nothing
	default:
		o.Applied, o.AppliedAfterSeconds = Done, after.Seconds()
	}
}

// Settled says whether the HPA has the bounds that are decided for it, with the record of a freeze.
func Settled(s *situation.Situation, out situation.Outcome) bool {
	if out.Leave != "" {
		return true // there is nothing to write
	}
	return situation.LiveBounds(s.HPA) == out.Result.Bounds && s.Record.State.FrozenAt == out.Result.State.FrozenAt
}
