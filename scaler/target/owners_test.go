// SPDX-License-Identifier: Apache-2.0

package target

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/record"
)

func entry(manager, operation, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationType(operation), APIVersion: "autoscaling/v2",
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func owner(field, manager, operation string) record.Owner {
	return record.Owner{Field: field, Manager: manager, Operation: operation, Group: "autoscaling/v2"}
}

// requireFields requires who owns what: "manager operation fields".
func requireFields(t *testing.T, entries []metav1.ManagedFieldsEntry, want ...string) {
	t.Helper()
	var got []string
	for _, e := range entries {
		got = append(got, e.Manager+" "+string(e.Operation)+" "+e.FieldsV1.GetRawString())
	}
	require.Equal(t, want, got)
}

func TestHandBack(t *testing.T) {
	const both, onlyMin = `{"f:spec":{"f:maxReplicas":{},"f:minReplicas":{}}}`, `{"f:spec":{"f:minReplicas":{}}}`
	for _, test := range []struct {
		name    string
		entries []metav1.ManagedFieldsEntry
		noted   []record.Owner
		want    []string // nil: nothing to hand back
	}{
		{"nothing is ours", []metav1.ManagedFieldsEntry{entry("argocd", "Apply", both)}, nil, nil},
		{"to an entry that is still there",
			[]metav1.ManagedFieldsEntry{entry("argocd", "Apply", `{"f:spec":{"f:maxReplicas":{}}}`), entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(minField, "argocd", "Apply")},
			[]string{"argocd Apply " + both}},
		{"to one that had nothing else",
			[]metav1.ManagedFieldsEntry{entry("kcm", "Update", `{"f:status":{}}`), entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(minField, "hand", "Update")},
			[]string{`kcm Update {"f:status":{}}`, "hand Update " + onlyMin}},
		{"to two that had it together",
			[]metav1.ManagedFieldsEntry{entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(minField, "a", "Apply"), owner(minField, "b", "Apply")},
			[]string{"a Apply " + onlyMin, "b Apply " + onlyMin}},
		{"somebody owns it with us by now",
			[]metav1.ManagedFieldsEntry{entry("new", "Apply", onlyMin), entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(minField, "old", "Apply")},
			[]string{"new Apply " + onlyMin}},
		{"nobody had it",
			[]metav1.ManagedFieldsEntry{entry("kcm", "Update", `{"f:status":{}}`), entry(record.Manager, "Update", `{"f:metadata":{"f:annotations":{"f:x":{}}},"f:spec":{"f:minReplicas":{}}}`)},
			nil,
			[]string{`kcm Update {"f:status":{}}`, `plimsoll-scaler Update {"f:metadata":{"f:annotations":{"f:x":{}}}}`}},
		{"an entry that cannot be read is left alone",
			[]metav1.ManagedFieldsEntry{entry("odd", "Apply", `[`), entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(minField, "argocd", "Apply")},
			[]string{"odd Apply [", "argocd Apply " + onlyMin}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := handBack(test.entries, test.noted, start)
			require.NoError(t, err)
			if test.want == nil {
				require.Nil(t, got)
				return
			}
			requireFields(t, got, test.want...)
		})
	}
}

func TestNoteOwners(t *testing.T) {
	entries := []metav1.ManagedFieldsEntry{
		entry("edit", "Update", `{"f:spec":{"f:minReplicas":{}}}`), entry(record.Manager, "Update", `{"f:spec":{"f:maxReplicas":{}}}`),
	}
	noted := []record.Owner{owner(minField, "argocd", "Apply"), owner(maxField, "argocd", "Apply")}
	require.Equal(t, []record.Owner{owner(maxField, "argocd", "Apply"), owner(minField, "edit", "Update")},
		noteOwners(noted, entries, []string{minField, maxField}), "who has it now had it last; what is ours already is noted already")
	require.Equal(t, noted, noteOwners(noted, entries, nil))
}

func TestSoleOwner(t *testing.T) {
	both := []string{minField, maxField}
	create := []record.Owner{owner(minField, "create", "Update"), owner(maxField, "create", "Update")}
	change := func(edit func(*record.Owner)) []record.Owner {
		owners := slices.Clone(create)
		edit(&owners[1])
		return owners
	}
	for _, test := range []struct {
		name   string
		keep   record.Record
		fields []string
		want   string
	}{
		{"one had both", record.Record{Owners: create}, both, "create"},
		{"one had the one that changes", record.Record{Owners: change(func(o *record.Owner) { o.Manager = "edit" })}, both[:1], "create"},
		{"nothing changes", record.Record{Owners: create}, nil, ""},
		{"two had them", record.Record{Owners: change(func(o *record.Owner) { o.Manager = "edit" })}, both, ""},
		{"nobody had one", record.Record{Owners: create[:1]}, both, ""},
		{"nobody had the one that changes", record.Record{Owners: create[:1]}, both[1:], ""},
		{"two had one", record.Record{Owners: append(slices.Clone(create), owner(minField, "edit", "Update"))}, both, ""},
		{"applied", record.Record{Owners: change(func(o *record.Owner) { o.Operation = "Apply" })}, both, ""},
		{"of another version", record.Record{Owners: change(func(o *record.Owner) { o.Group = "autoscaling/v1" })}, both, ""},
		{"through a subresource", record.Record{Owners: change(func(o *record.Owner) { o.Sub = "scale" })}, both, ""},
		{"without a name", record.Record{Owners: change(func(o *record.Owner) { o.Manager = "" })}, both[1:], ""},
		{"one without a name", record.Record{Owners: change(func(o *record.Owner) { o.Manager = "" })}, []string{maxField, minField}, ""},
		{"there is more to keep", record.Record{Owners: create, Released: []schedule.Occurrence{{Schedule: "sale"}}}, both, ""},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, soleOwner(test.keep, test.fields)) })
	}
}
