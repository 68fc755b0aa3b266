// SPDX-License-Identifier: Apache-2.0

package newnodes

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/nodegroups"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// template is a node of 4 cpu.
func template(change func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"disk": "ssd"}},
		Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("10"),
		}},
	}
	if change != nil {
		change(n)
	}
	return n
}

// pod needs one cpu.
func pod(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{"app": "web"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}},
	}}}}
	if change != nil {
		change(p)
	}
	return p
}

// patience is for a healthy call on a busy machine.
const patience = time.Minute

func start(t *testing.T, groups ...nodegroupstest.Group) (*nodegroupstest.Server, *Server) {
	t.Helper()
	server, err := nodegroupstest.Start(nodegroupstest.Options{Groups: groups})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	s, err := dial(t.Context(), Secrets{}, &v1alpha1.MemberNodeGroups{Address: server.Address()}, patience)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return server, s
}

// nodesOf are a group's first machines as Ready nodes.
func nodesOf(group string, n int) *capacity.Snapshot {
	var nodes []corev1.Node
	for i := range n {
		nodes = append(nodes, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(group, i), CreationTimestamp: metav1.NewTime(noon)},
			Spec:       corev1.NodeSpec{ProviderID: nodegroupstest.ProviderID(group, i)},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
		})
	}
	return capacity.New(nodes, nil)
}

func nobody(int) bool { return false }

func TestOffer(t *testing.T) {
	_, s := start(t,
		nodegroupstest.Group{ID: "pool", Max: 5, Target: 3, Ready: 2, Template: template(nil)},
		nodegroupstest.Group{ID: "gpu", Max: 1, Template: template(func(n *corev1.Node) { n.Status.Allocatable["nvidia.com/gpu"] = resource.MustParse("2") })},
		nodegroupstest.Group{ID: "team", Max: 2, Template: template(func(n *corev1.Node) {
			n.Labels, n.Spec.Taints = nil, []corev1.Taint{{Key: "team", Effect: corev1.TaintEffectNoSchedule}}
		})},
		nodegroupstest.Group{ID: "without a template", Max: 1000},
		nodegroupstest.Group{ID: "full", Max: 3, Target: 3, Ready: 3, Template: template(nil)},
	)
	nodes := nodesOf("pool", 2)
	full := nodesOf("full", 3)
	var all []corev1.Node
	for _, each := range []*capacity.Snapshot{nodes, full} {
		for n := range each.Objects() {
			all = append(all, *n)
		}
	}
	g, err := s.Read(t.Context(), capacity.New(all, nil), time.Minute, noon)
	require.NoError(t, err)
	idlePool := func(i int) bool { return g.List[i].ID == "pool" }
	for _, test := range []struct {
		name   string
		change func(*corev1.Pod)
		rules  capacity.Rules
		idle   func(int) bool
		want   int64
	}{
		{"two that may be added and one on its way, no GPUs", nil, capacity.Rules{}, nobody, 12},
		{"more than 4 cpu fit on no node", func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("5")
		}, capacity.Rules{}, nobody, 0},
		{"by node, not by sum", func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("3")
		}, capacity.Rules{}, nobody, 3},
		{"one on each node", func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
				TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			}}}}
		}, capacity.Rules{}, nobody, 3},
		{"a taint that is tolerated", func(p *corev1.Pod) {
			p.Spec.Tolerations = []corev1.Toleration{{Key: "team", Operator: corev1.TolerationOpExists}}
		}, capacity.Rules{}, nobody, 20},
		{"a nodeSelector", func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "hdd"} }, capacity.Rules{}, nobody, 0},
		{"GPUs for who asks for them", func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"] = resource.MustParse("1")
		}, capacity.Rules{}, nobody, 2},
		{"groups that the Headroom does not name are not grown", nil, capacity.Rules{Selector: map[string]string{"disk": "hdd"}}, nobody, 0},
		{"a group that does not grow adds what is on its way", nil, capacity.Rules{}, idlePool, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, g.Offer(test.rules, test.idle).Fits(pod(test.change)))
		})
	}
	var none *Offer
	require.Zero(t, none.Fits(pod(nil)))
	require.Zero(t, none.Since())
	require.Zero(t, Nothing(noon).Fits(pod(nil)))
	require.Equal(t, noon, Nothing(noon).Since())
}

// One answer for each kind of node is the same as one for each node; numbers without sense stay within range.
func TestOfferIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := groupsOf(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) nodegroups.Group {
			return nodegroups.Group{
				Max: rapid.IntRange(0, mostEach).Draw(t, "max"), Target: rapid.IntRange(0, 30).Draw(t, "target"),
				Template: &nodegroups.Template{
					Node:   fit.Node{Free: fit.Resources{"cpu": rapid.Int64Range(0, 9000).Draw(t, "cpu")}, Pods: rapid.Int64Range(0, 12).Draw(t, "pods")},
					Labels: map[string]string{"disk": rapid.SampledFrom([]string{"ssd", "hdd"}).Draw(t, "disk")},
				},
			}
		}), 0, 5).Draw(t, "groups"))
		p := pod(func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = *resource.NewMilliQuantity(rapid.Int64Range(0, 3000).Draw(t, "request"), resource.DecimalSI)
			if rapid.Bool().Draw(t, "picky") {
				p.Spec.NodeSelector = map[string]string{"disk": "ssd"}
			}
		})
		shape := fit.Shape{Requests: capacity.Requests(&p.Spec), Nodes: g.On(p)}
		require.Equal(t, fit.Capacity(g.Expandable(), shape), g.Offer(capacity.Rules{}, nobody).Fits(p))
	})
	huge := groupsOf([]nodegroups.Group{{Max: math.MaxInt32, Template: &nodegroups.Template{Node: fit.Node{Free: fit.Resources{"cpu": math.MaxInt64}, Pods: math.MaxInt64}}}})
	require.Equal(t, int64(divide.MaxReplicas), huge.Offer(capacity.Rules{}, nobody).Fits(pod(nil)))
}

func groupsOf(list []nodegroups.Group) *Groups {
	for i := range list {
		list[i].ID = fmt.Sprint("group ", i)
	}
	g := newGroups(list, noon)
	g.Pending, g.Stuck = make([]int, len(list)), make([]int, len(list))
	return g
}

func TestRead(t *testing.T) {
	server, s := start(t, nodegroupstest.Group{ID: "b", Max: 9, Target: 3, Ready: 3, Template: template(nil)}, nodegroupstest.Group{ID: "a", Max: 5, Template: template(nil)})
	read := func(nodes int, now time.Time) *Groups {
		t.Helper()
		g, err := s.Read(t.Context(), nodesOf("b", nodes), time.Minute, now)
		require.NoError(t, err)
		return g
	}
	may := func(g *Groups) []int { return []int{g.MayAdd(0), g.MayAdd(1)} }
	g := read(1, noon)
	require.Equal(t, "a", g.List[0].ID, "by ID")
	require.Equal(t, []int{5, 8}, may(g), "six more of b and two on their way")
	server.SetMax("b", 4)
	require.Equal(t, []int{5, 8}, may(read(1, noon.Add(time.Minute-1))), "it is not asked again so soon")
	require.Equal(t, []int{5, 3}, may(read(1, noon.Add(time.Minute))))
	g = read(3, noon.Add(2*time.Minute))
	require.Equal(t, []int{5, 1}, may(g))

	require.False(t, s.Awaits(noon.Add(2*time.Minute)))
	s.Grew("a", 2, 2, noon.Add(2*time.Minute))
	require.True(t, s.Awaits(noon.Add(2*time.Minute)))
	require.False(t, s.Awaits(noon.Add(2*time.Minute+RegisterWithin)), "they do not come")
	later := read(3, noon.Add(2*time.Minute+1))
	require.Equal(t, 2, later.List[0].Target)
	require.Equal(t, 2, later.Pending[0])
	require.Zero(t, g.List[0].Target, "what was read stays as it was")
}

// A group counts for nothing while its machines do not become nodes, or while it cannot be read, and the others count on.
func TestFailingGroups(t *testing.T) {
	server, s := start(t, nodegroupstest.Group{ID: "pool", Max: 9, Target: 2, Template: template(nil)}, nodegroupstest.Group{ID: "well", Max: 1, Template: template(nil)})
	fits := func(now time.Time) int64 {
		t.Helper()
		g, err := s.Read(t.Context(), nodesOf("pool", 0), time.Minute, now)
		require.NoError(t, err)
		return g.Offer(capacity.Rules{}, nobody).Fits(pod(nil))
	}
	require.Equal(t, int64(40), fits(noon))
	require.Equal(t, int64(40), fits(noon.Add(RegisterWithin-1)))
	require.Equal(t, int64(4), fits(noon.Add(RegisterWithin)), "two machines have not become nodes")
	server.SetTarget("pool", 1) // somebody looked after it
	require.Equal(t, int64(40), fits(noon.Add(RegisterWithin+time.Minute)))
	server.Fail("pool", nodegroupstest.PlainErrors)
	require.Equal(t, int64(4), fits(noon.Add(RegisterWithin+2*time.Minute)))

	server.Fail("", nodegroupstest.PlainErrors)
	_, err := s.Read(t.Context(), nodesOf("pool", 0), time.Minute, noon.Add(time.Hour))
	require.ErrorContains(t, err, "refused Refresh")
	require.True(t, s.Failing())
	require.False(t, server.Ended())
}

// secret is the one Secret that there is.
type secret struct {
	client.Reader
	data map[string][]byte
}

func (s *secret) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	into, is := object.(*corev1.Secret)
	if !is || key != (client.ObjectKey{Namespace: "members", Name: "groups"}) {
		return apierrors.NewNotFound(corev1.Resource("secrets"), key.Name)
	}
	into.Data = s.data
	return nil
}

func TestCredentials(t *testing.T) {
	authority, err := nodegroupstest.NewAuthority("test")
	require.NoError(t, err)
	tls, err := authority.ServerTLS()
	require.NoError(t, err)
	server, err := nodegroupstest.Start(nodegroupstest.Options{TLS: tls, Groups: []nodegroupstest.Group{{ID: "pool", Max: 1}}})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	certificate, key, err := authority.Issue("us")
	require.NoError(t, err)
	right := map[string][]byte{"ca.crt": authority.PEM, "tls.crt": certificate, "tls.key": key}

	there := &secret{data: right}
	secrets, spec := Secrets{Reader: there, Namespace: "members"}, &v1alpha1.MemberNodeGroups{Address: server.Address(), SecretRef: &v1alpha1.SecretReference{Name: "groups"}}
	_, err = Dial(t.Context(), Secrets{Reader: there, Namespace: "elsewhere"}, spec)
	require.ErrorContains(t, err, "cannot be read from Secret elsewhere/groups")
	s, err := dial(t.Context(), secrets, spec, patience)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	g, err := s.Read(t.Context(), capacity.New(nil, nil), 0, noon)
	require.NoError(t, err)
	require.Len(t, g.List, 1)
	require.True(t, s.Is(spec))
	require.False(t, s.Is(&v1alpha1.MemberNodeGroups{Address: "127.0.0.1:1"}))

	there.data = map[string][]byte{"ca.crt": authority.PEM}
	require.ErrorContains(t, s.Renew(t.Context(), secrets, spec), "no ")
	_, err = s.Read(t.Context(), capacity.New(nil, nil), 0, noon)
	require.NoError(t, err, "the old credentials stay")
	_, err = Dial(t.Context(), secrets, &v1alpha1.MemberNodeGroups{Address: "192.0.2.1:1"})
	require.ErrorContains(t, err, "plaintext is for loopback addresses only")
}

// A FederatedScale asks each member's offer once a minute.
func BenchmarkFits(b *testing.B) {
	var list []nodegroups.Group
	for range 20 {
		list = append(list, nodegroups.Group{Max: 500, Template: &nodegroups.Template{Node: fit.Node{Free: fit.Resources{"cpu": 16000, "memory": 1 << 36}, Pods: 110}}})
	}
	offer, p := groupsOf(list).Offer(capacity.Rules{}, nobody), pod(nil)
	for b.Loop() {
		offer.Fits(p)
	}
}
