// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/scaler/record"
)

func entry(manager, operation, sub, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationType(operation), Subresource: sub,
		APIVersion: "apps/v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

const (
	replicasOnly = `{"f:spec":{"f:replicas":{}}}`
	notesOnly    = `{"f:metadata":{"f:annotations":{"f:plimsoll.dev/base":{}}}}`
	paused       = `{"f:spec":{"f:paused":{}}}`
	both         = `{"f:spec":{"f:paused":{},"f:replicas":{}}}`
)

func TestHandBack(t *testing.T) {
	flux := record.Owner{Field: usualField, Manager: "flux", Operation: "Apply", Group: "apps/v1"}
	ours, notes := entry(record.Manager, "Update", scaleSub, replicasOnly), entry(record.Manager, "Update", "", notesOnly)
	tests := []struct {
		name    string
		entries []metav1.ManagedFieldsEntry
		noted   []record.Owner
		all     bool
		want    map[string]string // fields by manager; nil: nothing is written
	}{
		{"its owner still has other fields", []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", paused), ours}, []record.Owner{flux}, false, map[string]string{"flux": both}},
		{"its owner had nothing else", []metav1.ManagedFieldsEntry{entry("kubectl", "Update", "", paused), ours}, []record.Owner{flux}, false,
			map[string]string{"kubectl": paused, "flux": replicasOnly}},
		{"somebody has it by now", []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", paused), entry("kubectl", "Update", scaleSub, replicasOnly), ours}, []record.Owner{flux}, false,
			map[string]string{"flux": paused, "kubectl": replicasOnly}},
		{"nobody had it", []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", paused), ours}, nil, false, map[string]string{"flux": paused}},
		{"the annotations stay", []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", paused), notes, ours}, []record.Owner{flux}, false,
			map[string]string{"flux": both, record.Manager: notesOnly}},
		{"the annotations go", []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", paused), notes, ours}, []record.Owner{flux}, true, map[string]string{"flux": both}},
		{"taken from us: whoever has it keeps it", []metav1.ManagedFieldsEntry{entry("kubectl", "Update", "", both), notes}, []record.Owner{flux}, true, map[string]string{"kubectl": both}},
		{"nothing is ours", []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", both)}, []record.Owner{flux}, true, nil},
		{"nobody would be left", []metav1.ManagedFieldsEntry{ours}, nil, true, nil},
		{"another's that cannot be read stays as it is", []metav1.ManagedFieldsEntry{entry("odd", "Update", "", `[]`), ours}, nil, true, map[string]string{"odd": `[]`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := handBack(test.entries, test.noted, test.all, noon)
			require.NoError(t, err)
			var fields map[string]string
			for _, e := range got {
				if fields == nil {
					fields = map[string]string{}
				}
				fields[e.Manager] = e.FieldsV1.GetRawString()
			}
			require.Equal(t, test.want, fields)
		})
	}
	_, err := handBack([]metav1.ManagedFieldsEntry{entry("flux", "Apply", "", `[]`), ours}, []record.Owner{flux}, true, noon)
	require.ErrorContains(t, err, "manager flux")
}

func TestNoteOwners(t *testing.T) {
	flux := record.Owner{Field: usualField, Manager: "flux", Operation: "Apply", Group: "apps/v1"}
	kubectl := record.Owner{Field: usualField, Manager: "kubectl", Operation: "Update", Sub: scaleSub, Group: "apps/v1"}
	ours := entry(record.Manager, "Update", scaleSub, replicasOnly)
	require.Equal(t, []record.Owner{flux}, noteOwners(nil, []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", both)}))
	require.Equal(t, []record.Owner{flux}, noteOwners([]record.Owner{flux}, []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", paused), ours}), "it is ours: who had it last")
	require.Equal(t, []record.Owner{kubectl}, noteOwners([]record.Owner{flux}, []metav1.ManagedFieldsEntry{entry("kubectl", "Update", scaleSub, replicasOnly)}), "who took it from us")

	// A kind whose number is in another field is known by our own entry, once there is one.
	const size = `{"f:spec":{"f:pool":{"f:size":{}}}}`
	before := []metav1.ManagedFieldsEntry{entry("flux", "Apply", "", size)}
	after := []metav1.ManagedFieldsEntry{entry(record.Manager, "Update", scaleSub, size)}
	noted := noteOwners(nil, before)
	require.Empty(t, noted)
	noted = noteLate(noted, before, after)
	require.Equal(t, []record.Owner{{Field: "spec.pool.size", Manager: "flux", Operation: "Apply", Group: "apps/v1"}}, noted)
	require.Equal(t, noted, noteLate(noted, nil, after), "once is enough")
	require.Equal(t, "ann", noteOwners(noted, []metav1.ManagedFieldsEntry{entry("ann", "Update", "", size)})[0].Manager)
}
