// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/ownership"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// start is when the tests' windows begin.
var start = time.Date(2026, 11, 11, 0, 0, 0, 0, time.FixedZone("CST", 8*60*60))

// TestOnCluster has the bounds of HPAs written on a real API server. No controller of Kubernetes runs: the tests
// write the HPAs' status, and they move the clock.
func TestOnCluster(t *testing.T) {
	cluster := clustertest.Start(t)
	cluster.Component(t, "stop", "kube-controller-manager")
	cluster.Component(t, "stop", "kube-scheduler")
	config, c := cluster.RESTConfig, cluster.Client
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *stage)
	}{
		{"a window, and the owner's server-side apply", testServerSideApply},
		{"a window, and the owner's client-side apply", testClientSideApply},
		{"an edit during a window is the new base", testEdit},
		{"a GitOps tool reverts", testReverts},
		{"a tool that replaces the HPA", testReplaced},
		{"deleted and recreated during a window", testRecreated},
		{"an override lowers and ends", testOverride},
		{"a freeze", testFreeze},
		{"paused", testPaused},
		{"a raised maximum ends under load", testRestoring},
		{"owned by another controller", testOwned},
		{"a schedule is deleted in its window", testScheduleDeleted},
		{"a crash before the fields are handed back", testCrash},
		{"annotations removed or broken by hand", testBadAnnotations},
		{"a forecast enforces", testForecast},
		{"a conflict", testConflict},
		{"a ramp waits for another target", testAfter},
		{"a write that the API server refuses", testRefused},
		{"pods that no node has place for", testShortage},
		{"release", testRelease},
		{"release under load", testReleaseUnderLoad},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newStage(t, c)) })
	}
	t.Run("many under a manager", func(t *testing.T) { testMany(t, config, newStage(t, c)) })
	t.Run("under a manager", func(t *testing.T) { testManager(t, config, newStage(t, c)) })
}

var stages atomic.Int32

// stage is a namespace of a test, a reconciler that is run by hand, and a clock.
type stage struct {
	t        *testing.T
	c        client.WithWatch
	ns       string
	now      time.Time
	r        *reconciler
	recorder *events.FakeRecorder
}

func newStage(t *testing.T, c client.WithWatch) *stage {
	s := &stage{t: t, c: c, ns: fmt.Sprint("shop-", stages.Add(1)), now: start.Add(-time.Hour)}
	require.NoError(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}}))
	s.restart(c)
	return s
}

// restart makes a new reconciler, which remembers nothing.
func (s *stage) restart(c client.Client) {
	s.recorder = events.NewFakeRecorder(1000)
	now := func() time.Time { return s.now }
	s.r = &reconciler{
		client: c, observer: situation.Observer{Reader: c, Now: now}, events: s.recorder, metrics: newMetrics(), now: now,
		told: map[types.NamespacedName]map[string]string{}, stale: map[types.NamespacedName]string{},
		begun: map[types.NamespacedName][]time.Time{},
	}
}

func (s *stage) key() types.NamespacedName {
	return types.NamespacedName{Namespace: s.ns, Name: "shop"}
}

// at moves the clock, reconciles twice, and returns the HPA. The second time must change nothing.
func (s *stage) at(now time.Time) *autoscalingv2.HorizontalPodAutoscaler {
	s.t.Helper()
	s.now = now
	s.reconcile()
	first := s.get()
	s.reconcile()
	second := s.get()
	require.Equal(s.t, first.ResourceVersion, second.ResourceVersion, "the second look wrote again")
	return second
}

func (s *stage) reconcile() reconcile.Result {
	s.t.Helper()
	result, err := s.r.Reconcile(s.t.Context(), reconcile.Request{NamespacedName: s.key()})
	require.NoError(s.t, err)
	return result
}

func (s *stage) get() *autoscalingv2.HorizontalPodAutoscaler {
	s.t.Helper()
	var hpa autoscalingv2.HorizontalPodAutoscaler
	require.NoError(s.t, s.c.Get(s.t.Context(), s.key(), &hpa))
	return &hpa
}

func (s *stage) bounds() bounds.Bounds { return situation.LiveBounds(s.get()) }

// told returns the events since the last call.
func (s *stage) told() string { return strings.Join(clustertest.Told(s.recorder), "\n") }

// hpaManifest is the HPA as its owner has it in a file.
func (s *stage) hpaManifest(minimum, maximum int32) *unstructured.Unstructured {
	var u unstructured.Unstructured
	text := fmt.Sprintf(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop, namespace: %s, labels: {app: shop}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: %d
  maxReplicas: %d
  metrics:
  - {type: Pods, pods: {metric: {name: online_users}, target: {type: AverageValue, averageValue: "100"}}}
`, s.ns, minimum, maximum)
	require.NoError(s.t, yaml.Unmarshal([]byte(text), &u))
	return &u
}

func (s *stage) serverSideApply(manager string, minimum, maximum int32) error {
	return s.c.Apply(s.t.Context(), client.ApplyConfigurationFromUnstructured(s.hpaManifest(minimum, maximum)), client.FieldOwner(manager))
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// clientSideApply does what kubectl apply does: a patch of three ways from what was applied last, what is to be
// applied and what there is.
func (s *stage) clientSideApply(minimum, maximum int32) {
	s.t.Helper()
	const manager = "kubectl-client-side-apply"
	wanted := s.hpaManifest(minimum, maximum)
	text, err := json.Marshal(wanted)
	require.NoError(s.t, err)
	wanted.SetAnnotations(map[string]string{lastApplied: string(text)})
	modified, err := json.Marshal(wanted)
	require.NoError(s.t, err)
	live := new(unstructured.Unstructured)
	live.SetGroupVersionKind(wanted.GroupVersionKind())
	err = s.c.Get(s.t.Context(), s.key(), live)
	if client.IgnoreNotFound(err) == nil && err != nil {
		require.NoError(s.t, s.c.Create(s.t.Context(), wanted, client.FieldOwner(manager)))
		return
	}
	require.NoError(s.t, err)
	current, err := json.Marshal(live)
	require.NoError(s.t, err)
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch([]byte(live.GetAnnotations()[lastApplied]), modified, current)
	require.NoError(s.t, err)
	require.NoError(s.t, s.c.Patch(s.t.Context(), live, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(manager)))
}

// patch edits the HPA as somebody.
func (s *stage) patch(manager, patch string) {
	s.t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "shop"}}
	require.NoError(s.t, s.c.Patch(s.t.Context(), hpa, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner(manager)))
}

// running sets what the HPA controller would have seen and decided. users are the online users of all replicas.
func (s *stage) running(replicas, users int32) {
	s.t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "shop"}}
	patch := fmt.Sprintf(`{"status":{"currentReplicas":%d,"desiredReplicas":%d,"conditions":[{"type":"ScalingActive","status":"True"}],
		"currentMetrics":[{"type":"Pods","pods":{"metric":{"name":"online_users"},"current":{"averageValue":"%d"}}}]}}`, replicas, replicas, users/replicas)
	require.NoError(s.t, s.c.Status().Patch(s.t.Context(), hpa, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner("kube-controller-manager")))
}

// schedule creates the ScaleSchedule 1111 with a window from start to a day later, with further fields.
func (s *stage) schedule(fields string) *v1alpha1.ScaleSchedule {
	s.t.Helper()
	var schedule v1alpha1.ScaleSchedule
	text := fmt.Sprintf(`
metadata: {name: "1111", namespace: %s}
spec:
  targetRef: {kind: HorizontalPodAutoscaler, name: shop}
  timeZone: Asia/Shanghai
  windows:
  - {name: singles-day, start: "2026-11-11T00:00", end: "2026-11-12T00:00", rampDown: 10m, %s}
`, s.ns, fields)
	require.NoError(s.t, yaml.UnmarshalStrict([]byte(text), &schedule))
	require.NoError(s.t, s.c.Create(s.t.Context(), &schedule))
	return &schedule
}

// requireOwners requires the field managers of the bounds, and that nothing of Plimsoll is left.
func (s *stage) requireHandedBack(hpa *autoscalingv2.HorizontalPodAutoscaler, minimum, maximum string) {
	s.t.Helper()
	for field, manager := range map[string]string{ownership.MinReplicas: minimum, ownership.MaxReplicas: maximum} {
		require.False(s.t, ownership.Ours(record.Manager, hpa.ManagedFields, field), "%s is still ours", field)
		owners := ownership.Others(record.Manager, hpa.ManagedFields, field)
		require.Len(s.t, owners, 1, field)
		require.Equal(s.t, manager, owners[0].Manager, field)
	}
	require.NotContains(s.t, hpa.Annotations, record.BaseAnnotation)
	require.NotContains(s.t, hpa.Annotations, record.AppliedAnnotation)
	for _, e := range hpa.ManagedFields {
		require.NotEqual(s.t, record.Manager, e.Manager, "%s", e.FieldsV1.GetRawString())
	}
}

func ctxOf(s *stage) context.Context { return s.t.Context() }
