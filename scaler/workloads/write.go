// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

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

// scaleTries is how often a scale is written again when its object changed in between in another field.
const scaleTries = 5

// errMoved says that somebody else changed the number in between: look again.
var errMoved = errors.New("the number of replicas was changed in between; it is looked at again")

// Writer writes what was decided.
type Writer struct {
	Client client.Client
	Scales scale.ScalesGetter
}

// Write brings the record and the number of replicas of a workload to what was decided, and says whether it changed the
// number. The record is written before the number, and is removed after it, so that what was the user's own is known
// at every moment.
func (wr Writer) Write(ctx context.Context, w *Workload, r record.Record, replicas int32) (bool, error) {
	moves, holds := replicas != w.Replicas(), r.State.Applied != nil
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
	if !holds {
		return moves, wr.keep(ctx, w, r, false)
	}
	return moves, nil
}

// keep writes the record into the workload's annotations, if it differs from what is there.
func (wr Writer) keep(ctx context.Context, w *Workload, r record.Record, moves bool) error {
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
		return nil
	}
	metadata := map[string]any{"annotations": annotations, "labels": labels}
	if r.State.Applied != nil {
		metadata["resourceVersion"] = w.Object.ResourceVersion
	}
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
