// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/newnodes"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

// offered is what a group of ten nodes of 4 cpu offers, as it was read at a time.
func offered(t *testing.T, at time.Time) *newnodes.Offer {
	t.Helper()
	server, err := nodegroupstest.Start(nodegroupstest.Options{Groups: []nodegroupstest.Group{{ID: "pool", Max: 10, Template: poolNode()}}})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	s, err := newnodes.Dial(t.Context(), newnodes.Secrets{}, &v1alpha1.MemberNodeGroups{Address: server.Address()})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	g, err := s.Read(t.Context(), capacity.New(nil, nil), time.Minute, at)
	require.NoError(t, err)
	return g.Offer(capacity.Rules{}, func(int) bool { return false })
}

func poolNode() *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"pool": "new"}}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("40"),
	}}}
}

// paris has node groups, and is looked at at noon for the first time.
func paris() (*scene, *sight) {
	cluster := &v1alpha1.MemberCluster{Spec: v1alpha1.MemberClusterSpec{NodeGroups: &v1alpha1.MemberNodeGroups{}}}
	return &scene{scale: &v1alpha1.FederatedScale{}, memo: &memo{began: noon}}, &sight{name: "paris", cluster: cluster}
}

func TestNewNodes(t *testing.T) {
	offer := offered(t, noon)
	for _, test := range []struct {
		name  string
		offer *newnodes.Offer
		after time.Duration
		pods  int64
		known bool
	}{
		{"nothing is known yet", nil, 0, 0, false},
		{"nothing was heard for long", nil, newnodes.HoldFor, 0, true},
		{"ten nodes", offer, 0, 40, true},
		{"the server does not answer", offer, newnodes.HoldFor - 1, 40, true},
		{"for long", offer, newnodes.HoldFor, 0, true},
		{"the clock was ahead", offer, -time.Hour, 40, true},
		{"nobody has them grown", newnodes.Nothing(noon), 0, 0, true},
	} {
		s, one := paris()
		s.now, one.offer = noon.Add(test.after), test.offer
		pods, known := s.newNodes(one, onePod("1"))
		require.Equal(t, test.pods, pods, test.name)
		require.Equal(t, test.known, known, test.name)
	}
	s, one := paris()
	one.cluster.Spec.NodeGroups.ExpandablePercent = new(int32(0))
	_, known := s.newNodes(one, onePod("1"))
	require.True(t, known, "where they do not count nothing is waited for")
	one.cluster.Spec.NodeGroups = nil
	_, known = s.newNodes(one, onePod("1"))
	require.True(t, known, "where there are no groups neither")
}

// A server of node groups that does not answer for a while moves no weight at all; one that is gone moves it slowly.
func TestSilentServerShiftsNothing(t *testing.T) {
	offer := offered(t, noon)
	s, one := paris()
	one.offer = offer
	smoothing, weights := divide.DefaultSmoothing(), divide.Weights{}
	look := func(after time.Duration) divide.Weights {
		s.now = noon.Add(after)
		own := divide.Capacity{Own: 10, ExpandablePercent: one.cluster.ExpandablePercent()}
		var known bool
		own.Expandable, known = s.newNodes(one, onePod("1"))
		require.True(t, known)
		weights, _ = weights.Next(divide.Capacities{
			Replicas: 30, Clusters: []divide.Cluster{{Name: "berlin", Min: 1}, {Name: "paris", Min: 1}}, Measured: map[string]int64{"berlin": 30, "paris": own.Weight()},
		}, smoothing, s.now)
		return weights
	}
	first := look(0)
	require.Equal(t, map[string]int64{"berlin": 30, "paris": 30}, first.Frozen, "10 of its own, and half of 40")
	for at := time.Minute; at < newnodes.HoldFor; at += time.Minute {
		require.Equal(t, first.Smooth, look(at).Smooth, "after %s", at)
	}
	after := look(newnodes.HoldFor)
	require.Equal(t, int64(28000), after.Smooth["paris"])
	require.Equal(t, first.Frozen, after.Frozen, "a step moves no seat")
	for at := newnodes.HoldFor; at < time.Hour; at += time.Minute {
		after = look(at)
		require.GreaterOrEqual(t, after.Frozen["paris"], int64(10), "never less than it has")
	}
	require.Less(t, after.Frozen["paris"], int64(13), "and in the end it counts without new nodes")
	one.offer = offered(t, s.now)
	require.Greater(t, look(time.Hour).Smooth["paris"], after.Smooth["paris"], "it answers again")
}

// Nodes that rome's node groups may still add count in its share, and are added when the share's pods wait for them.
func testNewNodes(p *play) {
	t := p.t
	var made atomic.Int64
	server, err := nodegroupstest.Start(nodegroupstest.Options{
		Groups: []nodegroupstest.Group{{ID: "pool", Max: 3, Template: poolNode()}},
		Create: func(group string, delta int) error {
			for range delta {
				n := int(made.Add(1)) - 1
				node := poolNode()
				node.Name, node.Annotations = fmt.Sprintf("new-%d", n), map[string]string{"kwok.x-k8s.io/node": "fake"}
				node.Spec.ProviderID = nodegroupstest.ProviderID(group, n)
				node.Status.Capacity = node.Status.Allocatable
				require.NoError(t, p.members["rome"].Client.Create(t.Context(), node))
			}
			return nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	p.nodeGroups("rome", fmt.Sprintf(`{"address":%q,"expandablePercent":100}`, server.Address()))
	p.hub.Create(t, "", `{apiVersion: plimsoll.dev/v1alpha1, kind: Headroom, metadata: {name: room}, spec: {clusters: [rome], mode: Enforce, strategy: NodeGroups, percent: 0}}`)
	offers := func(pods int64) {
		t.Helper()
		clustertest.Eventually(t, "rome has new nodes to offer", func() error {
			pod := &corev1.Pod{Spec: onePod("1").Spec}
			if fits := p.fleet.Offered("rome").Fits(pod); fits != pods {
				return fmt.Errorf("for %d pods, not %d", fits, pods)
			}
			return nil
		})
	}
	offers(12)
	p.deploy(1, "berlin", "paris", "rome")
	p.create("replicas: 12")
	p.wants("shares by what there is and may be", counts{"berlin": 4, "paris": 3, "rome": 5})
	f := p.reason(v1alpha1.FederatedDivided)
	require.Equal(t, int64(16), row(f, "rome").Weight, "4 on its node and 12 on new ones")
	g, _ := server.Group("pool")
	require.Equal(t, 1, g.Target)
	offers(8)

	p.unknown(f)
	p.scaleTo(0)
	p.wants("none", counts{"berlin": 0, "paris": 0, "rome": 0})
	require.NoError(t, p.hub.Client.Delete(t.Context(), &v1alpha1.Headroom{ObjectMeta: metav1.ObjectMeta{Name: "room"}}))
	offers(0)
	p.nodeGroups("rome", "null")
	for n := range made.Load() {
		require.NoError(t, p.members["rome"].Client.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("new-%d", n)}}))
	}
}

// nodeGroups sets spec.nodeGroups of a member.
func (p *play) nodeGroups(member, value string) {
	c := &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: member}}
	require.NoError(p.t, p.hub.Client.Patch(p.t.Context(), c, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"nodeGroups":`+value+`}}`))))
}

// unknown has a scaler look that has just started, and does not know yet what rome's groups offer: rome keeps its weight.
func (p *play) unknown(f *v1alpha1.FederatedScale) {
	cluster := &v1alpha1.MemberCluster{}
	require.NoError(p.t, p.hub.Client.Get(p.t.Context(), types.NamespacedName{Name: "rome"}, cluster))
	member := p.fleet.Member("rome")
	rule, err := f.Compile()
	require.NoError(p.t, err)
	target, err := reader{member: member}.target(p.t.Context(), rule.Target, p.namespace)
	require.NoError(p.t, err)
	s := &scene{
		scale: f, rule: rule, now: noon, memo: &memo{began: noon},
		sights: []*sight{{name: "rome", cluster: cluster, member: member, seen: true, target: target, memo: &memberMemo{}}},
	}
	require.Empty(p.t, s.capacities(p.t.Context(), divide.Weights{Frozen: map[string]int64{"rome": 16}}).Measured)
	require.NotEmpty(p.t, s.capacities(p.t.Context(), divide.Weights{}).Measured, "without a weight it would have its minimum only")
	s.now = noon.Add(newnodes.HoldFor)
	require.NotEmpty(p.t, s.capacities(p.t.Context(), divide.Weights{Frozen: map[string]int64{"rome": 16}}).Measured, "nobody is waited for for ever")
}
