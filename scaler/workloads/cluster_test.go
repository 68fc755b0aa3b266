// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// TestOnCluster has replicas changed on a real API server. The tests move the clock.
func TestOnCluster(t *testing.T) {
	cluster := clustertest.Start(t)
	cluster.Create(t, "", rollouts)
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *stage)
	}{
		{"a window, and an edit in it", testWindow},
		{"a StatefulSet", testStatefulSet},
		{"another kind", testCustomKind},
		{"refused when an HPA scales it", testRefused},
		{"a crash between the record and the number", testCrash},
		{"paused", testPaused},
		{"an override", testOverride},
		{"a schedule is deleted in its window", testScheduleDeleted},
		{"no such workload, and no scale", testNoTarget},
		{"a refused write", testWriteFailed},
		{"release", testRelease},
		{"the owner's server-side apply of a Deployment", testApplyDeployment},
		{"the owner's server-side apply of another kind", testApplyCustomKind},
		{"release, and the owner's server-side apply", testApplyRelease},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newStage(t, cluster)) })
	}
	t.Run("under a manager", func(t *testing.T) { testManager(t, cluster.RESTConfig, newStage(t, cluster)) })
}

const rollouts = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts, singular: rollout}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
`

// stage is a namespace with a workload "shop", and a controller that looks when it is told to.
type stage struct {
	t          *testing.T
	cluster    *clustertest.Cluster
	client     client.Client
	namespace  string
	key        Key
	now        time.Time
	controller *Controller
	events     *events.FakeRecorder
	discovery  discovery.DiscoveryInterface
}

func newStage(t *testing.T, cluster *clustertest.Cluster) *stage {
	c := cluster.Client
	s := &stage{t: t, cluster: cluster, client: c, now: noon, events: events.NewFakeRecorder(100)}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "workloads-"}}
	require.NoError(t, c.Create(t.Context(), ns))
	s.namespace = ns.Name
	s.key = Key{Namespace: ns.Name, APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"}
	observer, err := NewObserver(cluster.RESTConfig, c, c, c.RESTMapper())
	require.NoError(t, err)
	s.discovery = discovery.NewDiscoveryClientForConfigOrDie(cluster.RESTConfig)
	s.controller = &Controller{
		Observer: observer, writer: Writer{Client: c, Scales: observer.Scales}, recorder: s.events,
		now: func() time.Time { return s.now }, poll: 30 * time.Second,
	}
	return s
}

func (s *stage) create(text string) {
	s.t.Helper()
	s.cluster.Create(s.t, s.namespace, text)
}

func (s *stage) deployment(replicas int) { s.workload("Deployment", "", replicas) }

func (s *stage) workload(kind, fields string, replicas int) {
	s.create(fmt.Sprintf(`{apiVersion: apps/v1, kind: %s, metadata: {name: shop}, spec: {%s replicas: %d, selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: shop}]}}}}`, kind, fields, replicas))
}

// schedule creates a schedule of the workload with one window from noon to 13:00.
func (s *stage) schedule(fields string) {
	s.create(fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: ScaleSchedule, metadata: {name: s}, spec: {timeZone: UTC,
  targetRef: {apiVersion: %s, kind: %s, name: shop}, windows: [{name: w, start: "2026-11-23T12:00", duration: 1h, %s}]}}`, s.key.APIVersion, s.key.Kind, fields))
}

// look moves the clock to minutes after noon and has the workload looked at.
func (s *stage) look(minutes float64) {
	s.t.Helper()
	s.now = noon.Add(time.Duration(minutes * float64(time.Minute)))
	clustertest.Eventually(s.t, "a look without interference of the Deployment controller", func() error {
		result, err := s.controller.Reconcile(s.t.Context(), s.key)
		if err == nil && result.RequeueAfter == soonAgain {
			return errMoved
		}
		return err
	})
}

func (s *stage) object() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(s.key.groupVersionKind())
	require.NoError(s.t, s.client.Get(s.t.Context(), types.NamespacedName{Namespace: s.namespace, Name: "shop"}, object))
	return object
}

func (s *stage) replicas() int64 {
	for _, field := range []string{"replicas", "size"} {
		if n, found, err := unstructured.NestedInt64(s.object().Object, "spec", field); err == nil && found {
			return n
		}
	}
	return -1
}

func (s *stage) patch(text string) {
	s.t.Helper()
	require.NoError(s.t, s.client.Patch(s.t.Context(), s.object(), client.RawPatch(types.MergePatchType, []byte(text)), client.FieldOwner("kubectl-edit")))
}

// told returns the events since the last call.
func (s *stage) told() string { return strings.Join(clustertest.Told(s.events), "\n") }

func (s *stage) requireRestored(replicas int64) {
	s.t.Helper()
	require.Equal(s.t, replicas, s.replicas())
	object := s.object()
	require.NotContains(s.t, object.GetLabels(), HeldLabel)
	for _, name := range []string{record.BaseAnnotation, record.AppliedAnnotation, PreviousAnnotation} {
		require.NotContains(s.t, object.GetAnnotations(), name)
	}
}
