// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// patch is the JSON merge patch of one write. The resourceVersion makes the API server refuse it with a conflict when
// somebody else has written since.
type patch struct {
	Metadata patchMetadata `json:"metadata"`
	Spec     *patchSpec    `json:"spec,omitempty"`
}

type patchMetadata struct {
	ResourceVersion string                      `json:"resourceVersion"`
	Annotations     map[string]*string          `json:"annotations,omitempty"` // nil removes one
	ManagedFields   []metav1.ManagedFieldsEntry `json:"managedFields,omitempty"`
}

type patchSpec struct {
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
}

// writer writes bounds and their record.
type writer struct {
	client client.Client
	now    time.Time
}

// wish is what an HPA is to be like.
type wish struct {
	bounds bounds.Bounds
	record record.Record
	remove []string // further annotations to remove
}

// done is what was written of a wish.
type done struct {
	bounds     bool // the bounds were changed
	record     bool // the annotations were changed
	handedBack bool // the fields were given back to those who had them
}

func (d done) any() bool { return d.bounds || d.record || d.handedBack }

// write brings an HPA to what is wished for: the bounds and their record in one patch; and when the bounds are the
// user's own again, in a second one, the fields' ownership, which the first took. A crash in between leaves the former
// owners in the record, so that the second is caught up on. It writes nothing that is so already.
func (w writer) write(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, want wish) (done, error) {
	var did done
	live := situation.LiveBounds(hpa)
	spec, fields := changes(live, want.bounds)
	restored := want.record.State.Applied == nil
	keep := want.record
	keep.Owners = noteOwners(keep.Owners, hpa.ManagedFields, fields)
	if restored && len(fields) == 0 && !holdsFields(hpa) {
		keep.Owners = nil
	}
	p := patch{Metadata: patchMetadata{Annotations: annotations(hpa, keep, want.remove)}, Spec: spec}
	back := restored && (len(keep.Owners) > 0 || holdsFields(hpa) || len(fields) > 0)
	if spec != nil || !back && len(p.Metadata.Annotations) > 0 {
		written, err := w.send(ctx, hpa, p)
		if err != nil {
			return did, err
		}
		did.bounds, did.record = spec != nil, len(p.Metadata.Annotations) > 0
		hpa = written
	}
	if !back {
		return did, nil
	}
	return w.handBack(ctx, hpa, want, keep, did)
}

// handBack is the second patch: the fields go back to their former owners, and with them the record of those goes.
func (w writer) handBack(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, want wish, keep record.Record, did done) (done, error) {
	entries, err := handBack(hpa.ManagedFields, keep.Owners, w.now)
	if err != nil {
		return did, fmt.Errorf("HPA %s/%s has its own bounds again, but their ownership cannot be handed back: %w", hpa.Namespace, hpa.Name, err)
	}
	keep.Owners = nil
	if keep.Empty() { // then our annotations go too, and nothing is left that could be ours
		entries = slices.DeleteFunc(entries, func(e metav1.ManagedFieldsEntry) bool { return e.Manager == record.Manager })
	}
	p := patch{Metadata: patchMetadata{Annotations: annotations(hpa, keep, want.remove), ManagedFields: entries}}
	if len(entries) == 0 && len(p.Metadata.Annotations) == 0 {
		return did, nil
	}
	if _, err := w.send(ctx, hpa, p); err != nil {
		return did, err
	}
	did.handedBack, did.record = entries != nil, did.record || len(p.Metadata.Annotations) > 0
	return did, nil
}

// send sends a patch and returns the HPA as it is then.
func (w writer) send(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, p patch) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	p.Metadata.ResourceVersion = hpa.ResourceVersion
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot write the patch of HPA %s/%s: %w", hpa.Namespace, hpa.Name, err)
	}
	written := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: hpa.Namespace, Name: hpa.Name}}
	if err := w.client.Patch(ctx, written, client.RawPatch(types.MergePatchType, data), client.FieldOwner(record.Manager)); err != nil {
		return nil, fmt.Errorf("cannot write the bounds of HPA %s/%s: %w", hpa.Namespace, hpa.Name, err)
	}
	return written, nil
}

// changes are the fields of spec that differ. A field that stays is not in the patch, so that it stays its owner's.
func changes(live, want bounds.Bounds) (*patchSpec, []string) {
	if live == want {
		return nil, nil
	}
	var spec patchSpec
	var fields []string
	if live.Min != want.Min {
		spec.MinReplicas, fields = &want.Min, append(fields, minField)
	}
	if live.Max != want.Max {
		spec.MaxReplicas, fields = &want.Max, append(fields, maxField)
	}
	return &spec, fields
}

// annotations are those that differ.
func annotations(hpa *autoscalingv2.HorizontalPodAutoscaler, keep record.Record, remove []string) map[string]*string {
	base, applied := keep.Format()
	want := map[string]string{record.BaseAnnotation: base, record.AppliedAnnotation: applied}
	for _, name := range remove {
		want[name] = ""
	}
	differ := map[string]*string{}
	for name, text := range want {
		has, there := hpa.Annotations[name]
		switch {
		case text == "" && there:
			differ[name] = nil
		case text != "" && text != has:
			differ[name] = &text
		}
	}
	return differ
}

func holdsFields(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	return ours(hpa.ManagedFields, minField) || ours(hpa.ManagedFields, maxField)
}
