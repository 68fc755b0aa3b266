// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/scaler/record"
)

var start = time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)

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
			[]record.Owner{owner(MinReplicas, "argocd", "Apply")},
			[]string{"argocd Apply " + both}},
		{"to one that had nothing else",
			[]metav1.ManagedFieldsEntry{entry("kcm", "Update", `{"f:status":{}}`), entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(MinReplicas, "hand", "Update")},
			[]string{`kcm Update {"f:status":{}}`, "hand Update " + onlyMin}},
		{"to two that had it together",
			[]metav1.ManagedFieldsEntry{entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(MinReplicas, "a", "Apply"), owner(MinReplicas, "b", "Apply")},
			[]string{"a Apply " + onlyMin, "b Apply " + onlyMin}},
		{"somebody owns it with us by now",
			[]metav1.ManagedFieldsEntry{entry("new", "Apply", onlyMin), entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(MinReplicas, "old", "Apply")},
			[]string{"new Apply " + onlyMin}},
		{"nobody had it",
			[]metav1.ManagedFieldsEntry{entry("kcm", "Update", `{"f:status":{}}`), entry(record.Manager, "Update", `{"f:metadata":{"f:annotations":{"f:x":{}}},"f:spec":{"f:minReplicas":{}}}`)},
			nil,
			[]string{`kcm Update {"f:status":{}}`, `plimsoll-scaler Update {"f:metadata":{"f:annotations":{"f:x":{}}}}`}},
		{"an entry that cannot be read is left alone",
			[]metav1.ManagedFieldsEntry{entry("odd", "Apply", `[`), entry(record.Manager, "Update", onlyMin)},
			[]record.Owner{owner(MinReplicas, "argocd", "Apply")},
			[]string{"odd Apply [", "argocd Apply " + onlyMin}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := HandBack(record.Manager, test.entries, test.noted, start)
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
	noted := []record.Owner{owner(MinReplicas, "argocd", "Apply"), owner(MaxReplicas, "argocd", "Apply")}
	require.Equal(t, []record.Owner{owner(MaxReplicas, "argocd", "Apply"), owner(MinReplicas, "edit", "Update")},
		Note(record.Manager, noted, entries, []string{MinReplicas, MaxReplicas}), "who has it now had it last; what is ours already is noted already")
	require.Equal(t, noted, Note(record.Manager, noted, entries, nil))
}
