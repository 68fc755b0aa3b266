// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/scale"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/scaler/record"
)

const (
	// PreviousAnnotation holds the number of replicas from before the last write, so that a write that was cut short
	// is not taken for the user's edit.
	PreviousAnnotation = "plimsoll.dev/previous"
	// HeldLabel marks workloads with a record, so that a scaler that starts finds those whose schedule is gone.
	HeldLabel = "plimsoll.dev/held"
)

// scaleTries is how often a scale is written again when its object changed in between in another field. The controller of
// a workload writes its status several times while pods come or go, and a look that gave up then would not know any more
// that it had changed the number.
const scaleTries = 10

// errMoved says that somebody else changed the number in between: look again.
var errMoved = errors.New("the number of replicas was changed in between; it is looked at again")

// Writer writes what was decided.
type Writer struct {
	Client client.Client
	// Live reads past any cache of Client; nil: Client has none.
	Live   client.Reader
	Scales scale.ScalesGetter
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Write brings the record and the number of replicas of a workload to what was decided, and says whether it changed the
// number. The record is written before the number, and is removed after it, so that what was the user's own is known
// at every moment; and with it goes the number back to the field managers that had it.
func (wr Writer) Write(ctx context.Context, w *Workload, r record.Record, replicas int32) (bool, error) {
	moves, holds := replicas != w.Replicas(), r.State.Applied != nil
	before := w.Object.ManagedFields
	r.Owners = w.Around.Record.Owners
	if moves {
		r.Owners = noteOwners(r.Owners, before)
	}
	if holds {
		if err := wr.keep(ctx, w, r, moves); err != nil {
			return false, err
		}
	}
	if moves {
		if err := wr.scale(ctx, w, replicas); err != nil {
			return false, err
		}
	}
	switch {
	case !holds:
		return moves, wr.letGo(ctx, w, r, before, moves)
	case moves && len(ourFields(before)) == 0 && w.Key.groupVersionKind().Group != "apps":
		return moves, wr.complete(ctx, w, r, before)
	}
	return moves, nil
}

// reread reads the workload's metadata after a write of its number.
func (wr Writer) reread(ctx context.Context, w *Workload) error {
	reader := wr.Live
	if reader == nil {
		reader = wr.Client
	}
	now := &metav1.PartialObjectMetadata{}
	now.SetGroupVersionKind(w.Key.groupVersionKind())
	if err := reader.Get(ctx, client.ObjectKeyFromObject(w.Object), now); err != nil {
		return fmt.Errorf("read %s again: %w", w.Key, err)
	}
	if now.UID != w.Object.UID {
		return errMoved
	}
	w.Object = now
	return nil
}

// complete notes who had the number, where its field was not known before it was written.
func (wr Writer) complete(ctx context.Context, w *Workload, r record.Record, before []metav1.ManagedFieldsEntry) error {
	for range scaleTries {
		if err := wr.reread(ctx, w); err != nil {
			return err
		}
		r.Owners = noteLate(r.Owners, before, w.Object.ManagedFields)
		if err := wr.keep(ctx, w, r, false); !apierrors.IsConflict(err) {
			return err
		}
	}
	return errMoved
}

// letGo removes the record, as far as nothing needs to be remembered, and gives the number back to those who had it:
// in one patch, so that no owner is forgotten before he has it.
func (wr Writer) letGo(ctx context.Context, w *Workload, r record.Record, before []metav1.ManagedFieldsEntry, moved bool) error {
	noted, now := r.Owners, time.Now
	r.Owners = nil
	if wr.Now != nil {
		now = wr.Now
	}
	for try := range scaleTries {
		if moved || try > 0 {
			if err := wr.reread(ctx, w); err != nil {
				return err
			}
		}
		noted = noteLate(noted, before, w.Object.ManagedFields)
		entries, err := handBack(w.Object.ManagedFields, noted, r.Empty(), now())
		if err != nil {
			return fmt.Errorf("%s has its own number again, but its ownership cannot be handed back: %w", w.Key, err)
		}
		metadata := metadataOf(w, r, false)
		if entries != nil {
			metadata["managedFields"] = entries
		}
		if len(metadata) == 0 {
			return nil
		}
		metadata["resourceVersion"] = w.Object.ResourceVersion
		if err := wr.patch(ctx, w, metadata); !apierrors.IsConflict(err) {
			return err
		}
	}
	return errMoved
}

// keep writes the record into the workload's annotations, if it differs from what is there.
func (wr Writer) keep(ctx context.Context, w *Workload, r record.Record, moves bool) error {
	metadata := metadataOf(w, r, moves)
	if len(metadata) == 0 {
		return nil
	}
	metadata["resourceVersion"] = w.Object.ResourceVersion
	return wr.patch(ctx, w, metadata)
}

// metadataOf is the part of a patch that brings annotations and label to a record; empty: they are so already.
func metadataOf(w *Workload, r record.Record, moves bool) map[string]any {
	base, applied := r.Format()
	have := w.Object.Annotations
	wanted := map[string]string{record.BaseAnnotation: base, record.AppliedAnnotation: applied, PreviousAnnotation: have[PreviousAnnotation]}
	label := "true"
	switch {
	case r.Empty():
		wanted[PreviousAnnotation], label = "", ""
	case r.State.Applied == nil:
		wanted[PreviousAnnotation] = ""
	case moves:
		wanted[PreviousAnnotation] = strconv.Itoa(int(w.Replicas()))
	}
	annotations, labels := differing(have, wanted), differing(w.Object.Labels, map[string]string{HeldLabel: label})
	if len(annotations)+len(labels) == 0 {
		return map[string]any{}
	}
	return map[string]any{"annotations": annotations, "labels": labels}
}

func (wr Writer) patch(ctx context.Context, w *Workload, metadata map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return fmt.Errorf("write down what is kept on %s: %w", w.Key, err)
	}
	if err := wr.Client.Patch(ctx, w.Object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(record.Manager)); err != nil {
		return fmt.Errorf("keep the user's own number in the annotations of %s: %w", w.Key, err)
	}
	return nil
}

// differing are the entries to write; nil removes one.
func differing(have, wanted map[string]string) map[string]any {
	out := map[string]any{}
	for key, value := range wanted {
		old, there := have[key]
		switch {
		case value == "" && there:
			out[key] = nil
		case value != "" && value != old:
			out[key] = value
		}
	}
	return out
}

// scale writes the number of replicas, if it still is the one that was observed.
func (wr Writer) scale(ctx context.Context, w *Workload, replicas int32) error {
	scales, resource := wr.Scales.Scales(w.Key.Namespace), w.Resource.GroupResource()
	observed := w.Replicas()
	var err error
	for range scaleTries {
		now, getErr := scales.Get(ctx, resource, w.Key.Name, metav1.GetOptions{})
		if getErr != nil {
			return fmt.Errorf("read the scale of %s: %w", w.Key, getErr)
		}
		if now.UID != w.Object.UID || now.Spec.Replicas != observed {
			return errMoved
		}
		now.Spec.Replicas = replicas
		_, err = scales.Update(ctx, resource, now, metav1.UpdateOptions{FieldManager: record.Manager})
		if !apierrors.IsConflict(err) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("set the replicas of %s from %d to %d: %w", w.Key, observed, replicas, err)
	}
	return nil
}
