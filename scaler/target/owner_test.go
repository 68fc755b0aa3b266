// SPDX-License-Identifier: Apache-2.0

package target

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/scaler/ownership"
	"github.com/plimsoll/plimsoll/scaler/record"
)

func owner(field, manager, operation string) record.Owner {
	return record.Owner{Field: field, Manager: manager, Operation: operation, Group: "autoscaling/v2"}
}

func TestSoleOwner(t *testing.T) {
	both := []string{ownership.MinReplicas, ownership.MaxReplicas}
	create := []record.Owner{owner(ownership.MinReplicas, "create", "Update"), owner(ownership.MaxReplicas, "create", "Update")}
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
		{"two had one", record.Record{Owners: append(slices.Clone(create), owner(ownership.MinReplicas, "edit", "Update"))}, both, ""},
		{"applied", record.Record{Owners: change(func(o *record.Owner) { o.Operation = "Apply" })}, both, ""},
		{"of another version", record.Record{Owners: change(func(o *record.Owner) { o.Group = "autoscaling/v1" })}, both, ""},
		{"through a subresource", record.Record{Owners: change(func(o *record.Owner) { o.Sub = "scale" })}, both, ""},
		{"without a name", record.Record{Owners: change(func(o *record.Owner) { o.Manager = "" })}, both[1:], ""},
		{"one without a name", record.Record{Owners: change(func(o *record.Owner) { o.Manager = "" })}, []string{ownership.MaxReplicas, ownership.MinReplicas}, ""},
		{"there is more to keep", record.Record{Owners: create, Released: []schedule.Occurrence{{Schedule: "sale"}}}, both, ""},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, soleOwner(test.keep, test.fields)) })
	}
}
