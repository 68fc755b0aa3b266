// SPDX-License-Identifier: Apache-2.0

// Package ownership knows who owns the bounds of a HorizontalPodAutoscaler (metadata.managedFields), so that Plimsoll can give
// the fields that it wrote back to those who had them.
package ownership

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/scaler/record"
)

// The fields of an HPA's spec that Plimsoll writes.
const (
	MinReplicas = "minReplicas"
	MaxReplicas = "maxReplicas"
)

// fieldSet is metadata.managedFields[].fieldsV1, as far as its top.
type fieldSet map[string]json.RawMessage

// specFields are the fields of spec in a set; nil for a set that has none.
func (f fieldSet) specFields() (fieldSet, error) {
	raw, has := f["f:spec"]
	if !has {
		return nil, nil
	}
	var spec fieldSet
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, fmt.Errorf("cannot read f:spec in metadata.managedFields: %w", err)
	}
	return spec, nil
}

// setSpec returns a copy of the set with other fields of spec. Its error is that of marshalling what was read as JSON.
func (f fieldSet) setSpec(spec fieldSet) (fieldSet, error) {
	out := make(fieldSet, len(f)+1)
	for key, value := range f {
		out[key] = value
	}
	delete(out, "f:spec")
	_, dot := spec["."]
	if len(spec) == 0 || dot && len(spec) == 1 {
		return out, nil
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("cannot write f:spec of metadata.managedFields: %w", err)
	}
	out["f:spec"] = raw
	return out, nil
}

func decode(entry *metav1.ManagedFieldsEntry) (fieldSet, error) {
	set := fieldSet{}
	if entry.FieldsV1 == nil || entry.FieldsV1.GetRawString() == "" {
		return set, nil
	}
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &set); err != nil {
		return nil, fmt.Errorf("cannot read metadata.managedFields of manager %s: %w", entry.Manager, err)
	}
	return set, nil
}

// Owns says whether an entry contains a field of spec. An entry that cannot be read owns nothing.
func Owns(entry *metav1.ManagedFieldsEntry, field string) bool {
	set, err := decode(entry)
	if err != nil {
		return false
	}
	spec, err := set.specFields()
	if err != nil {
		return false
	}
	_, has := spec["f:"+field]
	return has
}

// Others are the managers except ours that own a field of spec.
func Others(manager string, entries []metav1.ManagedFieldsEntry, field string) []record.Owner {
	var all []record.Owner
	for i := range entries {
		e := &entries[i]
		if e.Manager != manager && Owns(e, field) {
			all = append(all, record.Owner{Field: field, Manager: e.Manager, Operation: string(e.Operation), Sub: e.Subresource, Group: e.APIVersion})
		}
	}
	return all
}

// Ours says whether our manager owns a field of spec.
func Ours(manager string, entries []metav1.ManagedFieldsEntry, field string) bool {
	return slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool { return e.Manager == manager && Owns(&e, field) })
}

// Note returns the former owners of fields after the fields will have been written: writing takes a field from those who
// own it now.
func Note(manager string, noted []record.Owner, entries []metav1.ManagedFieldsEntry, fields []string) []record.Owner {
	noted = slices.Clone(noted)
	for _, field := range fields {
		now := Others(manager, entries, field)
		if len(now) == 0 {
			continue
		}
		noted = slices.DeleteFunc(noted, func(o record.Owner) bool { return o.Field == field })
		noted = append(noted, now...)
	}
	return noted
}

// Patches says whether a patch of ours in an owner's name is one of his. One who applies on the server's side has an
// entry of another kind, which only a patch of the managed fields themselves can give a field to.
func Patches(o record.Owner) bool {
	return o.Manager != "" && o.Operation == string(metav1.ManagedFieldsOperationUpdate) && o.Sub == "" && o.Group == autoscalingv2.SchemeGroupVersion.String()
}

// HandBack returns the managed fields without our ownership of the bounds: whoever had them before has them again,
// unless somebody else owns them by now. An owner who took a bound out of his file meanwhile gets it back too, as he
// would have it without us: his next apply removes it. The result is nil when we own neither, and when nobody would be
// left, which the API server does not take.
func HandBack(manager string, entries []metav1.ManagedFieldsEntry, noted []record.Owner, now time.Time) ([]metav1.ManagedFieldsEntry, error) {
	var out []metav1.ManagedFieldsEntry
	for i := range entries {
		out = append(out, *entries[i].DeepCopy())
	}
	changed := false
	for _, field := range []string{MinReplicas, MaxReplicas} {
		if !Ours(manager, entries, field) {
			continue
		}
		changed = true
		var err error
		if len(Others(manager, entries, field)) == 0 {
			for _, owner := range noted {
				if owner.Field != field {
					continue
				}
				if out, err = give(out, owner, now); err != nil {
					return nil, err
				}
			}
		}
		if out, err = take(manager, out, field); err != nil {
			return nil, err
		}
	}
	if !changed {
		return nil, nil
	}
	return out, nil
}

// give adds a field to the entry of its former owner, which may have vanished with its last field.
func give(entries []metav1.ManagedFieldsEntry, owner record.Owner, now time.Time) ([]metav1.ManagedFieldsEntry, error) {
	at := slices.IndexFunc(entries, func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == owner.Manager && string(e.Operation) == owner.Operation && e.Subresource == owner.Sub && e.APIVersion == owner.Group
	})
	if at < 0 {
		written := metav1.NewTime(now.Truncate(time.Second))
		entries = append(entries, metav1.ManagedFieldsEntry{
			Manager: owner.Manager, Operation: metav1.ManagedFieldsOperationType(owner.Operation), Subresource: owner.Sub,
			APIVersion: owner.Group, FieldsType: "FieldsV1", Time: &written,
		})
		at = len(entries) - 1
	}
	return entries, edit(&entries[at], func(spec fieldSet) { spec["f:"+owner.Field] = json.RawMessage("{}") })
}

// take removes a field from our own entries, and entries that are empty then.
func take(manager string, entries []metav1.ManagedFieldsEntry, field string) ([]metav1.ManagedFieldsEntry, error) {
	var out []metav1.ManagedFieldsEntry
	for _, e := range entries {
		if e.Manager != manager || !Owns(&e, field) {
			out = append(out, e)
			continue
		}
		if err := edit(&e, func(spec fieldSet) { delete(spec, "f:"+field) }); err != nil {
			return nil, err
		}
		if e.FieldsV1.GetRawString() != "{}" {
			out = append(out, e)
		}
	}
	return out, nil
}

// edit changes the fields of spec in one entry.
func edit(entry *metav1.ManagedFieldsEntry, change func(spec fieldSet)) error {
	set, err := decode(entry)
	if err != nil {
		return err
	}
	spec, err := set.specFields()
	if err != nil {
		return err
	}
	if spec == nil {
		spec = fieldSet{}
	}
	change(spec)
	if set, err = set.setSpec(spec); err != nil {
		return err
	}
	raw, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("cannot write metadata.managedFields of manager %s: %w", entry.Manager, err)
	}
	entry.FieldsV1 = metav1.NewFieldsV1(string(raw))
	return nil
}
