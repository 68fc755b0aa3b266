// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/members"
)

// stage is a hub and a member, berlin, with a controller that runs as the account that manifests/member makes. The test
// judges the member's health, divides the workload, and moves the clock.
type stage struct {
	whole, t    *testing.T // of all tests, and of the present one
	hub, berlin *clustertest.Cluster
	fleet       *members.Fleet
	reconciler  *reconciler
	registry    *prometheus.Registry
	offset      atomic.Int64
	stands      atomic.Pointer[time.Time] // see freeze
	stop        func()
}

const namespace = "shop"

// newStage has four nodes of 5 cpu in berlin.
func newStage(t *testing.T) *stage {
	s := &stage{whole: t, t: t, hub: clustertest.Start(t)}
	s.berlin = clustertest.Start(t, "--nodes", "4", "--node-cpu", "5", "--node-memory", "20Gi", "--node-pods", "40")
	objects, err := manifests.Render("member")
	require.NoError(t, err)
	for _, object := range objects {
		require.NoError(t, s.berlin.Client.Create(t.Context(), object))
	}
	for _, c := range []*clustertest.Cluster{s.hub, s.berlin} {
		require.NoError(t, c.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	}
	require.NoError(t, s.hub.Client.Create(t.Context(), &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "berlin"}}))
	s.start()
	s.judge(v1alpha1.MemberHealthy)
	return s
}

// start starts a scaler, as after a restart.
func (s *stage) start() {
	mgr := clustertest.NewManager(s.whole, s.hub.RESTConfig)
	s.fleet, s.registry = members.NewFleet(clustertest.Scheme(s.t)), prometheus.NewRegistry()
	var err error
	s.reconciler, err = add(mgr, s.fleet, Options{Now: s.now, Registerer: s.registry, Every: time.Second})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(s.whole.Context())
	config := rest.CopyConfig(s.berlin.RESTConfig)
	config.Impersonate.UserName = "system:serviceaccount:plimsoll-hub:plimsoll-hub"
	require.NoError(s.t, s.fleet.Connect(ctx, "berlin", "", config))
	ended := clustertest.Run(s.whole, mgr)
	s.stop = func() { ended(); cancel() }
}

func (s *stage) now() time.Time {
	now := time.Now()
	if at := s.stands.Load(); at != nil && now.After(*at) {
		now = *at
	}
	return now.Add(time.Duration(s.offset.Load()))
}

// freeze lets the clock run for so long and then move by the test alone, until thaw: however slow the machine is, what takes
// longer is not over yet.
func (s *stage) freeze(after time.Duration) (thaw func()) {
	s.stands.Store(new(time.Now().Add(after)))
	return func() { s.stands.Store(nil) }
}

func (s *stage) judge(state v1alpha1.MemberState) {
	member := &v1alpha1.MemberCluster{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Name: "berlin"}, member))
	changed := member.DeepCopy()
	changed.Status.State = state
	require.NoError(s.t, s.hub.Client.Status().Patch(s.t.Context(), changed, client.MergeFrom(member)))
}

// deploy creates a workload whose pods need one cpu and 1Gi each, and its FederatedScale with berlin as its only cluster.
func (s *stage) deploy(name string, replicas int32, extra string) {
	s.berlin.Create(s.t, namespace, fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %[1]s}, spec: {replicas: %[2]d,
		selector: {matchLabels: {app: %[1]s}}, template: {metadata: {labels: {app: %[1]s}}, spec: {terminationGracePeriodSeconds: 0, %[3]s
		containers: [{name: c, image: none, resources: {requests: {cpu: "1", memory: 1Gi}}}]}}}}`, name, replicas, extra))
	s.hub.Create(s.t, namespace, fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, metadata: {name: %s}, spec: {replicas: %d, targetRef: {}}}`, name, replicas))
	s.divide(name, replicas)
}

// divide writes the status as the division would.
func (s *stage) divide(name string, replicas int32) {
	f := &v1alpha1.FederatedScale{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, f))
	changed := f.DeepCopy()
	changed.Status.Divided = replicas
	changed.Status.Clusters = []v1alpha1.FederatedClusterStatus{{Name: "berlin", State: v1alpha1.MemberHealthy, Replicas: replicas, Goal: replicas, Target: replicas, Weight: 10}}
	require.NoError(s.t, s.hub.Client.Status().Patch(s.t.Context(), changed, client.MergeFrom(f)))
}

// ask asks a workload's FederatedScale for replicas, as the hub's HPA does, and waits until the scaler has seen it: pods that
// it sees before that are of no decision.
func (s *stage) ask(name string, replicas int32) {
	f := &v1alpha1.FederatedScale{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, f))
	changed := f.DeepCopy()
	changed.Spec.Replicas, changed.Spec.Mode = &replicas, v1alpha1.ModeEnforce
	require.NoError(s.t, s.hub.Client.Patch(s.t.Context(), changed, client.MergeFrom(f)))
	clustertest.Eventually(s.t, "the decision is seen", func() error {
		if !s.reconciler.latency.awaits(client.ObjectKeyFromObject(f)) {
			return errors.New("no pods are awaited")
		}
		return nil
	})
}

// surge scales the workload in berlin and in the hub.
func (s *stage) surge(name string, replicas int32) {
	d := s.deployment(namespace, name)
	changed := d.DeepCopy()
	changed.Spec.Replicas = &replicas
	require.NoError(s.t, s.berlin.Client.Patch(s.t.Context(), changed, client.MergeFrom(d)))
	s.divide(name, replicas)
}

func (s *stage) deployment(in, name string) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	require.NoError(s.t, s.berlin.Client.Get(s.t.Context(), types.NamespacedName{Namespace: in, Name: name}, d))
	return d
}

// allReady waits until a workload has a number of Ready pods.
func (s *stage) allReady(name string, replicas int32) {
	clustertest.Eventually(s.t, name+" is Ready", func() error {
		if ready := s.deployment(namespace, name).Status.ReadyReplicas; ready != replicas {
			return fmt.Errorf("%d of %d pods of %s are Ready", ready, replicas, name)
		}
		return nil
	})
}

// headroom creates a Headroom named room.
func (s *stage) headroom(spec string) {
	s.hub.Create(s.t, "", "{apiVersion: plimsoll.dev/v1alpha1, kind: Headroom, metadata: {name: room}, spec: "+spec+"}")
}

func (s *stage) change(do func(h *v1alpha1.Headroom)) {
	h := s.status()
	changed := h.DeepCopy()
	do(changed)
	require.NoError(s.t, s.hub.Client.Patch(s.t.Context(), changed, client.MergeFrom(h)))
}

func (s *stage) status() *v1alpha1.Headroom {
	h := &v1alpha1.Headroom{}
	require.NoError(s.t, s.hub.Client.Get(s.t.Context(), types.NamespacedName{Name: "room"}, h))
	return h
}

// says waits for a reason of the Headroom with a message that has all texts, and returns it.
func (s *stage) says(reason string, texts ...string) *v1alpha1.Headroom {
	var h *v1alpha1.Headroom
	clustertest.Eventually(s.t, "the Headroom says "+reason, func() error {
		h = s.status()
		return saying(h, reason, texts...)
	})
	return h
}

// saying returns an error if a Headroom's reason is another one, or its message lacks a text.
func saying(h *v1alpha1.Headroom, reason string, texts ...string) error {
	ready := meta.FindStatusCondition(h.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil || h.Status.ObservedGeneration != h.Generation:
		return errors.New("nothing is said of this Headroom yet")
	case ready.Reason != reason || slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(ready.Message, text) }):
		return fmt.Errorf("%s: %s", ready.Reason, ready.Message)
	}
	return nil
}

// refused waits until the Headroom says that its node group refuses to grow. It says so only until the next look, so
// the group is asked again until that has been seen.
func (s *stage) refused() {
	clustertest.Eventually(s.t, "the Headroom says that a group refuses to grow", func() error {
		err := saying(s.status(), v1alpha1.HeadroomNodeGroupFailed, "the cloud does not let us")
		if err != nil {
			s.offset.Add(int64(afterRefusal))
		}
		return err
	})
}

// measured is how many pods were Ready by what served them, in a histogram.
func (s *stage) measured(histogram, served string) uint64 {
	families, err := s.registry.Gather()
	require.NoError(s.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == histogram && l.GetValue() == served {
					return m.GetHistogram().GetSampleCount()
				}
			}
		}
	}
	return 0
}

// dump shows the reserve's pods when a test has failed.
func (s *stage) dump(t *testing.T) {
	if !t.Failed() {
		return
	}
	var pods corev1.PodList
	if err := s.berlin.Client.List(context.WithoutCancel(t.Context()), &pods, client.InNamespace(capacity.HeadroomNamespace)); err != nil {
		t.Log(err)
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		t.Log(p.Name, p.Spec.NodeName, p.CreationTimestamp, p.DeletionTimestamp, p.Status.Phase, p.Status.Conditions)
	}
}

// placeholders are the reserve's pods by the name of their node; "" for those that wait.
func (s *stage) placeholders() map[string]int {
	var pods corev1.PodList
	require.NoError(s.t, s.berlin.Client.List(s.t.Context(), &pods, client.InNamespace(capacity.HeadroomNamespace)))
	on := map[string]int{}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			on[pods.Items[i].Spec.NodeName]++
		}
	}
	return on
}

// node creates a node that kwok keeps Ready unless it is told otherwise.
func (s *stage) node(name string, change func(n *corev1.Node)) {
	list := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("5"), corev1.ResourceMemory: resource.MustParse("20Gi"), corev1.ResourcePods: resource.MustParse("40"),
	}
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"}, Labels: map[string]string{corev1.LabelHostname: name},
		},
		Status: corev1.NodeStatus{Capacity: list, Allocatable: list},
	}
	if change != nil {
		change(n)
	}
	require.NoError(s.t, s.berlin.Client.Create(s.t.Context(), n))
}
