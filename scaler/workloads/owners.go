// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/plimsoll/plimsoll/scaler/record"
)

// The scale subresource of a workload is a view of one of its fields. Whoever writes through it takes that field from
// those who had it in metadata.managedFields, so that their next server-side apply fails with a conflict. They are noted
// in the record, and get it back with the number.

// usualField is the number of replicas of Deployments, StatefulSets and most other kinds. A CRD may have it in another
// field (specReplicasPath), which is known once it is written.
const usualField = "spec.replicas"

// scaleSub is the subresource that the number is written through.
const scaleSub = "scale"

func fieldsOf(entry *metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := &fieldpath.Set{}
	if entry.FieldsV1 == nil || entry.FieldsV1.GetRawString() == "" {
		return set, nil
	}
	if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
		return nil, fmt.Errorf("cannot read metadata.managedFields of manager %s: %w", entry.Manager, err)
	}
	return set, nil
}

// setFields writes the fields of an entry.
func setFields(entry *metav1.ManagedFieldsEntry, set *fieldpath.Set) error {
	raw, err := set.ToJSON()
	if err != nil {
		return fmt.Errorf("cannot write metadata.managedFields of manager %s: %w", entry.Manager, err)
	}
	entry.FieldsV1 = metav1.NewFieldsV1(string(raw))
	return nil
}

// pathOf is the path of a field that is written as "spec.replicas".
func pathOf(field string) fieldpath.Path {
	var path fieldpath.Path
	for _, name := range strings.Split(field, ".") {
		path = append(path, fieldpath.PathElement{FieldName: &name})
	}
	return path
}

// fieldOf is the opposite of pathOf; "" for a path through a list, which no scale subresource has.
func fieldOf(path fieldpath.Path) string {
	names := make([]string, len(path))
	for i, element := range path {
		if element.FieldName == nil {
			return ""
		}
		names[i] = *element.FieldName
	}
	return strings.Join(names, ".")
}

// isOurs says whether an entry is of what Plimsoll wrote through the scale subresource.
func isOurs(entry *metav1.ManagedFieldsEntry) bool {
	return entry.Manager == record.Manager && entry.Subresource == scaleSub
}

// ourFields are the fields that Plimsoll owns by writing the number of replicas: one, or none.
func ourFields(entries []metav1.ManagedFieldsEntry) []string {
	var all []string
	for i := range entries {
		if !isOurs(&entries[i]) {
			continue
		}
		set, err := fieldsOf(&entries[i])
		if err != nil {
			continue // what cannot be read is nobody's
		}
		set.Iterate(func(path fieldpath.Path) {
			if field := fieldOf(path); strings.HasPrefix(field, "spec.") && !slices.Contains(all, field) {
				all = append(all, field)
			}
		})
	}
	return all
}

// others are the managers except Plimsoll that own a field. An entry that cannot be read owns nothing.
func others(entries []metav1.ManagedFieldsEntry, field string) []record.Owner {
	var all []record.Owner
	for i := range entries {
		e := &entries[i]
		if set, err := fieldsOf(e); err == nil && e.Manager != record.Manager && set.Has(pathOf(field)) {
			all = append(all, record.Owner{Field: field, Manager: e.Manager, Operation: string(e.Operation), Sub: e.Subresource, Group: e.APIVersion})
		}
	}
	return all
}

// noteOwners returns the owners to give the number back to after it will have been written: those who have it now, and
// otherwise those who had it last.
func noteOwners(noted []record.Owner, entries []metav1.ManagedFieldsEntry) []record.Owner {
	fields := ourFields(entries)
	if len(fields) == 0 {
		fields = []string{usualField}
		for _, owner := range noted { // somebody has taken it from us since
			if !slices.Contains(fields, owner.Field) {
				fields = append(fields, owner.Field)
			}
		}
	}
	for _, field := range fields {
		if now := others(entries, field); len(now) > 0 {
			noted = slices.DeleteFunc(slices.Clone(noted), func(o record.Owner) bool { return o.Field == field })
			noted = append(noted, now...)
		}
	}
	return noted
}

// noteLate completes the noted owners after the first write of a kind whose number is in an unusual field: before is
// metadata.managedFields as it was then, after as it is.
func noteLate(noted []record.Owner, before, after []metav1.ManagedFieldsEntry) []record.Owner {
	for _, field := range ourFields(after) {
		if !slices.ContainsFunc(noted, func(o record.Owner) bool { return o.Field == field }) {
			noted = append(slices.Clone(noted), others(before, field)...)
		}
	}
	return noted
}

// handBack returns the managed fields without our ownership of the number: whoever had it before has it again, unless
// somebody else owns it by now. With all, nothing else stays ours either. The result is nil when nothing changes.
func handBack(entries []metav1.ManagedFieldsEntry, noted []record.Owner, all bool, now time.Time) ([]metav1.ManagedFieldsEntry, error) {
	fields := ourFields(entries)
	out := make([]metav1.ManagedFieldsEntry, 0, len(entries))
	for i := range entries {
		if !isOurs(&entries[i]) && (!all || entries[i].Manager != record.Manager) {
			out = append(out, *entries[i].DeepCopy())
		}
	}
	if len(out) == len(entries) {
		return nil, nil
	}
	for _, owner := range noted {
		if !slices.Contains(fields, owner.Field) || len(others(entries, owner.Field)) > 0 {
			continue
		}
		var err error
		if out, err = give(out, owner, now); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, nil // the API server takes no empty list for one; nobody else ever wrote the object
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
		at, entries = len(entries), append(entries, metav1.ManagedFieldsEntry{
			Manager: owner.Manager, Operation: metav1.ManagedFieldsOperationType(owner.Operation), Subresource: owner.Sub,
			APIVersion: owner.Group, FieldsType: "FieldsV1", Time: &written,
		})
	}
	set, err := fieldsOf(&entries[at])
	if err != nil {
		return nil, err
	}
	set.Insert(pathOf(owner.Field))
	return entries, setFields(&entries[at], set)
}
