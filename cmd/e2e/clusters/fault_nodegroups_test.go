// SPDX-License-Identifier: Apache-2.0

//go:build faults

package clusters

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

// pool is the only node group of each member.
const pool = "pool"

// groups is the node group server of a member, which makes nodes that kwok plays.
type groups struct {
	*nodegroupstest.Server
	member *member
	asked  atomic.Int32 // increases that were done
	made   atomic.Int32
}

// Three members whose nodes are full and whose node groups fail, each in its way: one refuses, one acts and does not answer,
// and one may have no more nodes. None is asked twice for the same nodes, the workload keeps all it has, and the reserve is
// there once they mend.
func TestFaultNodeGroups(t *testing.T) {
	s := newScene(t)
	servers := map[string]*groups{}
	for name, most := range map[string]int{berlin: 4, paris: 4, rome: 0} {
		servers[name] = s.newGroups(name, most)
		s.fills(name)
	}
	servers[berlin].Fail(pool, nodegroupstest.Refuses)
	servers[paris].Fail(pool, nodegroupstest.ActsAndHangs)
	room := &v1alpha1.Headroom{ObjectMeta: metav1.ObjectMeta{Name: "room"}}
	t.Cleanup(func() { require.NoError(t, s.client.Delete(context.WithoutCancel(t.Context()), room)) })
	require.NoError(t, s.hub.ApplyYAML(t.Context(), `{apiVersion: plimsoll.dev/v1alpha1, kind: Headroom, metadata: {name: room}, spec: {mode: Enforce, strategy: NodeGroups}}`))

	s.reserve(berlin, v1alpha1.HeadroomNodeGroupFailed)
	s.reserve(paris, v1alpha1.HeadroomHeld)
	s.reserve(rome, v1alpha1.HeadroomNodeGroupsAtMaximum)
	require.Zero(t, servers[berlin].target(t))
	require.EqualValues(t, 1, servers[paris].asked.Load(), "an increase without an answer is not repeated")
	require.Zero(t, servers[rome].target(t))

	servers[berlin].Fail(pool, nodegroupstest.Healthy)
	servers[rome].SetMax(pool, 4)
	for _, name := range everybody() {
		s.reserve(name, v1alpha1.HeadroomHeld)
		require.EqualValues(t, 1, servers[name].asked.Load(), "%s was asked once for what it lacked", name)
		require.EqualValues(t, servers[name].made.Load(), servers[name].target(t))
		require.False(t, servers[name].Ended())
	}
	s.has("the division", twelve)
	s.judge(t)
	for name, n := range twelve {
		s.course(name, n)
	}
}

func (g *groups) target(t *testing.T) int {
	t.Helper()
	group, known := g.Group(pool)
	require.True(t, known)
	return group.Target
}

// newGroups gives a member a node group until the test ends.
func (s *scene) newGroups(name string, most int) *groups {
	s.t.Helper()
	g := &groups{member: s.members[name]}
	ctx := context.WithoutCancel(s.t.Context())
	var err error
	g.Server, err = nodegroupstest.Start(nodegroupstest.Options{
		Groups: []nodegroupstest.Group{{ID: pool, Max: most, Template: newNode("template")}},
		Create: func(_ string, delta int) error { return g.create(ctx, delta) },
	})
	require.NoError(s.t, err)
	s.t.Cleanup(g.Stop)
	s.t.Cleanup(func() { // the nodes go before the next scene
		require.NoError(s.t, g.member.client.DeleteAllOf(ctx, &corev1.Node{}, client.MatchingLabels{corev1.LabelInstanceTypeStable: pool}))
	})
	set := func(patch string) func(context.Context) error {
		return func(ctx context.Context) error {
			m := &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: name}}
			return s.client.Patch(ctx, m, client.RawPatch(types.MergePatchType, []byte(patch)))
		}
	}
	s.breaks(set(fmt.Sprintf(`{"spec":{"nodeGroups":{"address":%q}}}`, g.Address())), set(`{"spec":{"nodeGroups":null}}`))
	return g
}

func (g *groups) create(ctx context.Context, delta int) error {
	g.asked.Add(1)
	for range delta {
		n := int(g.made.Add(1)) - 1
		node := newNode(fmt.Sprintf("pool-%d", n))
		node.Spec.ProviderID = nodegroupstest.ProviderID(pool, n)
		if err := g.member.client.Create(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

// newNode is a node as the members have them, for kwok.
func newNode(name string) *corev1.Node {
	offers := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(nodeCPU), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("250"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
			Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelInstanceTypeStable: pool},
		},
		Status: corev1.NodeStatus{Capacity: offers, Allocatable: offers},
	}
}

// fills leaves one cpu free in a member, by pods of somebody else.
func (s *scene) fills(name string) {
	s.t.Helper()
	m, cpus := s.members[name], int32(nodes[name]*8)-twelve[name]-1
	require.NoError(s.t, m.ApplyYAML(s.t.Context(), s.text(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: others, namespace: $NS}
spec:
  replicas: %d
  selector: {matchLabels: {app: others}}
  template:
    metadata: {labels: {app: others}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: others, image: others, resources: {requests: {cpu: "1"}}}]
`, cpus))))
	others := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "others"}}
	s.t.Cleanup(func() { require.NoError(s.t, m.client.Delete(context.WithoutCancel(s.t.Context()), others)) })
	stacktest.Eventually(s.t, name+" is full", func() error {
		if err := m.client.Get(s.t.Context(), client.ObjectKeyFromObject(others), others); err != nil {
			return err
		}
		if others.Status.ReadyReplicas != cpus {
			return fmt.Errorf("%d of %d pods are Ready", others.Status.ReadyReplicas, cpus)
		}
		return nil
	})
}

// reserve waits for what is said of the reserve in a member.
func (s *scene) reserve(name, reason string) {
	s.t.Helper()
	stacktest.Eventually(s.t, "the reserve of "+name+" is "+reason, func() error {
		room := &v1alpha1.Headroom{}
		if err := s.client.Get(s.t.Context(), types.NamespacedName{Name: "room"}, room); err != nil {
			return err
		}
		at := slices.IndexFunc(room.Status.Clusters, func(c v1alpha1.HeadroomCluster) bool { return c.Name == name })
		if at < 0 || room.Status.Clusters[at].Reason != reason {
			return fmt.Errorf("the status is %+v", room.Status)
		}
		return nil
	})
}
