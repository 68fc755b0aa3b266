// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
	"github.com/plimsoll/plimsoll/scaler/workloads"
)

// TestOnCluster has statuses and events written to a real API server by a running manager. The test moves the clock; no
// controller writes bounds, so that what the status says comes from the decision alone.
func TestOnCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a local cluster")
	}
	restConfig := startCluster(t)
	c := newClient(t, restConfig)
	var clock atomic.Int64
	clock.Store(evening.Add(time.Hour).UnixNano())
	startManager(t, restConfig, func() time.Time { return time.Unix(0, clock.Load()) })
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
			require.NoError(t, c.Create(t.Context(), ns))
			test.run(t, &cluster{t: t, client: c, namespace: ns.Name, clock: &clock})
		})
	}
}

func startCluster(t *testing.T) *rest.Config {
	binary, err := filepath.Abs("../../bin/localcluster")
	require.NoError(t, err)
	if _, err := os.Stat(binary); err != nil {
		t.Skip("bin/localcluster is not there: run `make build` first")
	}
	name, dir := fmt.Sprint("schedules-", os.Getpid()), t.TempDir()
	run := func(arguments ...string) string {
		out, err := exec.Command(binary, append(arguments, "--name", name, "--dir", dir)...).Output()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	lines := strings.Fields(run("up", "--nodes", "0", "--parent-pid", fmt.Sprint(os.Getpid()),
		"--component-arg", "kube-controller-manager=--controllers=*,-horizontal-pod-autoscaler-controller"))
	t.Cleanup(func() { run("down") })
	restConfig, err := clientcmd.BuildConfigFromFlags("", lines[len(lines)-1])
	require.NoError(t, err)
	restConfig.QPS = -1
	return restConfig
}

func newScheme(t *testing.T) *runtime.Scheme {
	all := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(all))
	require.NoError(t, v1alpha1.AddToScheme(all))
	return all
}

func newClient(t *testing.T, restConfig *rest.Config) client.Client {
	c, err := client.New(restConfig, client.Options{Scheme: newScheme(t)})
	require.NoError(t, err)
	for _, kind := range []string{"scaleschedules", "scaleforecasts"} {
		text, err := os.ReadFile("../../manifests/crd/plimsoll.dev_" + kind + ".yaml")
		require.NoError(t, err)
		crd := new(unstructured.Unstructured)
		require.NoError(t, yaml.Unmarshal(text, crd))
		require.NoError(t, c.Create(t.Context(), crd))
	}
	eventually(t, "the kinds are served", func() error {
		if err := c.List(t.Context(), &v1alpha1.ScaleScheduleList{}); err != nil {
			return err
		}
		return c.List(t.Context(), &v1alpha1.ScaleForecastList{})
	})
	return c
}

func startManager(t *testing.T, restConfig *rest.Config, now func() time.Time) {
	skip := true
	mgr, err := manager.New(restConfig, manager.Options{
		Scheme: newScheme(t), Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: config.Controller{SkipNameValidation: &skip},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, situation.Indexes(ctx, mgr.GetFieldIndexer()))
	held, err := workloads.Add(mgr, workloads.Options{Now: now, Indexed: true})
	require.NoError(t, err)
	require.NoError(t, Add(mgr, Options{Now: now, Workloads: held}))
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	require.NoError(t, err, what)
}

// cluster is a namespace of the cluster.
type cluster struct {
	t         *testing.T
	client    client.Client
	namespace string
	clock     *atomic.Int64
}

func (s *cluster) create(format string, args ...any) {
	s.t.Helper()
	object := &unstructured.Unstructured{}
	require.NoError(s.t, yaml.Unmarshal(fmt.Appendf(nil, format, args...), object))
	object.SetNamespace(s.namespace)
	require.NoError(s.t, s.client.Create(s.t.Context(), object))
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
	eventually(s.t, "the reason "+reason, func() error {
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
	eventually(s.t, "the event "+reason, func() error {
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

// poke changes the spec in a way that decides nothing, so that the schedule is looked at with the clock as it is now.
func (s *cluster) poke() {
	s.t.Helper()
	eventually(s.t, "an update of the spec", func() error {
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
	hpa := &unstructured.Unstructured{}
	hpa.SetAPIVersion("autoscaling/v2")
	hpa.SetKind("HorizontalPodAutoscaler")
	require.NoError(t, s.client.Get(t.Context(), types.NamespacedName{Namespace: s.namespace, Name: "shop"}, hpa))
	for i := range 5 { // the schedule is looked at, and there is nothing new to say
		hpa.SetLabels(map[string]string{"event": fmt.Sprint(i)})
		require.NoError(t, s.client.Update(t.Context(), hpa))
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
	eventually(t, "all targets", func() error {
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
	found := s.get()
	found.Spec.Exclude = nil
	require.NoError(t, s.client.Update(t.Context(), found))
	s.awaits(v1alpha1.ScheduleActive)
}

func testPaused(t *testing.T, s *cluster) {
	s.hpa("shop")
	s.schedule("targetRef: {name: shop}, " + eveningWindow)
	s.awaits(v1alpha1.ScheduleActive)
	ns := &corev1.Namespace{}
	require.NoError(t, s.client.Get(t.Context(), types.NamespacedName{Name: s.namespace}, ns))
	pause := func(patch string) {
		require.NoError(t, s.client.Patch(t.Context(), ns, client.RawPatch(types.MergePatchType, []byte(patch))))
	}
	pause(`{"metadata":{"annotations":{"plimsoll.dev/paused":"true"}}}`)
	require.Contains(t, s.awaits(v1alpha1.SchedulePaused).Conditions[0].Message, "Namespace "+s.namespace)
	pause(`{"metadata":{"annotations":{"plimsoll.dev/paused":null}}}`)
	s.awaits(v1alpha1.ScheduleActive)
}
