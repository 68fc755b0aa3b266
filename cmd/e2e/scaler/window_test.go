// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
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
	s.applyWindow(t, "{name: shop}", w)
	return w
}

func (s *scene) applyWindow(t *testing.T, target string, w window) {
	t.Helper()
	s.apply(t, fmt.Sprintf(`
apiVersion: plimsoll.dev/v1alpha1
kind: ScaleSchedule
metadata: {name: %s, namespace: $NS}
spec:
  targetRef: %s
  timeZone: UTC
  windows: [{name: peak, reason: test, start: %q, end: %q, %s}]
`, w.name, target, w.begin.UTC().Format(time.RFC3339), w.end.UTC().Format(time.RFC3339), w.fields))
}

// closes moves a window's end to a moment from now, so that it ends as every window does: whatever a scaler has seen of
// its end before, which no test takes away meanwhile.
func (s *scene) closes(t *testing.T, w window) window {
	t.Helper()
	s.scalers.RLock()
	defer s.scalers.RUnlock()
	return s.closesSoon(t, w)
}

// closesSoon is closes for a test that has the scalers to itself.
func (s *scene) closesSoon(t *testing.T, w window) window {
	t.Helper()
	return s.closesIn(t, w, closing)
}

// closesIn closes a window after a time. One that ended before a scaler had read its end, because the machine was busy,
// is on again and closes later.
func (s *scene) closesIn(t *testing.T, w window, within time.Duration) window {
	t.Helper()
	return seenClosing(t, w, within, func(w window) { s.opens(t, w) }, s.hpaRecord)
}

func (s *scene) hpaRecord() (record.Record, error) {
	hpa, err := s.readHPA()
	if err != nil {
		return record.Record{}, err
	}
	return record.Parse(hpa.Annotations)
}

// seenClosing lets a window end soon, and again with more time, until the record of its target shows its end.
func seenClosing(t *testing.T, w window, within time.Duration, write func(window), kept func() (record.Record, error)) window {
	t.Helper()
	for longest := 8 * within; ; within *= 2 {
		w.end = time.Now().Add(within)
		write(w)
		if knowsTheEnd(t, w, kept) {
			return w
		}
		require.Less(t, within, longest, "window %s ended unseen again and again", w.name)
		t.Logf("window %s was to close within %s, and ended unseen", w.name, within)
	}
}

// knowsTheEnd waits until a record says when the window and its ramp will be over, and is false when the window ended
// before that: what ends unseen sinks slowly.
func knowsTheEnd(t *testing.T, w window, kept func() (record.Record, error)) bool {
	t.Helper()
	if !strings.Contains(w.fields, "minReplicas") {
		return true // it holds no floor
	}
	known := false
	stacktest.Eventually(t, "a record of the end of window "+w.name, func() error {
		r, err := kept()
		known = r.State.Applied == nil || r.State.Tail == nil && !r.State.RampEnds.After(w.end.Add(longestRamp))
		if err == nil && !known && (r.State.Tail == nil || time.Now().Before(w.end)) {
			err = fmt.Errorf("it says %+v", r.State)
		}
		return err
	})
	return known
}

// closing is how long before its end a window learns of it: long enough that most scalers have read it by then.
const closing = 8 * time.Second

// longestRamp is above every rampDown here.
const longestRamp = 2 * time.Minute

// isOver waits until a window that closes is over, and the scaler has seen that.
func (s *scene) isOver(t *testing.T, w window) {
	t.Helper()
	stacktest.Eventually(t, "the end of window "+w.name, func() error {
		schedule, err := s.schedule(w.name)
		if err == nil && schedule.Status.Active != "" {
			err = fmt.Errorf("still active: %s", schedule.Status.Active)
		}
		return err
	})
}

func (s *scene) deleteSchedule(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, s.client.Delete(t.Context(), &v1alpha1.ScaleSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name}}))
}

// override writes an override as the command line does.
func (s *scene) override(t *testing.T, o record.Override) {
	t.Helper()
	o.Since = time.Now()
	require.NoError(t, o.Validate())
	s.annotate(t, record.OverrideAnnotation, o.Format())
}
