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
	"github.com/plimsoll/plimsoll/scaler/ownership"
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

// write brings an HPA to what is wished for: the bounds and their record in one patch. When the bounds are the user's own
// again, the fields' ownership, which writing them took, goes back to those who had it: in the same patch where one
// manager had them, else in a second one. A crash in between leaves the former owners in the record, so that the second
// is caught up on. It writes nothing that is so already.
func (w writer) write(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, want wish) (done, error) {
	spec, fields := changes(situation.LiveBounds(hpa), want.bounds)
	restored := want.record.State.Applied == nil
	keep := want.record
	keep.Owners = ownership.Note(record.Manager, keep.Owners, hpa.ManagedFields, fields)
	if restored && len(fields) == 0 && !holdsFields(hpa) {
		keep.Owners = nil
	}
	back := restored && (len(keep.Owners) > 0 || holdsFields(hpa) || len(fields) > 0)
	if manager := soleOwner(keep, fields); back && manager != "" {
		if p, err := w.handingBack(hpa, want, keep); err == nil { // else the bounds come back at least
			p.Spec = spec
			return w.restoreAs(ctx, hpa, p, manager)
		}
	}
	var did done
	p := patch{Metadata: patchMetadata{Annotations: annotations(hpa, keep, want.remove)}, Spec: spec}
	if spec != nil || !back && len(p.Metadata.Annotations) > 0 {
		written, err := w.send(ctx, hpa, p, record.Manager)
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

// restoreAs restores the bounds in the name of the manager that had them: the API server makes whoever writes a field its
// owner. The fields that do not change, and what is left of ours, are seen to by the managed fields in the same patch.
func (w writer) restoreAs(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, p patch, manager string) (done, error) {
	if _, err := w.send(ctx, hpa, p, manager); err != nil {
		return done{}, err
	}
	return done{bounds: true, record: len(p.Metadata.Annotations) > 0, handedBack: true}, nil
}

// handBack is the second patch: the fields go back to their former owners, and with them the record of those goes.
func (w writer) handBack(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, want wish, keep record.Record, did done) (done, error) {
	p, err := w.handingBack(hpa, want, keep)
	if err != nil {
		return did, fmt.Errorf("HPA %s/%s has its own bounds again, but their ownership cannot be handed back: %w", hpa.Namespace, hpa.Name, err)
	}
	if len(p.Metadata.ManagedFields) == 0 && len(p.Metadata.Annotations) == 0 {
		return did, nil
	}
	if _, err := w.send(ctx, hpa, p, record.Manager); err != nil {
		return did, err
	}
	did.handedBack, did.record = p.Metadata.ManagedFields != nil, did.record || len(p.Metadata.Annotations) > 0
	return did, nil
}

// handingBack is the patch that gives the fields back and forgets who had them.
func (w writer) handingBack(hpa *autoscalingv2.HorizontalPodAutoscaler, want wish, keep record.Record) (patch, error) {
	entries, err := ownership.HandBack(record.Manager, hpa.ManagedFields, keep.Owners, w.now)
	if err != nil {
		return patch{}, err
	}
	keep.Owners = nil
	if keep.Empty() { // then our annotations go too, and nothing is left that could be ours
		entries = slices.DeleteFunc(entries, func(e metav1.ManagedFieldsEntry) bool { return e.Manager == record.Manager })
	}
	return patch{Metadata: patchMetadata{Annotations: annotations(hpa, keep, want.remove), ManagedFields: entries}}, nil
}

// send sends a patch in the name of a field manager and returns the HPA as it is then.
func (w writer) send(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, p patch, manager string) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	p.Metadata.ResourceVersion = hpa.ResourceVersion
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot write the patch of HPA %s/%s: %w", hpa.Namespace, hpa.Name, err)
	}
	written := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: hpa.Namespace, Name: hpa.Name}}
	if err := w.client.Patch(ctx, written, client.RawPatch(types.MergePatchType, data), client.FieldOwner(manager)); err != nil {
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
		spec.MinReplicas, fields = &want.Min, append(fields, ownership.MinReplicas)
	}
	if live.Max != want.Max {
		spec.MaxReplicas, fields = &want.Max, append(fields, ownership.MaxReplicas)
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
	return ownership.Ours(record.Manager, hpa.ManagedFields, ownership.MinReplicas) || ownership.Ours(record.Manager, hpa.ManagedFields, ownership.MaxReplicas)
}

// soleOwner is the manager that had all the fields before us, in whose name one patch can restore them; "" without one.
// There is none while more is to be kept than the owners, as that would become his, too.
func soleOwner(keep record.Record, fields []string) string {
	sole := ""
	for i, field := range fields {
		had := slices.DeleteFunc(slices.Clone(keep.Owners), func(o record.Owner) bool { return o.Field != field })
		if len(had) != 1 || !ownership.Patches(had[0]) || i > 0 && had[0].Manager != sole {
			return ""
		}
		sole = had[0].Manager
	}
	keep.Owners = nil
	if !keep.Empty() {
		return ""
	}
	return sole
}
