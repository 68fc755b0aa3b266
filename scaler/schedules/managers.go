// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/scaler/record"
)

// lastWriter names the field manager, other than ours, that wrote one of the fields last; "somebody" where that is not
// known.
func lastWriter(entries []metav1.ManagedFieldsEntry, fields ...string) string {
	var last *metav1.ManagedFieldsEntry
	for i := range entries {
		e := &entries[i]
		if e.Manager == record.Manager || !hasAny(e, fields) {
			continue
		}
		if last == nil || e.Time != nil && (last.Time == nil || last.Time.Before(e.Time)) {
			last = e
		}
	}
	if last == nil {
		return "somebody"
	}
	return last.Manager
}

func hasAny(e *metav1.ManagedFieldsEntry, fields []string) bool {
	if e.FieldsV1 == nil {
		return false
	}
	for _, field := range fields {
		if strings.Contains(e.FieldsV1.GetRawString(), `"`+field+`"`) {
			return true
		}
	}
	return false
}
