// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/scaler/record"
)

// Released is what was done to one workload, or would be done.
type Released struct {
	Key     Key
	Before  int32 // its replicas as they were
	After   int32 // as they are left
	Base    int32 // the user's own
	Changed bool  // something is written: replicas, annotations or the label
	// Message says in a sentence what was done, and what is left to do.
	Message string
}

// Held are the workloads whose replicas are held, of every kind that may be listed.
func Held(ctx context.Context, kinds discovery.DiscoveryInterface, live client.Reader) ([]Key, error) {
	return (&finder{live: live, kinds: kinds}).find(ctx)
}

// Release lets go of one workload for good. A number that Plimsoll lowered is the user's own again; one that it raised
// stays, because without an HPA nobody knows whether it is needed now, and the message says how to lower it. The scaler
// must not run any more. With dryRun nothing is written. A workload that is gone is no error.
func Release(ctx context.Context, o Observer, wr Writer, key Key, dryRun bool) (Released, error) {
	for range attempts {
		released, err := releaseOnce(ctx, o, wr, key, dryRun)
		switch {
		case errors.Is(err, errMoved) || apierrors.IsConflict(err):
			continue
		case apierrors.IsNotFound(err):
			return Released{Key: key, Message: "there is no such workload"}, nil
		case err != nil:
			return released, fmt.Errorf("release %s in namespace %s: %w", key, key.Namespace, err)
		}
		return released, nil
	}
	return Released{Key: key}, fmt.Errorf("release %s in namespace %s: somebody else changes it all the time; try again", key, key.Namespace)
}

func releaseOnce(ctx context.Context, o Observer, wr Writer, key Key, dryRun bool) (Released, error) {
	w, err := o.Observe(ctx, key)
	if err != nil {
		return Released{Key: key}, err
	}
	r := planRelease(w)
	if !r.Changed || dryRun {
		return r, nil
	}
	_, err = wr.Write(ctx, w, record.Record{}, r.After)
	return r, err
}

// planRelease decides what letting go means.
func planRelease(w *Workload) Released {
	live := w.Replicas()
	r := Released{Key: w.Key, Before: live, After: live, Base: live}
	kept := w.Object.Annotations[record.BaseAnnotation] + w.Object.Annotations[record.AppliedAnnotation] + w.Object.Annotations[PreviousAnnotation]
	applied := w.Around.Record.State.Applied
	switch {
	case w.Around.Unreadable:
		r.Message = fmt.Sprintf("left as it is at %d replicas: %s", live, w.Around.Problems[0])
		return r
	case kept == "" && w.Object.Labels[HeldLabel] == "":
		r.Message = "nothing of Plimsoll is on it"
		return r
	}
	r.Changed = true
	if applied != nil && w.Refused == "" && (live == applied.Min || w.Previous != nil && live == *w.Previous) {
		r.Base = w.Around.Record.Base.Min
		r.After = max(live, r.Base)
	}
	switch {
	case live > r.Base:
		r.Message = fmt.Sprintf("replicas stay at %d, so that nothing is cut; its own number is %d: kubectl -n %s scale %s/%s --replicas=%d",
			live, r.Base, w.Key.Namespace, w.Key.Kind, w.Key.Name, r.Base)
	case live < r.Base:
		r.Message = fmt.Sprintf("replicas go from %d back to its own number %d", live, r.Base)
	default:
		r.Message = fmt.Sprintf("replicas are its own number %d", live)
	}
	return r
}
