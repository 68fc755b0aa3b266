// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/members"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

var now = time.Date(2026, 11, 11, 20, 0, 0, 0, time.UTC)

// twoClusters are berlin and paris with six and two of the shop's replicas.
func twoClusters() *Hub {
	since := metav1.NewTime(now.Add(-time.Hour))
	member := func(name string, state v1alpha1.MemberState, reason string) v1alpha1.MemberCluster {
		return v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.MemberClusterStatus{
			State: state, Since: &since, Nodes: &v1alpha1.MemberNodes{Summary: "3/3"}, Free: "4 cpu, 8Gi",
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: reason, Message: name + " says " + reason + "."}},
		}}
	}
	return &Hub{
		Members: []v1alpha1.MemberCluster{
			member("berlin", v1alpha1.MemberHealthy, v1alpha1.MemberAnswers), member("paris", v1alpha1.MemberSuspect, v1alpha1.MemberUnauthorized),
		},
		Scales: []v1alpha1.FederatedScale{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "live", Name: "shop"},
			Spec:       v1alpha1.FederatedScaleSpec{Replicas: new(int32(8)), Mode: v1alpha1.ModeEnforce},
			Status: v1alpha1.FederatedScaleStatus{
				Replicas: 8, ReadyReplicas: 7, Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: "WaitingForReady", Message: "paris is on its way"}},
				Clusters: []v1alpha1.FederatedClusterStatus{
					{Name: "berlin", State: v1alpha1.MemberHealthy, Replicas: 6, Ready: 6, Goal: 5, Weight: 2, ReadyPercent: 86},
					{Name: "paris", State: v1alpha1.MemberHealthy, Replicas: 2, Ready: 1, Goal: 2, Weight: 1, ReadyPercent: 14},
				},
			},
		}},
		Headrooms: []v1alpha1.Headroom{{
			ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.HeadroomSpec{Mode: v1alpha1.ModeObserve},
			Status: v1alpha1.HeadroomStatus{
				Clusters: []v1alpha1.HeadroomCluster{{Name: "berlin", Reason: v1alpha1.HeadroomObserving, Held: v1alpha1.Amounts{CPU: "1980m", Memory: "4294967296"}}},
				Losses:   []v1alpha1.HeadroomLoss{{Cluster: "berlin", Verdict: "DoesNotFit", Replicas: 6, Fit: 4, Homeless: 2}},
			},
		}},
	}
}

func TestShow(t *testing.T) {
	text := Text(Show(twoClusters()), View{Now: now, Width: 120})
	for _, part := range []string{
		"berlin    Healthy   1h", "2 cpu, 4Gi (would be)", "4 fit, 2 fit nowhere", "6/6 → 5", "1/2",
		"paris: paris says Unauthorized. " + v1alpha1.MemberMeaning(v1alpha1.MemberUnauthorized)[:30], "live/shop: paris is on its way",
	} {
		require.Contains(t, strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(part), " "), text)
	}
	require.Contains(t, text, "berlin: which cluster it is is not known")
	h := twoClusters()
	h.Members[0].Status.ClusterID = "8cbd-1"
	require.NotContains(t, Text(Show(h), View{Now: now, Width: 120}), "which cluster it is")
	require.Equal(t, "8cbd-1", Show(h).Clusters[0].ClusterID)
	require.Contains(t, Text(Show(&Hub{}), View{Now: now, Width: 80}), "There is no MemberCluster")
	data, err := json.Marshal(Show(&Hub{}))
	require.NoError(t, err)
	require.JSONEq(t, `{"clusters":[],"workloads":[]}`, string(data))
}

// world gives every member nodes with room for some of the shop's pods each; the shop's own are on the first ones.
func world(t *testing.T, h *Hub, nodes map[string]int, perNode int64) *World {
	t.Helper()
	w := &World{Hub: h, members: map[string]*inside{}, Unknown: map[string]string{}}
	pod := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
	}}}}}
	for i := range h.Scales[0].Status.Clusters {
		c := &h.Scales[0].Status.Clusters[i]
		if nodes[c.Name] == 0 {
			w.Unknown[c.Name] = "it does not answer"
			continue
		}
		var all []corev1.Node
		var pods []corev1.Pod
		for n := range nodes[c.Name] {
			name := string(rune('a' + n))
			all = append(all, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
				Allocatable: corev1.ResourceList{corev1.ResourceCPU: *resource.NewQuantity(perNode, ""), corev1.ResourcePods: resource.MustParse("100")},
				Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			}})
		}
		for p := range c.Replicas {
			one := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "live"}, Spec: *pod.Spec.DeepCopy()}
			one.Spec.NodeName = all[int64(p)/perNode].Name
			pods = append(pods, one)
		}
		w.members[c.Name] = &inside{snapshot: capacity.New(all, pods), target: there(&members.Target{
			NamespacedName: types.NamespacedName{Namespace: "live", Name: "shop"}, Kind: "Deployment", Template: pod,
		}, nil)}
	}
	return w
}

func there(target *members.Target, err error) func(context.Context, string, v1alpha1.Federation) (*members.Target, error) {
	return func(context.Context, string, v1alpha1.Federation) (*members.Target, error) { return target, err }
}

// podsQuota is a quota on the number of pods of a namespace.
func podsQuota(namespace, hard, used string) corev1.ResourceQuota {
	amount := func(n string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourcePods: resource.MustParse(n)}
	}
	return corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "few"}, Status: corev1.ResourceQuotaStatus{Hard: amount(hard), Used: amount(used)}}
}

// There is room for everything on the nodes of both clusters; something else says that not all of it may go there. Berlin has
// six replicas and paris two.
func TestSimulateWithLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(w *World)
		lost   int64 // of the six of berlin, those that paris takes
		surged int64 // of eight more, those that fit
		says   string
	}{
		{"none", func(*World) {}, 6, 8, "All of it fits"},
		{"a quota", func(w *World) { w.members["paris"].quotas = []corev1.ResourceQuota{podsQuota("live", "7", "2")} }, 5, 8, "It does not all fit"},
		{"quotas everywhere", func(w *World) {
			w.members["berlin"].quotas = []corev1.ResourceQuota{podsQuota("live", "8", "6")}
			w.members["paris"].quotas = []corev1.ResourceQuota{podsQuota("live", "3", "2")}
		}, 1, 2, "It does not all fit"}, // by the weights paris is to have a third one now
		{"a quota that is used up", func(w *World) { w.members["paris"].quotas = []corev1.ResourceQuota{podsQuota("live", "2", "3")} }, 0, 8, "It does not all fit"},
		{"a quota of another namespace", func(w *World) { w.members["paris"].quotas = []corev1.ResourceQuota{podsQuota("test", "2", "2")} }, 6, 8, "All of it fits"},
		{"paris is drained", func(w *World) { w.Hub.Members[1].Spec.Drain = true }, 0, 8, "It does not all fit"},
		{"the maxReplicas of the HPA in paris", func(w *World) { bounded(w, "paris", 6) }, 4, 8, "It does not all fit"},
		{"a lower one of the cluster", func(w *World) {
			bounded(w, "paris", 6)
			w.Hub.Scales[0].Spec.Clusters = []v1alpha1.FederatedCluster{{Name: "berlin"}, {Name: "paris", MaxReplicas: new(int32(3))}}
		}, 1, 8, "It does not all fit"},
		{"it is not there", func(w *World) {
			w.members["paris"].target = there(nil, fmt.Errorf("there is no Deployment shop: %w", members.ErrNotThere))
		}, 0, 8, "Not exact: live/shop in paris: there is no Deployment shop"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := twoClusters()
			h.Members[1].Status.State = v1alpha1.MemberHealthy
			w := world(t, h, map[string]int{"berlin": 8, "paris": 8}, 5)
			test.change(w)
			answer, err := Simulate(context.Background(), w, Question{Lose: "berlin"}, now)
			require.NoError(t, err)
			require.Equal(t, test.lost, answer.Workloads[0].Fit)
			require.Equal(t, 6-test.lost, answer.Workloads[0].Homeless)
			require.Equal(t, test.lost == 6, answer.Verdict == "Fits")
			require.Contains(t, AnswerText(answer, View{Now: now, Width: 1000}), test.says)
			answer, err = Simulate(context.Background(), w, Question{Surge: 100}, now)
			require.NoError(t, err)
			require.Equal(t, test.surged, answer.Workloads[0].Fit)
			require.Equal(t, test.surged == 8, answer.Verdict == "Fits")
		})
	}
}

// bounded makes the shop's minReplicas be divided, and gives it an HPA in a member.
func bounded(w *World, member string, most int32) {
	w.Hub.Scales[0].Spec.Divide = v1alpha1.DivideBounds
	target, _ := w.members[member].target(context.Background(), "", v1alpha1.Federation{})
	target.HPA = &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: most}}
}

// A member's quotas are read of the namespaces of the workloads only, each once.
func TestNamespaces(t *testing.T) {
	h := twoClusters()
	for _, namespace := range []string{"test", "live"} {
		h.Scales = append(h.Scales, v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "other"}})
	}
	require.Equal(t, []string{"live", "test"}, h.namespaces())
}

func TestSimulateALoss(t *testing.T) {
	h := twoClusters()
	h.Members[1].Status.State = v1alpha1.MemberHealthy
	for _, test := range []struct {
		name  string
		nodes map[string]int
		fit   int64
		says  string
	}{
		{"room", map[string]int{"berlin": 2, "paris": 2}, 6, "All of it fits"},
		{"too little room", map[string]int{"berlin": 2, "paris": 1}, 3, "It does not all fit"},
		{"nobody knows", map[string]int{"berlin": 2}, 0, "paris counts as full: it does not answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := Simulate(context.Background(), world(t, h, test.nodes, 5), Question{Lose: "berlin"}, now)
			require.NoError(t, err)
			require.Len(t, answer.Workloads, 1)
			require.EqualValues(t, 6, answer.Workloads[0].Replicas)
			require.Equal(t, test.fit, answer.Workloads[0].Fit)
			require.Contains(t, AnswerText(answer, View{Now: now, Width: 100}), test.says)
		})
	}
	_, err := Simulate(context.Background(), world(t, h, nil, 5), Question{Lose: "rome"}, now)
	require.ErrorContains(t, err, "there are: [berlin paris]")
}

func TestSimulateASurge(t *testing.T) {
	h := twoClusters()
	answer, err := Simulate(context.Background(), world(t, h, map[string]int{"berlin": 4, "paris": 4}, 5), Question{Surge: 100}, now)
	require.NoError(t, err)
	require.Equal(t, "Fits", answer.Verdict)
	require.EqualValues(t, 8, answer.Workloads[0].Replicas)
	require.EqualValues(t, 8, answer.Workloads[0].Fit)
	answer, err = Simulate(context.Background(), world(t, h, map[string]int{"berlin": 2, "paris": 1}, 5), Question{Surge: 100}, now)
	require.NoError(t, err)
	require.Equal(t, "DoesNotFit", answer.Verdict)
	require.Positive(t, answer.Workloads[0].Homeless)
	h = twoClusters() // rome's have moved to the others
	h.Scales[0].Status.Clusters = append(h.Scales[0].Status.Clusters, v1alpha1.FederatedClusterStatus{Name: "rome", State: v1alpha1.MemberFailed, Away: true, Replicas: 4})
	answer, err = Simulate(context.Background(), world(t, h, map[string]int{"berlin": 4, "paris": 4}, 5), Question{Surge: 100}, now)
	require.NoError(t, err)
	require.EqualValues(t, 8, answer.Workloads[0].Replicas, "each is counted once")
}
