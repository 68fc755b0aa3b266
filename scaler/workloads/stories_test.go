// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/record"
)

func testWindow(t *testing.T, s *stage) {
	s.deployment(3)
	s.schedule("minReplicas: 8, rampUp: 10m, rampDown: 10m")
	s.look(-20)
	s.requireRestored(3)
	s.look(-5)
	require.EqualValues(t, 6, s.replicas())
	s.look(0)
	require.EqualValues(t, 8, s.replicas())
	require.Contains(t, s.told(), "replicas go from 6 to 8 by ScaleSchedule s/w; 3 is stored as the workload's own number")
	before := s.object()
	s.look(20)
	require.Equal(t, before.GetGeneration(), s.object().GetGeneration(), "nothing changes, so nothing is written")
	require.Equal(t, before.GetAnnotations()[record.AppliedAnnotation], s.object().GetAnnotations()[record.AppliedAnnotation])

	s.patch(`{"spec":{"replicas":12}}`)
	s.look(21)
	require.EqualValues(t, 12, s.replicas())
	require.Contains(t, s.told(), "12 replicas are kept as the workload's own number")
	s.patch(`{"spec":{"replicas":2}}`)
	s.look(22)
	require.EqualValues(t, 8, s.replicas(), "the window's floor holds")
	s.look(65)
	require.EqualValues(t, 5, s.replicas())
	s.look(75)
	s.requireRestored(2)
	require.Contains(t, s.told(), "replicas are back at the workload's own 2")
}

func testStatefulSet(t *testing.T, s *stage) {
	s.key.Kind = "StatefulSet"
	s.workload("StatefulSet", "serviceName: shop,", 3)
	s.schedule("replicas: 6, rampDown: 1m")
	s.look(0)
	require.EqualValues(t, 6, s.replicas())
	s.look(62)
	s.requireRestored(3)
}

// A kind with its replicas in a field of another name.
func testCustomKind(t *testing.T, s *stage) {
	s.key.APIVersion, s.key.Kind = "example.com/v1", "Rollout"
	s.create(`{apiVersion: example.com/v1, kind: Rollout, metadata: {name: shop}, spec: {size: 3}}`)
	s.schedule("minReplicas: 6, rampDown: 1m")
	s.look(0)
	require.EqualValues(t, 6, s.replicas())
	s.look(62)
	s.requireRestored(3)
}

func testRefused(t *testing.T, s *stage) {
	s.deployment(3)
	s.schedule("minReplicas: 8")
	s.look(0)
	require.EqualValues(t, 8, s.replicas())
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "auto"}}
	hpa.Spec.MaxReplicas = 20
	hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"}
	require.NoError(t, s.client.Create(t.Context(), hpa))
	s.look(10)
	s.requireRestored(8)
	w, err := s.controller.Observer.Observe(t.Context(), s.key)
	require.NoError(t, err)
	require.Contains(t, w.Refused, "HorizontalPodAutoscaler auto scales it")
	s.look(75)
	require.EqualValues(t, 8, s.replicas(), "the HPA decides now")
}

// The record is written, and then the process ends.
func testCrash(t *testing.T, s *stage) {
	s.deployment(3)
	s.schedule("minReplicas: 8, rampUp: 10m, rampDown: 10m")
	s.look(-6)
	before := s.replicas()
	s.now = noon.Add(-2 * time.Minute)
	clustertest.Eventually(t, "the record alone", func() error {
		w, err := s.controller.Observer.Observe(t.Context(), s.key)
		require.NoError(t, err)
		return s.controller.writer.keep(t.Context(), w, w.Decide(s.now).Record, true)
	})
	require.Equal(t, before, s.replicas())
	s.look(-1.9)
	require.EqualValues(t, 7, s.replicas(), "what the record says")
	s.look(75)
	s.requireRestored(3)
}

func testPaused(t *testing.T, s *stage) {
	s.deployment(3)
	s.schedule("minReplicas: 8, rampDown: 10m")
	s.look(0)
	s.patch(`{"metadata":{"annotations":{"plimsoll.dev/paused":"true"}}}`)
	s.look(75)
	require.EqualValues(t, 8, s.replicas(), "it stays where it is")
	s.patch(`{"metadata":{"annotations":{"plimsoll.dev/paused":null}}}`)
	s.look(76)
	s.requireRestored(3)
}

func testOverride(t *testing.T, s *stage) {
	s.deployment(3)
	s.schedule("minReplicas: 8, rampDown: 10m")
	s.look(0)
	low := int32(4)
	o := record.Override{Min: &low, Since: noon, Until: noon.Add(30 * time.Minute), Author: "ann"}
	s.patch(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, record.OverrideAnnotation, o.Format()))
	s.look(1)
	require.EqualValues(t, 4, s.replicas(), "an override may lower")
	s.look(31)
	require.EqualValues(t, 8, s.replicas())
}

func testScheduleDeleted(t *testing.T, s *stage) {
	s.deployment(3)
	s.schedule("minReplicas: 8")
	s.look(0)
	require.NoError(t, s.client.DeleteAllOf(t.Context(), &v1alpha1.ScaleSchedule{}, client.InNamespace(s.namespace)))
	s.look(1)
	require.EqualValues(t, 8, s.replicas())
	s.look(3)
	require.EqualValues(t, 7, s.replicas(), "it sinks by a tenth a minute")
	s.look(30)
	s.requireRestored(3)
}

func testNoTarget(t *testing.T, s *stage) {
	_, err := s.controller.Observer.Observe(t.Context(), s.key)
	require.True(t, client.IgnoreNotFound(err) == nil && err != nil, "%v", err)
	s.create(`{apiVersion: v1, kind: ConfigMap, metadata: {name: shop}}`)
	var never *NoScaleError
	_, err = s.controller.Observer.Observe(t.Context(), Key{s.namespace, "v1", "ConfigMap", "shop"})
	require.ErrorAs(t, err, &never)
	require.ErrorContains(t, err, "ConfigMap shop has no scale subresource")
	_, err = s.controller.Observer.Observe(t.Context(), Key{s.namespace, "example.com/v1", "Nothing", "shop"})
	require.ErrorAs(t, err, &never)
	look := func() time.Duration {
		result, err := s.controller.Reconcile(t.Context(), s.key)
		require.NoError(t, err)
		return result.RequeueAfter
	}
	require.Zero(t, look(), "no schedule names it, so nobody waits for it")
	s.schedule("minReplicas: 8")
	require.Equal(t, idleLook, look())
	s.key.Kind = "Nothing"
	require.Zero(t, look())
}

// A controller without the right to write says so, and the record lets the next one go on.
func testWriteFailed(t *testing.T, s *stage) {
	s.deployment(3)
	s.schedule("minReplicas: 8, rampDown: 10m")
	wr := s.controller.writer
	s.controller.writer.Client = client.NewDryRunClient(refusing{wr.Client})
	_, err := s.controller.Reconcile(t.Context(), s.key)
	require.ErrorContains(t, err, "no right")
	require.ErrorContains(t, s.controller.WriteFailure(s.key), "no right")
	require.EqualValues(t, 3, s.replicas(), "no number without a record")
	s.controller.writer = wr
	s.look(0)
	require.NoError(t, s.controller.WriteFailure(s.key))
	require.EqualValues(t, 8, s.replicas())
}

type refusing struct{ client.Client }

func (refusing) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return errors.New("no right")
}

func testRelease(t *testing.T, s *stage) {
	held := func() []Key {
		keys, err := Held(t.Context(), s.discovery, s.client)
		require.NoError(t, err)
		return slices.DeleteFunc(keys, func(k Key) bool { return k.Namespace != s.namespace })
	}
	release := func(dryRun bool) Released {
		r, err := Release(t.Context(), s.controller.Observer, s.controller.writer, s.key, dryRun)
		require.NoError(t, err)
		return r
	}
	require.Equal(t, "there is no such workload", release(false).Message)
	s.deployment(3)
	s.schedule("minReplicas: 8")
	require.Empty(t, held())
	s.look(0)
	require.Equal(t, []Key{s.key}, held())
	before := s.object().GetAnnotations()
	require.True(t, release(true).Changed)
	require.Equal(t, before[record.AppliedAnnotation], s.object().GetAnnotations()[record.AppliedAnnotation], "nothing is written")
	r := release(false)
	require.Contains(t, r.Message, "replicas stay at 8, so that nothing is cut; its own number is 3: kubectl")
	s.requireRestored(8)
	require.Empty(t, held())
	require.Equal(t, "nothing of Plimsoll is on it", release(false).Message)

	s.patch(`{"spec":{"replicas":20}}`)
	require.NoError(t, s.client.DeleteAllOf(t.Context(), &v1alpha1.ScaleSchedule{}, client.InNamespace(s.namespace)))
	s.create(`{apiVersion: plimsoll.dev/v1alpha1, kind: ScaleSchedule, metadata: {name: low}, spec: {timeZone: UTC,
  targetRef: {kind: Deployment, name: shop}, windows: [{name: w, start: "2026-11-23T12:00", duration: 1h, maxReplicas: 5, hardMax: true}]}}`)
	s.look(1)
	require.EqualValues(t, 5, s.replicas())
	require.Contains(t, release(false).Message, "replicas go from 5 back to its own number 20")
	s.requireRestored(20)
}
