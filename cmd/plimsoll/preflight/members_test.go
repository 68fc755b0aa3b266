// SPDX-License-Identifier: Apache-2.0

package preflight_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/members"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/preflight"
	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// spanning is an event in which the hub's HPA scales the FederatedScale of its name.
func spanning(floor int) string {
	return strings.ReplaceAll(sale(fmt.Sprintf("minReplicas: %d, rampUp: 30m", floor))+hubHPA("web", 60), "kind: Deployment", "kind: FederatedScale")
}

func hubHPA(name string, most int) string {
	return strings.ReplaceAll(fmt.Sprintf(hpa, name, most), "apiVersion: apps/v1, kind: Deployment", "apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale")
}

// country is a member with some nodes of 8 cores, and what else is in it; it answers.
func country(t *testing.T, name string, more ...string) preflight.Member {
	in := read(t, append([]string{sale("minReplicas: 1"), web(oneCore), fmt.Sprintf(deployment, "cart", oneCore, "")}, more...)...)
	m := preflight.Member{
		MemberCluster: v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.MemberClusterStatus{State: v1alpha1.MemberHealthy}},
		Inside:        &preflight.Inside{World: in, Targets: map[string]*members.Target{}, NoTarget: map[string]error{}},
	}
	for _, w := range in.Workloads {
		m.Inside.Targets["shop/"+w.Name] = &members.Target{
			NamespacedName: types.NamespacedName{Namespace: "shop", Name: w.Name}, Kind: "Deployment", Replicas: w.Replicas, Template: *w.Template, Selector: w.Selector,
		}
	}
	return m
}

func read(t *testing.T, texts ...string) *preflight.World {
	t.Helper()
	w, err := preflight.Read([]lint.File{{Name: "f", Text: []byte(strings.Join(texts, ""))}}, "default", now)
	require.NoError(t, err)
	return w
}

// scale is a FederatedScale of which berlin gets two thirds and paris one.
func scale(name string) v1alpha1.FederatedScale {
	return v1alpha1.FederatedScale{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.FederatedScaleSpec{Mode: v1alpha1.ModeEnforce},
		Status: v1alpha1.FederatedScaleStatus{Clusters: []v1alpha1.FederatedClusterStatus{
			{Name: "berlin", Weight: 20, Written: new(int32(3)), Replicas: 3}, {Name: "paris", Weight: 10, Written: new(int32(2)), Replicas: 2},
		}},
	}
}

func unknown(m *preflight.Member, why string) { m.Unknown, m.Inside = why, nil }

const limitRange = "\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l, namespace: shop}\nspec: {limits: [%s]}\n---"

// leaveOut makes the shop's template state no request of a resource.
func leaveOut(m *preflight.Member, resource corev1.ResourceName) {
	delete(m.Inside.Targets["shop/web"].Template.Spec.Containers[0].Resources.Requests, resource)
}

const perNode = "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}},"

func TestMembers(t *testing.T) {
	type world struct {
		*preflight.World
		scale         *v1alpha1.FederatedScale
		berlin, paris *preflight.Member
	}
	for name, tc := range map[string]struct {
		floor   int
		lose    string
		change  func(t *testing.T, w world)
		want    []string
		verdict preflight.State
		says    []string
	}{
		"it fits": {
			floor: 12, want: []string{"share shop/web in berlin 8/8 ok", "share shop/web in paris 4/4 ok", "members shop/web 12/12 ok"}, verdict: preflight.OK,
			says: []string{"a pod requests 1 cpu and 1Gi memory; 1 of 1 nodes are for it", "share (replicas)"},
		},
		"what has no place moves": {
			floor: 15, want: []string{"share shop/web in berlin 10/8 warning", "share shop/web in paris 5/5 ok", "members shop/web 15/15 warning"}, verdict: preflight.OK,
			says: []string{
				"2 of the 10 replicas of shop/web in berlin have no place there, for lack of 2 cpu: add 1 more nodes like the largest there (an empty one takes 8 of them)",
				"shop/web does not fit as divided: 2 of 15 replicas would be moved after their pods have waited for 2m0s (pendingTimeout) (paris takes 2)",
				"2 more come here that do not fit elsewhere",
			},
		},
		"what fits nowhere": {
			floor: 18, want: []string{"share shop/web in berlin 12/8 short", "share shop/web in paris 6/6 ok", "members shop/web 18/16 short"}, verdict: preflight.Short,
			says: []string{"2 of 18 replicas of shop/web fit nowhere; shop/web does not fit as divided: 2 of 18 replicas would be moved"},
		},
		"pods that run, wait or have ended": {
			floor: 18, change: func(t *testing.T, w world) {
				*w.berlin = country(t, "berlin", nodes(1), pod("a", "n0", "Running"), pod("b", "", "Pending"), pod("c", "n0", "Failed"))
			},
			want: []string{"share shop/web in berlin 12/8 short", "share shop/web in paris 6/6 ok", "members shop/web 18/16 short"}, verdict: preflight.Short,
			says: []string{"2 are there now"},
		},
		"other pods, and the reserve, which is free": {
			floor: 15, change: func(t *testing.T, w world) {
				other := strings.ReplaceAll(pod("other", "n0", "Running"), "app: web", "app: other")
				*w.paris = country(t, "paris", nodes(1), other, strings.ReplaceAll(strings.ReplaceAll(other, "namespace: shop", "namespace: plimsoll-headroom"), "cpu: 1", "cpu: 5"))
			},
			want: []string{"share shop/web in berlin 10/8 warning", "share shop/web in paris 5/5 ok", "members shop/web 15/15 warning"}, verdict: preflight.OK,
		},
		"a quota in a member": {
			floor: 15, change: func(t *testing.T, w world) {
				*w.paris = country(t, "paris", nodes(3), fmt.Sprintf(quota, "hard: {requests.cpu: 3}"), pod("a", "n0", "Running"))
				*w.berlin = country(t, "berlin", nodes(3))
			},
			want: []string{"share shop/web in berlin 10/10 ok", "share shop/web in paris 5/3 warning", "members shop/web 15/15 warning"}, verdict: preflight.OK,
			says: []string{
				"2 of the 5 replicas of shop/web in paris have no place there, for lack of quota: raise requests.cpu of ResourceQuota shop/compute by 2, from 3 to at least 5",
				"2 of 15 replicas would be moved (berlin takes 2)",
			},
		},
		"a quota that insists on limits": {
			floor: 15, change: func(t *testing.T, w world) {
				*w.paris = country(t, "paris", nodes(3), fmt.Sprintf(quota, "hard: {limits.cpu: 30}"))
			},
			want: []string{"share shop/web in berlin 10/8 short", "share shop/web in paris 5/0 short", "members shop/web 15/8 short"}, verdict: preflight.Short,
			says: []string{"the container web states none", "7 of 15 replicas of shop/web fit nowhere"},
		},
		"a LimitRange in a member that adds requests": {
			floor: 12, change: func(t *testing.T, w world) {
				*w.berlin = country(t, "berlin", nodes(1), fmt.Sprintf(limitRange, "{type: Container, defaultRequest: {cpu: 2}}"))
				*w.paris = country(t, "paris", nodes(1), fmt.Sprintf(limitRange, "{type: Container, default: {cpu: 4}}"))
				leaveOut(w.paris, "cpu")
			},
			want: []string{"share shop/web in berlin 8/8 ok", "share shop/web in paris 4/2 short", "members shop/web 12/10 short"}, verdict: preflight.Short,
		},
		"a LimitRange in a member that refuses": {
			floor: 12, change: func(t *testing.T, w world) {
				*w.paris = country(t, "paris", nodes(1), fmt.Sprintf(limitRange, "{type: Container, max: {cpu: 500m}}"))
			},
			want: []string{"share shop/web in berlin 8/8 ok", "share shop/web in paris 4/4 ok", "limits shop/web in paris / short", "members shop/web 12/12 ok"}, verdict: preflight.Short,
			says: []string{"in paris LimitRange l allows a container at most 500m of cpu, not 1: such pods of shop/web are refused"},
		},
		"a LimitRange in a member that has let one in": {
			floor: 12, change: func(t *testing.T, w world) {
				*w.paris = country(t, "paris", nodes(1), fmt.Sprintf(limitRange, "{type: Container, max: {cpu: 500m}}"), pod("a", "n0", "Running"))
			},
			want: []string{"share shop/web in berlin 8/8 ok", "share shop/web in paris 4/4 ok", "members shop/web 12/12 ok"}, verdict: preflight.OK,
		},
		"a LimitRange in a member that is drained": {
			floor: 6, change: func(t *testing.T, w world) {
				*w.paris = country(t, "paris", nodes(1), fmt.Sprintf(limitRange, "{type: Container, max: {cpu: 500m}}"))
				w.paris.Spec.Drain = true
			},
			want: []string{"share shop/web in berlin 6/6 ok", "members shop/web 6/6 ok"}, verdict: preflight.OK,
		},
		"no right to LimitRanges, and no requests": {
			floor: 12, change: func(_ *testing.T, w world) {
				for _, m := range []*preflight.Member{w.berlin, w.paris} {
					m.Inside.NoLimits = map[string]string{"shop": "no, " + m.Name}
				}
				leaveOut(w.paris, "memory")
			},
			want: []string{"share shop/web in berlin 8/8 ok", "share shop/web in paris 4/4 ok", "limits shop/web in paris / unknown", "members shop/web 12/12 ok"}, verdict: preflight.Unknown,
			says: []string{"its container web states no request of memory", "lacks the right to list limitranges", "(no, paris)", "the LimitRanges of namespace shop in berlin may not be listed"},
		},
		"no right to LimitRanges, and a pod that shows what they add": {
			floor: 12, change: func(t *testing.T, w world) {
				*w.paris = country(t, "paris", nodes(1), pod("a", "n0", "Running"))
				w.paris.Inside.NoLimits = map[string]string{"shop": "no"}
				leaveOut(w.paris, "memory")
			},
			want: []string{"share shop/web in berlin 8/8 ok", "share shop/web in paris 4/4 ok", "members shop/web 12/12 ok"}, verdict: preflight.OK,
		},
		"memory, and the nodes' number of pods": {
			floor: 30, change: func(t *testing.T, w world) {
				*w.berlin = country(t, "berlin", nodes(1), web("requests: {memory: 3Gi}"))
				*w.paris = country(t, "paris", nodes(1), web("requests: {cpu: 1m}"), strings.Repeat(strings.ReplaceAll(pod("x", "n0", "Running"), "app: web", "app: x"), 7))
			},
			want: []string{"share shop/web in berlin 20/10 short", "share shop/web in paris 10/10 ok", "members shop/web 30/23 short"}, verdict: preflight.Short,
			says: []string{"for lack of 30Gi memory"},
		},
		"one pod for each node": {
			floor: 6, change: func(t *testing.T, w world) {
				*w.berlin = country(t, "berlin", nodes(3), fmt.Sprintf(deployment, "web", oneCore, perNode))
			},
			want: []string{"share shop/web in berlin 4/3 warning", "share shop/web in paris 2/2 ok", "members shop/web 6/6 warning"}, verdict: preflight.OK,
			says: []string{"for lack of nodes without one of them (spread): add 1 more nodes"},
		},
		"no node is for them": {
			floor: 6, change: func(t *testing.T, w world) {
				*w.berlin = country(t, "berlin", nodes(3), fmt.Sprintf(deployment, "web", oneCore, "nodeSelector: {pool: none},"))
			},
			want: []string{"share shop/web in berlin 4/0 warning", "share shop/web in paris 2/2 ok", "members shop/web 6/6 warning"}, verdict: preflight.OK,
			says: []string{"for lack of nodes that are for them: no node is for them", "3 outside the pods' nodeSelector"},
		},
		"limits of a cluster": {
			floor: 12, change: func(_ *testing.T, w world) {
				w.scale.Spec.Clusters = []v1alpha1.FederatedCluster{{Name: "berlin", MaxReplicas: new(int32(7))}, {Name: "paris", MinReplicas: new(int32(1)), MaxReplicas: new(int32(4))}, {Name: "rome"}}
			},
			want: []string{"share shop/web in berlin 7/7 ok", "share shop/web in paris 4/4 ok", "members shop/web 12/11 short"}, verdict: preflight.Short,
			says: []string{"the maxReplicas of its clusters allow 11 of 12 replicas of shop/web together: raise them", "rome gets nothing of shop/web: there is no MemberCluster of that name"},
		},
		"the hub's HPA stops it": {
			floor: 70, change: func(t *testing.T, w world) {
				*w.berlin, *w.paris = country(t, "berlin", nodes(9)), country(t, "paris", nodes(9))
			},
			want:    []string{"maxReplicas shop/web 70/60 short", "share shop/web in berlin 47/47 ok", "share shop/web in paris 23/23 ok", "members shop/web 70/70 ok"},
			verdict: preflight.Short, says: []string{"state maxReplicas: 70 in the window"},
		},
		"a member in doubt has what it has": {
			floor: 15, change: func(_ *testing.T, w world) {
				w.berlin.Status.State = v1alpha1.MemberSuspect
				w.berlin.Status.Health = &v1alpha1.MemberHealth{Proven: true}
				unknown(w.berlin, "it is Suspect")
			},
			want: []string{"share shop/web in berlin 10/3 unknown", "share shop/web in paris 5/5 ok", "members shop/web 15/11 unknown"}, verdict: preflight.Unknown,
			says: []string{"it is not known whether 7 more replicas of shop/web fit in berlin, which counts as full: it is Suspect", "4 of 15 replicas of shop/web fit nowhere"},
		},
		"a failed member has nothing": {
			floor: 6, change: func(_ *testing.T, w world) {
				w.paris.Status.State = v1alpha1.MemberFailed
				unknown(w.paris, "it is Failed")
			},
			want: []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/0 unknown", "members shop/web 6/6 warning"}, verdict: preflight.Unknown,
		},
		"a failed member keeps what it has": {
			floor: 9, change: func(_ *testing.T, w world) {
				w.scale.Spec.Failover.Mode = v1alpha1.FailoverNever
				w.paris.Status.State = v1alpha1.MemberFailed
				unknown(w.paris, "it is Failed")
			},
			want: []string{"share shop/web in berlin 7/7 ok", "share shop/web in paris 2/0 unknown", "members shop/web 9/7 short"}, verdict: preflight.Short,
			says: []string{"paris's 2 replicas of shop/web are lost and do not move"},
		},
		"no right to the kubeconfigs": {
			floor: 15, change: func(_ *testing.T, w world) {
				w.Unread["secrets"] = "plimsoll-members"
				unknown(w.berlin, members.ErrNoRight.Error())
				unknown(w.paris, members.ErrNoRight.Error())
			},
			want:    []string{"members all / unknown", "share shop/web in berlin 10/3 unknown", "share shop/web in paris 5/2 unknown", "members shop/web 15/5 unknown"},
			verdict: preflight.Unknown, says: []string{"the right to get secrets in namespace plimsoll-members", "kubectl auth can-i get secrets -n plimsoll-members"},
		},
		"no right to the MemberClusters": {
			floor: 15, change: func(_ *testing.T, w world) { w.Members, w.Unread["memberclusters"] = nil, "forbidden" },
			want: []string{"members all / unknown"}, verdict: preflight.Unknown, says: []string{"kubectl auth can-i list memberclusters"},
		},
		"without a cluster": {
			floor: 15, change: func(_ *testing.T, w world) { w.Members = nil },
			want: []string{"members all / unknown"}, verdict: preflight.Unknown, says: []string{"no member clusters are known"},
		},
		"a member is lost": {
			floor: 8, lose: "berlin", want: []string{"share shop/web in paris 8/8 ok", "members shop/web 8/8 ok"}, verdict: preflight.OK, says: []string{"berlin is taken for lost"},
		},
		"a member is lost and missed": {
			floor: 12, lose: "berlin", want: []string{"share shop/web in paris 12/8 short", "members shop/web 12/8 short"}, verdict: preflight.Short, says: []string{"4 of 12 replicas of shop/web fit nowhere"},
		},
		"a member is lost with its replicas": {
			floor: 6, lose: "berlin", change: func(_ *testing.T, w world) { w.scale.Spec.Failover.Mode = v1alpha1.FailoverNever },
			want: []string{"share shop/web in berlin 4/0 short", "share shop/web in paris 2/2 ok", "members shop/web 6/2 short"}, verdict: preflight.Short,
			says: []string{"berlin's 4 replicas of shop/web are lost and do not move, because failover.mode is Never"},
		},
		"a member is drained": {
			floor: 6, change: func(_ *testing.T, w world) { w.berlin.Spec.Drain = true },
			want: []string{"share shop/web in paris 6/6 ok", "members shop/web 6/6 ok"}, verdict: preflight.OK, says: []string{"because it is being drained"},
		},
		"the workload is not there": {
			floor: 6, change: func(_ *testing.T, w world) {
				w.berlin.Inside.Targets["shop/web"] = nil
				w.berlin.Inside.NoTarget["shop/web"] = fmt.Errorf("there is no Deployment web in namespace shop: %w", members.ErrNotThere)
			},
			want: []string{"share shop/web in paris 6/6 ok", "members shop/web 6/6 ok"}, verdict: preflight.OK, says: []string{"berlin gets nothing of shop/web: there is no Deployment web"},
		},
		"a workload of another kind": {
			floor: 6, change: func(_ *testing.T, w world) {
				w.berlin.Inside.Targets["shop/web"] = nil
				w.berlin.Inside.NoTarget["shop/web"] = errors.New("the pods of a Rollout are not known")
			},
			want: []string{"share shop/web in berlin 4/3 unknown", "share shop/web in paris 2/2 ok", "members shop/web 6/6 warning"}, verdict: preflight.Unknown, says: []string{"the pods of a Rollout are not known"},
		},
		"an HPA of the member scales it": {
			floor: 12, change: func(t *testing.T, w world) {
				*w.berlin = country(t, "berlin", nodes(1), shopHPA(20))
			},
			want:    []string{"target shop/web / short", "share shop/web in berlin 4/4 ok", "share shop/web in paris 8/8 ok", "members shop/web 12/12 ok"},
			verdict: preflight.Short, says: []string{"in berlin the HPA web scales the Deployment web"},
		},
		"bounds of the members' own HPAs": {
			floor: 9, change: func(_ *testing.T, w world) {
				w.scale.Spec.Divide = v1alpha1.DivideBounds
				for i, m := range []*preflight.Member{w.berlin, w.paris} {
					m.Inside.Targets["shop/web"].HPA = &read(t, sale("minReplicas: 1"), shopHPA(5+i)).HPAs[0]
				}
			},
			want: []string{"share shop/web in berlin 5/5 ok", "share shop/web in paris 4/4 ok", "members shop/web 9/9 ok"}, verdict: preflight.OK,
		},
		"not divided yet: weights are what fits": {
			floor: 9, change: func(t *testing.T, w world) {
				w.scale.Status = v1alpha1.FederatedScaleStatus{}
				*w.paris = country(t, "paris", nodes(2))
			},
			want: []string{"share shop/web in berlin 3/3 ok", "share shop/web in paris 6/6 ok", "members shop/web 9/9 ok"}, verdict: preflight.OK,
		},
		"an operator's weights": {
			floor: 6, change: func(_ *testing.T, w world) { w.berlin.Spec.Weight, w.paris.Spec.Weight = new(int32(1)), new(int32(2)) },
			want: []string{"share shop/web in berlin 2/2 ok", "share shop/web in paris 4/4 ok", "members shop/web 6/6 ok"}, verdict: preflight.OK,
		},
		"only observing": {
			floor: 6, change: func(_ *testing.T, w world) { w.scale.Spec.Mode = v1alpha1.ModeObserve },
			want:    []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok", "target shop/web / short"},
			verdict: preflight.Short, says: []string{"set mode: Enforce before the event"},
		},
		"paused": {
			floor: 6, change: func(_ *testing.T, w world) { w.scale.Annotations = map[string]string{"plimsoll.dev/paused": "true"} },
			want:    []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok", "target shop/web / short"},
			verdict: preflight.Short, says: []string{"the FederatedScale shop/web is paused", "remove the annotation plimsoll.dev/paused before the event"},
		},
		"its namespace is paused": {
			floor: 6, change: func(t *testing.T, w world) {
				w.Paused = read(t, sale("minReplicas: 1"), "\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {plimsoll.dev/paused: \"true\"}}\n---").Paused
			},
			want:    []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok", "target shop/web / short"},
			verdict: preflight.Short, says: []string{"namespace shop is paused", "remove its annotation plimsoll.dev/paused before the event"},
		},
		"another namespace is paused": {
			floor: 6, change: func(_ *testing.T, w world) { w.Paused["live"], w.Paused["shop"] = true, false },
			want:    []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok"},
			verdict: preflight.OK,
		},
		"no right to the namespace": {
			floor: 6, change: func(_ *testing.T, w world) { w.Unread["namespaces"] = "forbidden" },
			want:    []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok", "target shop/web / unknown"},
			verdict: preflight.Unknown, says: []string{"whether namespace shop is paused is not known (forbidden)", "kubectl auth can-i get namespaces"},
		},
		"an older FederatedScale has the target": {
			floor: 6, change: func(_ *testing.T, w world) {
				w.scale.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: v1alpha1.FederatedTargetTaken, Message: "FederatedScale old has it: delete one of them."}}
			},
			want:    []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok", "target shop/web / short"},
			verdict: preflight.Short, says: []string{"the FederatedScale shop/web may not write: FederatedScale old has it: delete one of them.\n"},
		},
		"something else is more urgent": {
			floor: 6, change: func(_ *testing.T, w world) {
				w.scale.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: v1alpha1.FederatedWrongMetricType, Message: "cpu"}}
				w.scale.Status.Notes = []v1alpha1.FederatedNote{{Reason: v1alpha1.FederatedWrongMetricType, Message: "cpu"}, {Reason: v1alpha1.FederatedTargetTaken, Message: "delete one of them"}}
			},
			want:    []string{"share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok", "target shop/web / short"},
			verdict: preflight.Short, says: []string{"may not write: delete one of them"},
		},
		"another one that the event does not name rests": {
			floor: 6, change: func(t *testing.T, w world) {
				other := read(t, fmt.Sprintf(event, "other", "targetRef: {name: cart}", "minReplicas: 2, rampUp: 30m"), hubHPA("cart", 20))
				w.Schedules, w.HPAs, w.Scales = other.Event, append(w.HPAs, other.HPAs...), append(w.Scales, scale("cart"))
				w.Scales[1].Spec.Mode = v1alpha1.ModeObserve
			},
			want:    []string{"target shop/cart / warning", "share shop/web in berlin 4/4 ok", "share shop/web in paris 2/2 ok", "members shop/web 6/6 ok"},
			verdict: preflight.OK,
		},
		"the hub is a member, and has workloads of its own": {
			floor: 12, change: func(t *testing.T, w world) {
				own := read(t, fmt.Sprintf(event, "sale", "targetRef: {name: cart}", "minReplicas: 5, rampUp: 30m"), fmt.Sprintf(hpa, "cart", 20), fmt.Sprintf(deployment, "cart", oneCore, ""), nodes(1))
				w.Event, w.HPAs, w.Workloads, w.Nodes = append(w.Event, own.Event...), append(w.HPAs, own.HPAs...), own.Workloads, own.Nodes
				w.Nodes[0].UID, w.berlin.Inside.Nodes[0].UID = "a", "a"
			},
			want: []string{
				"maxReplicas shop/cart 5/20 ok", "nodes shop/cart 5/5 ok", "share shop/web in berlin 8/3 short", "share shop/web in paris 4/4 ok", "members shop/web 12/11 short",
			}, verdict: preflight.Short,
		},
		"another event of the hub competes": {
			floor: 12, change: func(t *testing.T, w world) {
				other := read(t, fmt.Sprintf(event, "other", "targetRef: {name: cart}", "minReplicas: 6, rampUp: 30m"), hubHPA("cart", 20))
				w.Schedules, w.HPAs, w.Scales = other.Event, append(w.HPAs, other.HPAs...), append(w.Scales, scale("cart"))
			},
			want: []string{
				"share shop/cart in berlin 4/3 warning", "members shop/cart 6/6 warning", "share shop/web in berlin 8/5 short", "share shop/web in paris 4/4 ok", "members shop/web 12/10 short",
			}, verdict: preflight.Short, says: []string{"2 of 12 replicas of shop/web fit nowhere"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{World: read(t, spanning(tc.floor))}
			w.Scales = []v1alpha1.FederatedScale{scale("web")}
			w.Members = []preflight.Member{country(t, "berlin", nodes(1)), country(t, "paris", nodes(1))}
			w.scale, w.berlin, w.paris = &w.Scales[0], &w.Members[0], &w.Members[1]
			if tc.change != nil {
				tc.change(t, w)
			}
			r, err := preflight.Examine(w.World, preflight.Options{Now: now, For: time.Hour, Lose: tc.lose})
			require.NoError(t, err)
			got := states(r)
			got = slices.DeleteFunc(got, func(s string) bool { return s == fmt.Sprintf("maxReplicas shop/web %d/60 ok", tc.floor) })
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.verdict, r.Verdict)
			moves := slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "members") && strings.HasSuffix(s, "warning") })
			var out bytes.Buffer
			require.NoError(t, r.WriteTable(&out))
			require.Equal(t, tc.verdict == preflight.OK && !moves, strings.Contains(out.String(), "It fits."))
			require.Equal(t, tc.verdict == preflight.OK && moves, strings.Contains(out.String(), "It fits, but not as divided"))
			for _, part := range tc.says {
				require.Contains(t, out.String(), part)
			}
			data, err := json.Marshal(r)
			require.NoError(t, err)
			require.Equal(t, len(w.Members) > 0, strings.Contains(string(data), `"divisions":[{"target":"shop/web","federatedScale":"shop/web"`))
		})
	}
}

// What is listed in members is what manifests/member lets the hub's account list.
func TestRightsInMembers(t *testing.T) {
	objects, err := manifests.Render("member")
	require.NoError(t, err)
	granted := map[string]bool{}
	for _, object := range objects {
		if object.GetKind() != "ClusterRole" || object.GetName() != "plimsoll-hub" {
			continue
		}
		role := &rbacv1.ClusterRole{}
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role))
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				granted[resource] = granted[resource] || slices.Contains(rule.Verbs, "list")
			}
		}
	}
	for _, resource := range []string{"nodes", "pods", "resourcequotas", "limitranges", "deployments", "statefulsets", "horizontalpodautoscalers"} {
		require.True(t, granted[resource], resource)
	}
}

// The schedule may name the FederatedScale itself; what is not divided is looked at in the hub.
func TestMembersWithoutAnHPA(t *testing.T) {
	w := read(t, fmt.Sprintf(event, "sale", "targetRef: {apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, name: web}", "minReplicas: 15, rampUp: 30m"),
		"\napiVersion: plimsoll.dev/v1alpha1\nkind: FederatedScale\nmetadata: {name: web, namespace: shop}\nspec: {mode: Enforce, clusters: [{name: berlin, maxReplicas: 6}, {name: paris}]}\n---",
		fmt.Sprintf(event, "shop", "targetRef: {name: cart}", "minReplicas: 12, rampUp: 30m"), fmt.Sprintf(hpa, "cart", 60), fmt.Sprintf(deployment, "cart", oneCore, ""), nodes(1))
	w.Members = []preflight.Member{country(t, "berlin", nodes(1)), country(t, "paris", nodes(1))}
	r, err := preflight.Examine(w, preflight.Options{Now: now, For: time.Hour})
	require.NoError(t, err)
	require.Equal(t, []string{
		"maxReplicas shop/cart 12/60 ok", "replicas shop/web 15/no HPA ok", "nodes shop/cart 12/8 short",
		"share shop/web in berlin 6/6 ok", "share shop/web in paris 9/8 short", "members shop/web 15/14 short",
	}, states(r))
	_, err = preflight.Examine(w, preflight.Options{Now: now, For: time.Hour, Lose: "rome"})
	require.ErrorContains(t, err, "there is no MemberCluster rome; there are: [berlin paris]")
	_, err = preflight.Examine(read(t, sale("minReplicas: 12"), shopHPA(20), web(oneCore)), preflight.Options{Now: now, For: time.Hour, Lose: "rome"})
	require.ErrorContains(t, err, "for no workload that is divided")
	w.Scales[0].Spec.Clusters = append(w.Scales[0].Spec.Clusters, w.Scales[0].Spec.Clusters[0])
	_, err = preflight.Examine(w, preflight.Options{Now: now, For: time.Hour})
	require.ErrorContains(t, err, "named twice")
}
