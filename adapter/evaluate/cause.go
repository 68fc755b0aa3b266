// SPDX-License-Identifier: Apache-2.0

package evaluate

import (
	"context"
	"errors"

	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Cause names why an evaluation failed, with the reasons of a rule's Ready condition; "" for nil.
func Cause(err error) string {
	for _, c := range []struct {
		is     error
		reason string
	}{
		{snapshot.ErrGuard, v1alpha1.ReasonGuardFailed},
		{source.ErrTooManySeries, v1alpha1.ReasonTooManySeries},
		{source.ErrPartial, v1alpha1.ReasonPartialAnswer},
		{source.ErrTimeout, v1alpha1.ReasonTimedOut},
		{context.DeadlineExceeded, v1alpha1.ReasonTimedOut},
		{source.ErrBadAnswer, v1alpha1.ReasonBadAnswer},
		{source.ErrRefused, v1alpha1.ReasonSourceRefused},
		{source.ErrUnreachable, v1alpha1.ReasonSourceUnreachable},
	} {
		if errors.Is(err, c.is) {
			return c.reason
		}
	}
	if err == nil {
		return ""
	}
	return v1alpha1.ReasonSourceFailed
}
