// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/situation"
	"github.com/plimsoll/plimsoll/scaler/workloads"
)

// TestOnCluster has statuses and events written to a real API server by a running manager. The test moves the clock; no
// controller writes bounds, so that what the status says comes from the decision alone.
func TestOnCluster(t *testing.T) {
	shared := clustertest.Start(t, "--component-arg", "kube-controller-manager=--controllers=-horizontal-pod-autoscaler-controller")
	var clock atomic.Int64
	clock.Store(evening.Add(time.Hour).UnixNano())
	startManager(t, shared.RESTConfig, func() time.Time { return time.Unix(0, clock.Load()) })
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *cluster)
	}{
		{"an evening", testEvening},
		{"a selector", testSelector},
		{"a workload that an HPA scales", testWorkload},
		{"invalid, then corrected", testInvalid},
		{"paused by the namespace", testPaused},
	} {
		clock.Store(evening.Add(time.Hour).UnixNano())
		t.Run(test.name, func(t *testing.T) {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "schedules-"}}
			require.NoError(t, shared.Client.Create(t.Context(), ns))
			test.run(t, &cluster{t: t, shared: shared, client: shared.Client, namespace: ns.Name, clock: &clock})
		})
	}
}

func startManager(t *testing.T, restConfig *rest.Config, now func() time.Time) {
	mgr := clustertest.NewManager(t, restConfig)
	require.NoError(t, situation.Indexes(t.Context(), mgr.GetFieldIndexer()))
	held, err := workloads.Add(mgr, workloads.Options{Now: now, Indexed: true})
	require.NoError(t, err)
	require.NoError(t, Add(mgr, Options{Now: now, Workloads: held}))
	clustertest.Run(t, mgr)
}

// cluster is a namespace of the cluster.
type cluster struct {
	t         *testing.T
	shared    *clustertest.Cluster
	client    client.Client
	namespace string
	clock     *atomic.Int64
}

func (s *cluster) create(format string, args ...any) {
	s.t.Helper()
	s.shared.Create(s.t, s.namespace, fmt.Sprintf(format, args...))
}

func (s *cluster) hpa(name string) {
	s.create(`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: %s, labels: {event: sale}},
  spec: {minReplicas: 10, maxReplicas: 100, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %s}}}`, name, name)
}

func (s *cluster) schedule(fields string) {
	s.create(`{apiVersion: plimsoll.dev/v1alpha1, kind: ScaleSchedule, metadata: {name: day}, spec: {timeZone: Asia/Shanghai, %s}}`, fields)
}

func (s *cluster) get() *v1alpha1.ScaleSchedule {
	found := &v1alpha1.ScaleSchedule{}
	require.NoError(s.t, s.client.Get(s.t.Context(), types.NamespacedName{Namespace: s.namespace, Name: "day"}, found))
	return found
}

// awaits polls for a status with a reason that speaks of the present spec.
func (s *cluster) awaits(reason string) v1alpha1.ScaleScheduleStatus {
	s.t.Helper()
	var status v1alpha1.ScaleScheduleStatus
	clustertest.Eventually(s.t, "the reason "+reason, func() error {
		found := s.get()
		status = found.Status
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Reason != reason || c.ObservedGeneration != found.Generation || status.ObservedGeneration != found.Generation {
			return fmt.Errorf("the status is %+v", status)
		}
		return nil
	})
	return status
}

// told polls for an event on the schedule.
func (s *cluster) told(reason, text string) {
	s.t.Helper()
	clustertest.Eventually(s.t, "the event "+reason, func() error {
		var list eventsv1.EventList
		if err := s.client.List(s.t.Context(), &list, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		var all []string
		for _, e := range list.Items {
			if e.Regarding.Kind == "ScaleSchedule" && e.Reason == reason && strings.Contains(e.Note, text) {
				return nil
			}
			all = append(all, e.Reason+": "+e.Note)
		}
		return fmt.Errorf("no event %s with %q among %q", reason, text, all)
	})
}

// patch changes an object whatever others have written since it was read.
func (s *cluster) patch(object client.Object, patch string) {
	s.t.Helper()
	require.NoError(s.t, s.client.Patch(s.t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// poke changes the spec in a way that decides nothing, so that the schedule is looked at with the clock as it is now.
func (s *cluster) poke() {
	s.t.Helper()
	clustertest.Eventually(s.t, "an update of the spec", func() error {
		found := s.get()
		found.Spec.Windows[0].Reason += "."
		return s.client.Update(s.t.Context(), found)
	})
}

func testEvening(t *testing.T, s *cluster) {
	s.schedule("targetRef: {name: shop}, " + eveningWindow)
	require.Contains(t, s.awaits(v1alpha1.ScheduleNoTarget).Conditions[0].Message, "there is no HPA shop in namespace "+s.namespace)
	s.told(v1alpha1.ScheduleNoTarget, "create it or correct spec.targetRef")

	s.hpa("shop")
	status := s.awaits(v1alpha1.ScheduleActive)
	require.EqualValues(t, 1, status.Targets)
	require.EqualValues(t, 40, *status.MinReplicas)
	require.Equal(t, "evening", status.Active)
	require.Equal(t, "2026-11-23 23:00 Asia/Shanghai evening RampDown", status.Next)
	s.told(EventWindowBegan, "evening (minReplicas 40)")

	version := s.get().ResourceVersion
	for i := range 5 { // the schedule is looked at, and there is nothing new to say
		hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "shop"}}
		s.patch(hpa, fmt.Sprintf(`{"metadata":{"labels":{"event":"%d"}}}`, i))
	}
	require.Equal(t, version, s.get().ResourceVersion, "no write says the same again")
	s.clock.Store(evening.Add(5 * time.Hour).UnixNano())
	s.poke()
	require.Contains(t, s.awaits(v1alpha1.ScheduleIdle).Conditions[0].Message, "2026-11-24 18:30 Asia/Shanghai evening RampUp")
	s.told(EventWindowEnded, "evening")
}

func testSelector(t *testing.T, s *cluster) {
	for i := range 30 {
		s.hpa(fmt.Sprintf("shop-%02d", i))
	}
	s.schedule("targetSelector: {matchLabels: {event: sale}}, " + eveningWindow)
	clustertest.Eventually(t, "all targets", func() error {
		if n := s.get().Status.Targets; n != 30 {
			return fmt.Errorf("%d targets", n)
		}
		return nil
	})
	require.Contains(t, s.awaits(v1alpha1.ScheduleActive).Conditions[0].Message, "30 of 30 targets, such as HorizontalPodAutoscaler shop-00")
}

func testWorkload(t *testing.T, s *cluster) {
	s.schedule("targetRef: {kind: Deployment, name: shop}, " + eveningWindow)
	require.Contains(t, s.awaits(v1alpha1.ScheduleNoTarget).Conditions[0].Message, "there is no Deployment shop")
	s.create(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {replicas: 3, selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: shop}]}}}}`)
	s.poke()
	require.EqualValues(t, 40, *s.awaits(v1alpha1.ScheduleActive).MinReplicas)
	s.hpa("shop")
	require.Contains(t, s.awaits(v1alpha1.ScheduleTargetRefused).Conditions[0].Message, "HorizontalPodAutoscaler shop scales it")
}

func testInvalid(t *testing.T, s *cluster) {
	s.hpa("shop")
	s.schedule(`targetRef: {name: shop}, exclude: ["2026-02-30"], ` + eveningWindow)
	require.Contains(t, s.awaits(v1alpha1.ScheduleInvalid).Conditions[0].Message, "2026-02-30")
	s.patch(s.get(), `{"spec":{"exclude":null}}`)
	s.awaits(v1alpha1.ScheduleActive)
}

func testPaused(t *testing.T, s *cluster) {
	s.hpa("shop")
	s.schedule("targetRef: {name: shop}, " + eveningWindow)
	s.awaits(v1alpha1.ScheduleActive)
	ns := &corev1.Namespace{}
	require.NoError(t, s.client.Get(t.Context(), types.NamespacedName{Name: s.namespace}, ns))
	s.patch(ns, `{"metadata":{"annotations":{"plimsoll.dev/paused":"true"}}}`)
	require.Contains(t, s.awaits(v1alpha1.SchedulePaused).Conditions[0].Message, "Namespace "+s.namespace)
	s.patch(ns, `{"metadata":{"annotations":{"plimsoll.dev/paused":null}}}`)
	s.awaits(v1alpha1.ScheduleActive)
}
