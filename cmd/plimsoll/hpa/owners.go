// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"encoding/json"

	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// owners are the field managers whom the user's own bounds belong to: those that the scaler remembers, and of the
// fields that it has not written those that the HPA itself names.
func owners(s *situation.Situation) []Owner {
	var found []Owner
	known := map[string]bool{}
	for _, o := range s.Record.Owners {
		found = append(found, Owner{Field: o.Field, Manager: o.Manager, Operation: o.Operation})
		known[o.Field] = true
	}
	for _, entry := range s.HPA.ManagedFields {
		if entry.FieldsV1 == nil || entry.Subresource != "" || entry.Manager == record.Manager {
			continue
		}
		var fields struct {
			Spec map[string]any `json:"f:spec"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			continue // who the owner is cannot be told then, which is better than no explanation
		}
		for _, field := range []string{"minReplicas", "maxReplicas"} {
			if _, owns := fields.Spec["f:"+field]; owns && !known[field] {
				found = append(found, Owner{Field: field, Manager: entry.Manager, Operation: string(entry.Operation)})
			}
		}
	}
	return found
}
