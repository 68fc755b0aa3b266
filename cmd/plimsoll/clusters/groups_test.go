// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/nodegroups/nodegroupstest"
)

// withGroups gives paris two node groups: one of nodes for two of the shop's pods each, and one whose nodes repel them.
func withGroups(t *testing.T, most int) (*Hub, *nodegroupstest.Server) {
	t.Helper()
	node := func(taints ...corev1.Taint) *corev1.Node {
		return &corev1.Node{Spec: corev1.NodeSpec{Taints: taints}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourcePods: resource.MustParse("100"),
		}}}
	}
	server, err := nodegroupstest.Start(nodegroupstest.Options{Groups: []nodegroupstest.Group{
		{ID: "pool", Max: most, Template: node()}, {ID: "team", Max: 9, Template: node(corev1.Taint{Key: "team", Effect: corev1.TaintEffectNoSchedule})},
	}})
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	h := twoClusters()
	h.Members[1].Status.State = v1alpha1.MemberHealthy
	h.Members[1].Spec.NodeGroups = &v1alpha1.MemberNodeGroups{Address: server.Address()}
	h.Headrooms[0].Spec.Mode = v1alpha1.ModeEnforce
	h.Headrooms[0].Status.Clusters = append(h.Headrooms[0].Status.Clusters, v1alpha1.HeadroomCluster{
		Name: "paris", Strategy: v1alpha1.HeadroomNodeGroups, Reason: v1alpha1.HeadroomHeld,
	})
	return h, server
}

func TestSimulateWithNodeGroups(t *testing.T) {
	for _, test := range []struct {
		name      string
		most      int
		question  Question
		before    func(h *Hub, s *nodegroupstest.Server)
		needNodes int64
		verdict   string
		says      string // "": no doubt
	}{
		{"two nodes are enough", 2, Question{Lose: "berlin"}, nil, 3, "NeedsNodes", ""},
		{"one is not", 1, Question{Lose: "berlin"}, nil, 2, "DoesNotFit", ""},
		{"a surge", 9, Question{Surge: 100}, nil, 0, "DoesNotFit", ""}, // berlin has no groups
		{"a surge where there are groups", 9, Question{Surge: 100}, func(h *Hub, _ *nodegroupstest.Server) {
			h.Scales[0].Status.Clusters = h.Scales[0].Status.Clusters[1:]
			h.Scales[0].Status.Clusters[0].Replicas = 5
		}, 5, "NeedsNodes", ""},
		{"nobody has them added", 2, Question{Lose: "berlin"}, func(h *Hub, _ *nodegroupstest.Server) { h.Headrooms[0].Spec.Mode = v1alpha1.ModeObserve },
			3, "NeedsNodes", "come only if somebody adds them"},
		{"they did not come", 2, Question{Lose: "berlin"}, func(h *Hub, _ *nodegroupstest.Server) {
			h.Headrooms[0].Status.Clusters[1].Reason, h.Headrooms[0].Status.Clusters[1].Message = v1alpha1.HeadroomNodeGroupFailed, "the cloud does not let us"
		}, 3, "NeedsNodes", "need not come: the cloud does not let us"},
		{"a group fails", 2, Question{Lose: "berlin"}, func(_ *Hub, s *nodegroupstest.Server) { s.Fail("pool", nodegroupstest.PlainErrors) },
			0, "DoesNotFit", `node group "pool" of paris counts as full`},
		{"no answer", 2, Question{Lose: "berlin"}, func(_ *Hub, s *nodegroupstest.Server) { s.Fail("", nodegroupstest.Hangs) },
			0, "DoesNotFit", "paris counts without the nodes that its node groups may add"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, server := withGroups(t, test.most)
			if test.before != nil {
				test.before(h, server)
			}
			w := world(t, h, map[string]int{"berlin": 2, "paris": 1}, 5)
			patience := time.Minute
			if test.name == "no answer" {
				patience = 200 * time.Millisecond
			}
			w.AskGroups(t.Context(), nil, "", patience)
			answer, err := Simulate(context.Background(), w, test.question, now)
			require.NoError(t, err)
			one := answer.Workloads[0]
			require.Equal(t, test.needNodes, one.NeedNodes, answer)
			require.Equal(t, test.verdict, answer.Verdict)
			require.Equal(t, one.Replicas, one.Fit+one.NeedNodes+one.Homeless)
			text := AnswerText(answer, View{Now: now, Width: 1000})
			if test.says == "" {
				require.NotContains(t, text, "Not exact")
			} else {
				require.Contains(t, text, "Not exact: ")
				require.Contains(t, text, test.says)
			}
			server.Fail("", nodegroupstest.Healthy)
			server.Fail("pool", nodegroupstest.Healthy)
			require.False(t, server.Ended())
			for _, id := range []string{"pool", "team"} {
				g, _ := server.Group(id)
				require.Zero(t, g.Target, "nothing is grown")
			}
		})
	}
}

// A member that does not answer is not asked about its node groups, and the hub's cluster has none.
func TestNodeGroupsOfSilentMembers(t *testing.T) {
	h, _ := withGroups(t, 2)
	w := world(t, h, map[string]int{"berlin": 2}, 5)
	w.AskGroups(t.Context(), nil, "", time.Second)
	require.Empty(t, w.groups)
	require.Empty(t, w.Problems)
	require.Empty(t, w.newNodes("paris", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}))
}
