// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// Failures knows of which HPAs the last write failed. The controller of bounds notes it, and statuses say it. The zero
// value is ready for use.
type Failures struct{ byHPA sync.Map }

// Note notes how the last write of an HPA ended; nil: well. An HPA that is gone has no failure.
func (f *Failures) Note(hpa types.NamespacedName, err error) {
	if err == nil || apierrors.IsNotFound(err) {
		f.byHPA.Delete(hpa)
		return
	}
	f.byHPA.Store(hpa, err)
}

// Of is why the last write of an HPA failed; nil: it did not.
func (f *Failures) Of(hpa types.NamespacedName) error {
	if f == nil {
		return nil
	}
	err, _ := f.byHPA.Load(hpa)
	failure, _ := err.(error)
	return failure
}
