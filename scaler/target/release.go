// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// Released is what was done to one HPA, or would be done.
type Released struct {
	Key    types.NamespacedName
	Before bounds.Bounds // as they were
	After  bounds.Bounds // as they are left
	Base   bounds.Bounds // the user's own
	// Changed says that something is written: bounds, annotations or ownership.
	Changed bool
	// MaxKept says that maxReplicas is left above the user's own, because the HPA needs more than that now.
	MaxKept bool
	// Message says in a sentence what was done, and what is left to do.
	Message string
}

// Release lets go of one HPA for good: the user's own bounds come back, the fields' ownership with them, and nothing of
// Plimsoll stays in the annotations. Nothing is cut: where the HPA needs more than its own maximum now, the maximum
// stays at what it needs and a tenth more. The scaler must not run any more, or it would begin anew. With dryRun nothing is written.
// An HPA that is gone, or that has nothing of Plimsoll, is no error.
func Release(ctx context.Context, c client.Client, key types.NamespacedName, now time.Time, dryRun bool) (Released, error) {
	var released Released
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var err error
		released, err = releaseOnce(ctx, c, key, now, dryRun)
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return released, fmt.Errorf("cannot release HPA %s: %w", key, err)
	}
	return released, nil
}

func releaseOnce(ctx context.Context, c client.Client, key types.NamespacedName, now time.Time, dryRun bool) (Released, error) {
	s, err := situation.Observe(ctx, c, key)
	if err != nil {
		return Released{Key: key, Message: "there is no such HPA"}, err
	}
	released, want := planRelease(s)
	if !released.Changed || dryRun {
		return released, nil
	}
	_, err = writer{client: c, now: now}.write(ctx, s.HPA, want)
	return released, err
}

// planRelease decides what letting go means for an HPA.
func planRelease(s *situation.Situation) (Released, wish) {
	live := situation.LiveBounds(s.HPA)
	r := Released{Key: key(s.HPA), Before: live, After: live, Base: s.Base()}
	want := wish{bounds: live, record: record.Record{Base: r.Base, Owners: s.Record.Owners}, remove: []string{record.OverrideAnnotation}}
	kept := map[string]bool{}
	for _, name := range []string{record.BaseAnnotation, record.AppliedAnnotation, record.OverrideAnnotation} {
		_, kept[name] = s.HPA.Annotations[name]
	}
	switch {
	case s.Unreadable:
		r.Message = fmt.Sprintf("left as it is at %d..%d: %s", live.Min, live.Max, s.Problems[0])
		return r, want
	case !kept[record.BaseAnnotation] && !kept[record.AppliedAnnotation] && !kept[record.OverrideAnnotation] && !holdsFields(s.HPA):
		r.Message = "nothing of Plimsoll is on it"
		return r, want
	case s.Owner != "":
		r.Changed = true
		r.Message = fmt.Sprintf("its bounds %d..%d are left to %s, which owns it; the annotations are removed", live.Min, live.Max, s.Owner)
		return r, want
	}
	r.Changed = true
	r.After = r.Base
	if needed := s.Needed(); min(live.Max, needed) > r.Base.Max {
		r.After.Max, r.MaxKept = bounds.WithRoom(needed, live.Max), true
	}
	want.bounds = r.After
	r.Message = fmt.Sprintf("minReplicas %d -> %d, maxReplicas %d -> %d: the HPA's own", live.Min, r.After.Min, live.Max, r.After.Max)
	if r.MaxKept {
		r.Message = fmt.Sprintf("minReplicas %d -> %d; maxReplicas stays at %d, because the HPA needs about as many now: set its own %d when it needs no more than that",
			live.Min, r.After.Min, r.After.Max, r.Base.Max)
	}
	return r, want
}
