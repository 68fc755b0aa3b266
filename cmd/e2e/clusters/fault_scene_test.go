// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// scene is a workload "shop" of 12 replicas, divided over all members, and the recording of it.
type scene struct {
	*fleet
	*recording
	t  *testing.T
	ns string
}

// shares are replicas by member.
type shares map[string]int32

// The divisions of 12 and 24 replicas, all members well, and without paris.
var (
	twelve             = shares{berlin: 6, paris: 4, rome: 2}
	twelveWithoutParis = shares{berlin: 9, rome: 3}
	twentyFour         = shares{berlin: 12, paris: 8, rome: 4}
)

func newScene(t *testing.T) *scene {
	s := &scene{fleet: shared, t: t, ns: fmt.Sprintf("scene-%d", time.Now().UnixNano())}
	for _, name := range everybody() {
		if s.unsettled[name] {
			s.nodesSettle(name)
		}
		s.is(name, v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
		require.NoError(t, s.members[name].ApplyYAML(t.Context(), s.text(`
apiVersion: v1
kind: Namespace
metadata: {name: $NS}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: $NS}
spec:
  replicas: 0
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: shop, image: shop, resources: {requests: {cpu: "1"}}}]
`)))
	}
	s.takesPods()
	require.NoError(t, s.hub.ApplyYAML(t.Context(), s.text("{apiVersion: v1, kind: Namespace, metadata: {name: $NS}}")))
	t.Cleanup(s.clear)
	s.measured()
	s.has("the division", twelve)
	s.reason(v1alpha1.FederatedDivided)
	s.recording = s.record(context.WithoutCancel(t.Context()), s.key())
	t.Cleanup(s.recording.end)
	s.sampled(t)
	s.atLeast(12, everybody()...)
	return s
}

// takesPods waits until the new namespace has its service account, without which a member rejects pods: its controllers may
// not have heard of the namespace yet where an API server was down in the scene before.
func (s *scene) takesPods() {
	s.t.Helper()
	stacktest.Eventually(s.t, "the namespace takes pods everywhere", func() error {
		for _, name := range everybody() {
			if err := s.members[name].client.Get(s.t.Context(), types.NamespacedName{Namespace: s.ns, Name: "default"}, &corev1.ServiceAccount{}); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
}

// measured creates the FederatedScale, anew until its weights are what fits into empty members: the scaler may not have heard
// yet that the pods of the scene before are gone. Until then it only observes, so that no member has replicas of one that is gone.
func (s *scene) measured() {
	s.t.Helper()
	s.eventually("weights by what fits", func() error {
		if err := s.apply("Observe"); err != nil {
			return err
		}
		rows := s.scale().Status.Clusters
		for i := range rows {
			if rows[i].Weight > 0 && rows[i].Weight != int64(8*nodes[rows[i].Name]) {
				return errors.Join(fmt.Errorf("%s weighs %d", rows[i].Name, rows[i].Weight), s.client.Delete(s.t.Context(), &v1alpha1.FederatedScale{ObjectMeta: s.meta()}))
			}
			if rows[i].Weight == 0 {
				return fmt.Errorf("%s has no weight yet", rows[i].Name)
			}
		}
		if len(rows) < len(nodes) {
			return errors.New("nothing is divided yet")
		}
		return s.apply("Enforce")
	})
}

func (s *scene) apply(mode string) error {
	return s.hub.ApplyYAML(s.t.Context(), strings.ReplaceAll(s.text(`
apiVersion: plimsoll.dev/v1alpha1
kind: FederatedScale
metadata: {name: shop, namespace: $NS}
spec: {mode: $MODE, targetRef: {}, replicas: 12, pendingTimeout: 5s, failover: {after: 5s, returnAfter: 5s}}
`), "$MODE", mode))
}

func (s *scene) text(yaml string) string { return strings.ReplaceAll(yaml, "$NS", s.ns) }
func (s *scene) key() types.NamespacedName {
	return types.NamespacedName{Namespace: s.ns, Name: "shop"}
}
func (s *scene) meta() metav1.ObjectMeta        { return metav1.ObjectMeta{Namespace: s.ns, Name: "shop"} }
func (s *scene) deployment() *appsv1.Deployment { return &appsv1.Deployment{ObjectMeta: s.meta()} }

// clear leaves the nodes empty to the next scene.
func (s *scene) clear() {
	ctx := context.WithoutCancel(s.t.Context())
	require.NoError(s.t, client.IgnoreNotFound(s.client.Delete(ctx, &v1alpha1.FederatedScale{ObjectMeta: s.meta()})))
	for _, name := range everybody() {
		m := s.members[name]
		require.NoError(s.t, client.IgnoreNotFound(m.client.Delete(ctx, &appsv1.Deployment{ObjectMeta: s.meta()}, client.PropagationPolicy(metav1.DeletePropagationBackground))))
		stacktest.Eventually(s.t, name+" is empty", func() error {
			var pods corev1.PodList
			if err := m.client.List(ctx, &pods, client.InNamespace(s.ns)); err != nil || len(pods.Items) > 0 {
				return fmt.Errorf("%d pods are left: %w", len(pods.Items), err)
			}
			return nil
		})
	}
}

// breaks does something that is undone by the function it returns, or when the test ends.
func (s *scene) breaks(begin, end func(ctx context.Context) error) (mend func()) {
	s.t.Helper()
	ctx := context.WithoutCancel(s.t.Context())
	mend = sync.OnceFunc(func() { require.NoError(s.t, end(ctx)) })
	s.t.Cleanup(mend)
	require.NoError(s.t, begin(ctx))
	return mend
}

// component does a verb to a component of a member, and its counterpart when it is mended.
func (s *scene) component(name, verb, counterpart, component string) (mend func()) {
	s.t.Helper()
	m := s.members[name]
	s.unsettled[name] = true // its nodes cannot be heard either
	return s.breaks(
		func(ctx context.Context) error { return m.Component(ctx, verb, component) },
		func(ctx context.Context) error { return m.Component(ctx, counterpart, component) })
}

// scaleTo asks for a number as `kubectl scale` and an HPA do.
func (s *scene) scaleTo(replicas int32) {
	s.t.Helper()
	f := &v1alpha1.FederatedScale{ObjectMeta: s.meta()}
	body := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	stacktest.Eventually(s.t, "the scale is written", func() error {
		return s.client.SubResource("scale").Update(s.t.Context(), f, client.WithSubResourceBody(body))
	})
}

// has waits until members have so many replicas, all of them Ready.
func (s *scene) has(what string, want shares) {
	s.t.Helper()
	s.eventually(what, func() error {
		for name, n := range want {
			d := &appsv1.Deployment{}
			if err := s.members[name].client.Get(s.t.Context(), s.key(), d); err != nil {
				return err
			}
			if *d.Spec.Replicas != n || d.Status.ReadyReplicas != n {
				return fmt.Errorf("%s has %d replicas, %d of them Ready, not %d", name, *d.Spec.Replicas, d.Status.ReadyReplicas, n)
			}
		}
		return nil
	})
}

// eventually has what the hub thinks in its error.
func (s *scene) eventually(what string, check func() error) {
	s.t.Helper()
	stacktest.Eventually(s.t, what, func() error {
		err := check()
		if err == nil {
			return nil
		}
		f := &v1alpha1.FederatedScale{}
		problem := s.client.Get(s.t.Context(), s.key(), f)
		status, _ := json.Marshal(f.Status)
		return fmt.Errorf("%w (%s)", errors.Join(err, problem), status)
	})
}

func (s *scene) scale() *v1alpha1.FederatedScale {
	s.t.Helper()
	f := &v1alpha1.FederatedScale{}
	stacktest.Eventually(s.t, "the FederatedScale is read", func() error { return s.client.Get(s.t.Context(), s.key(), f) })
	return f
}

// reason waits for the reason of the FederatedScale's condition.
func (s *scene) reason(want string) {
	s.t.Helper()
	s.eventually("the reason "+want, func() error {
		c := meta.FindStatusCondition(s.scale().Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Reason != want {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
}

// notes waits for a note on a member ("": on the whole).
func (s *scene) notes(cluster, reason string) {
	s.t.Helper()
	s.eventually("the note "+reason, func() error {
		if !slices.ContainsFunc(s.scale().Status.Notes, func(n v1alpha1.FederatedNote) bool { return n.Cluster == cluster && n.Reason == reason }) {
			return errors.New("there is none")
		}
		return nil
	})
}

// is waits until the hub thinks something of a member, for a reason, and returns its words.
func (f *fleet) is(t *testing.T, name string, state v1alpha1.MemberState, reason string) string {
	t.Helper()
	var message string
	stacktest.Eventually(t, fmt.Sprintf("%s is %s for %s", name, state, reason), func() error {
		m := &v1alpha1.MemberCluster{}
		if err := f.client.Get(t.Context(), types.NamespacedName{Name: name}, m); err != nil {
			return err
		}
		c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || m.Status.State != state || c.Reason != reason {
			return fmt.Errorf("it is %s: %+v", m.Status.State, c)
		}
		message = c.Message
		return nil
	})
	return message
}

func (s *scene) is(name string, state v1alpha1.MemberState, reason string) string {
	s.t.Helper()
	return s.fleet.is(s.t, name, state, reason)
}

// moves waits until the replicas of paris are with the others, which had none fewer Ready meanwhile.
func (s *scene) moves(reason string) {
	s.t.Helper()
	s.is(paris, v1alpha1.MemberFailed, reason)
	s.has("the others have the replicas of paris", twelveWithoutParis)
	s.atLeast(12, berlin, rome)
	s.reason(v1alpha1.FederatedFailedOver)
}

// returns waits until paris has its replicas again; from now on all count.
func (s *scene) returns() {
	s.t.Helper()
	s.with(paris)
	s.atLeast(12, everybody()...)
	s.is(paris, v1alpha1.MemberHealthy, v1alpha1.MemberAnswers)
	s.has("the old division", twelve)
	s.reason(v1alpha1.FederatedDivided)
}

// course is how the replicas of a member went: up and down once for a failover, so that nothing moved twice.
func (s *scene) course(name string, turns ...int32) {
	s.t.Helper()
	require.Equal(s.t, turns, s.turns(name), "replicas of %s", name)
}

// movedOnce is the course of everybody after a failover of paris and its return.
func (s *scene) movedOnce() {
	s.t.Helper()
	s.judge(s.t)
	s.course(berlin, 6, 9, 6)
	s.course(rome, 2, 3, 2)
	s.course(paris, 4)
}

// neverFailed: whatever happened, the hub did not take a member for dead.
func (s *scene) neverFailed(name string) {
	s.t.Helper()
	require.NotContains(s.t, s.thought(name), v1alpha1.MemberFailed)
}
