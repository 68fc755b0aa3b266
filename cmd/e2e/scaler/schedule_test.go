// SPDX-License-Identifier: Apache-2.0

//go:build !faults

package scaler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// replicas is how many scalers run side by side.
const replicas = 1

// scalerFlags let the only scaler lead through every standstill of the machine: what ends while nobody leads ends unseen.
func scalerFlags() []string {
	return []string{"--leader-elect-lease-duration=2m", "--leader-elect-renew-deadline=100s"}
}

// A window raises a real HPA, says so, and gives everything back.
func TestAWindowRaisesTheBoundsAndGivesThemBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 50)
	w := s.opens(t, window{fields: "minReplicas: 18, maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 18, 30)
	s.scaledTo(t, 18)
	s.event(t, "BoundsHeld", "minReplicas held at 18 by ScaleSchedule sale/peak until", "maxReplicas at 30", "2..20 are kept as base", "kubectl plimsoll override hpa/shop --min 2")
	status := s.says(t, w.name, v1alpha1.ScheduleActive).Status
	require.Equal(t, "peak", status.Active)
	require.EqualValues(t, 1, status.Targets)
	require.EqualValues(t, 18, *status.MinReplicas)
	require.EqualValues(t, 30, *status.MaxReplicas)
	require.NotEmpty(t, status.Next)
	require.True(t, apierrors.IsConflict(s.tryServerSideApply(s.base)), "while Plimsoll has the fields, the owner's server-side apply conflicts")

	s.closes(t, w)
	s.restored(t)
	s.event(t, "BoundsRestored", "minReplicas 2", "maxReplicas 20")
	s.says(t, w.name, v1alpha1.ScheduleIdle)
	s.scaledTo(t, 5)
	s.base = bounds.Bounds{Min: 3, Max: 21}
	s.serverSideApply(t, s.base)
	s.restored(t)
}

// What an owner applies on the client's side stays theirs, too: a new file takes effect, and removes what is no longer in it.
func TestAClientSideOwnerGetsTheFieldsBack(t *testing.T) {
	t.Parallel()
	s := newSceneOwned(t, shared, bounds.Bounds{Min: 2, Max: 20}, 50, (*scene).clientSideApply)
	w := s.opens(t, window{fields: "minReplicas: 8, rampDown: 1s"})
	s.bounds(t, 8, 20)
	s.closes(t, w)
	s.restored(t)
	s.base = bounds.Bounds{Min: 3, Max: 21}
	s.clientSideApply(t, s.base)
	s.restored(t)
	s.clientSideApply(t, s.base)
	s.restored(t)
}

// A schedule that is deleted in its window leaves a floor that sinks in steps, and then nothing.
func TestADeletedScheduleLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 9, Max: 20}, 50)
	w := s.opens(t, window{fields: "minReplicas: 10, maxReplicas: 30"})
	s.bounds(t, 10, 30)
	s.followed(t)
	w.fields = "minReplicas: 10, maxReplicas: 31" // new bounds: those that have held for a minute may fall by a tenth at once
	s.opens(t, w)
	s.bounds(t, 10, 31)
	s.deleteSchedule(t, w.name)
	s.bounds(t, 10, 20)
	s.event(t, "BoundsSinking", "no longer asks for a floor")
	s.restored(t)
}

// A raised maximum that ends while the HPA needs it follows the demand down, and cuts nothing.
func TestARaisedMaximumFollowsTheDemandDown(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 6}, 50)
	w := s.opens(t, window{fields: "maxReplicas: 30, rampDown: 1s"})
	s.bounds(t, 2, 30)
	s.setDemand(160)
	s.scaledTo(t, 16)
	s.atLeast(t, 16)
	s.closes(t, w)
	s.bounds(t, 2, 17) // a tenth of room
	s.event(t, "MaxRestoring", "follows the demand down")
	s.says(t, w.name, v1alpha1.ScheduleRestoring)
	s.atLeast(t, 12)
	s.setDemand(120)
	s.bounds(t, 2, 13)
	s.setDemand(40)
	s.restored(t)
	s.event(t, "BoundsRestored", "minReplicas 2", "maxReplicas 6")
	s.scaledTo(t, 4)
}

// An override beats a window, also downwards, ends by itself, and leaves what the window asks for.
func TestAnOverrideAndItsEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 50)
	w := s.opens(t, window{fields: "minReplicas: 8, rampDown: 1s"})
	s.bounds(t, 8, 20)
	s.override(t, record.Override{Min: ptr.To[int32](6), Until: time.Now().Add(onFor), Reason: "a quiet evening", Author: "jane"})
	s.bounds(t, 6, 20)
	s.event(t, "BoundsHeld", "minReplicas held at 6 by", "jane")
	s.says(t, w.name, v1alpha1.ScheduleOverruled)
	short := record.Override{Min: ptr.To[int32](7), Max: ptr.To[int32](30), Until: time.Now().Add(onFor)}
	s.override(t, short)
	s.bounds(t, 7, 30)
	short.Until = time.Now().Add(closing)
	s.override(t, short)
	s.bounds(t, 8, 20)
	s.annotate(t, record.OverrideAnnotation, "{]")
	s.event(t, "Ignored", "cannot be read")
	s.annotate(t, record.OverrideAnnotation, "")
	s.closes(t, w)
	s.restored(t)
}

// Pausing freezes the bounds where they are, on the HPA and on its namespace. Each event shows that the scaler has seen
// that pause, and so the next step cannot overtake it.
func TestAPause(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 50)
	w := s.opens(t, window{fields: "minReplicas: 8, rampDown: 1s"})
	s.bounds(t, 8, 20)
	w = s.closesIn(t, w, 6*closing)
	s.pauseNamespace(t, "true")
	s.event(t, "Paused", "Namespace "+s.ns, "the bounds stay at 8..20")
	s.says(t, w.name, v1alpha1.SchedulePaused)
	s.isOver(t, w)
	s.bounds(t, 8, 20)
	s.annotate(t, record.PausedAnnotation, "true")
	s.event(t, "Paused", situation.Kind+" "+app, "the bounds stay at 8..20")
	s.pauseNamespace(t, "")
	s.bounds(t, 8, 20)
	s.annotate(t, record.PausedAnnotation, "")
	s.restored(t)
}

// A workload without an HPA gets the window's replicas, and its own number afterwards.
func TestAWorkloadWithoutAnHPA(t *testing.T) {
	t.Parallel()
	s := newScene(t, shared, bounds.Bounds{Min: 2, Max: 20}, 50)
	s.apply(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: batch, namespace: $NS}
spec:
  replicas: 3
  selector: {matchLabels: {app: batch}}
  template:
    metadata: {labels: {app: batch}}
    spec: {containers: [{name: app, image: app}]}
`)
	now := time.Now()
	night := window{name: "night", begin: now.Add(-time.Minute), end: now.Add(onFor), fields: "minReplicas: 7, rampDown: 1s"}
	write := func(w window) { s.applyWindow(t, "{kind: Deployment, name: batch}", w) }
	write(night)
	s.batchHas(t, 7)
	s.says(t, "night", v1alpha1.ScheduleActive)
	seenClosing(t, night, closing, write, func() (record.Record, error) {
		batch, err := s.readBatch(t)
		if err != nil {
			return record.Record{}, err
		}
		return record.ParseWorkload(batch.Annotations)
	})
	s.batchHas(t, 3)
	s.says(t, "night", v1alpha1.ScheduleIdle)

	s.applyWindow(t, "{kind: Deployment, name: shop}", window{name: "wrong", begin: now, end: now.Add(onFor), fields: "minReplicas: 7"})
	refused := s.says(t, "wrong", v1alpha1.ScheduleTargetRefused)
	require.Contains(t, refused.Status.Conditions[0].Message, "HorizontalPodAutoscaler shop")
}

// readBatch reads the Deployment without an HPA.
func (s *scene) readBatch(t *testing.T) (*appsv1.Deployment, error) {
	t.Helper()
	d := new(appsv1.Deployment)
	return d, s.client.Get(t.Context(), types.NamespacedName{Namespace: s.ns, Name: "batch"}, d)
}

// batchHas waits for its replicas.
func (s *scene) batchHas(t *testing.T, want int32) {
	t.Helper()
	stacktest.Eventually(t, fmt.Sprintf("%d replicas of batch", want), func() error {
		d, err := s.readBatch(t)
		if err != nil {
			return err
		}
		if *d.Spec.Replicas != want {
			return fmt.Errorf("it has %d", *d.Spec.Replicas)
		}
		return nil
	})
}

// pauseNamespace sets the namespace's annotation.
func (s *scene) pauseNamespace(t *testing.T, value string) {
	t.Helper()
	s.annotateObject(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}}, record.PausedAnnotation, value)
}
