// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"fmt"
	"testing"
	"time"
)

// window is a one-off window that is on until somebody ends it, so that a test need not hurry.
type window struct {
	name       string
	begin, end time.Time // zero: a minute ago, in an hour
	fields     string    // YAML: what holds, as "minReplicas: 9, maxReplicas: 40"
}

// onFor is how long a window is on that nobody ends.
const onFor = time.Hour

// opens writes a ScaleSchedule with one window.
func (s *scene) opens(t *testing.T, w window) window {
	t.Helper()
	if w.name == "" {
		w.name = "sale"
	}
	if w.begin.IsZero() {
		w.begin = time.Now().Add(-time.Minute)
	}
	if w.end.IsZero() {
		w.end = time.Now().Add(onFor)
	}
	s.apply(t, fmt.Sprintf(`
apiVersion: plimsoll.dev/v1alpha1
kind: ScaleSchedule
metadata: {name: %[1]s, namespace: $NS}
spec:
  targetRef: {name: shop}
  timeZone: UTC
  windows: [{name: peak, reason: test, start: %[2]q, end: %[3]q, %[4]s}]
`, w.name, w.begin.UTC().Format(time.RFC3339), w.end.UTC().Format(time.RFC3339), w.fields))
	return w
}

// closes moves a window's end to a moment from now, so that it ends as every window does.
func (s *scene) closes(t *testing.T, w window) window {
	t.Helper()
	w.end = time.Now().Add(closing)
	return s.opens(t, w)
}

// closing is how long before its end a window learns of it: long enough that a busy scaler has read it by then.
const closing = 5 * time.Second
