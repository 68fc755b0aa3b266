// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/democlusters/report"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// patience is how long one API server may take to answer.
const patience = 3 * time.Second

// observation is a sample with what the hub says in words.
type observation struct {
	report.Sample
	said    string // the reason of the FederatedScale
	message string
	missing string // what the day cannot begin without; "": nothing
}

// observe asks all API servers at once. That a member does not answer belongs to the observation; that the hub does not is
// an error.
func (s *stage) observe(ctx context.Context) (observation, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type answer struct {
		name string
		seen report.Member
	}
	answers := make(chan answer, len(s.members))
	for name, m := range s.members {
		go func() { answers <- answer{name, m.observe(ctx)} }()
	}
	seen := observation{Sample: report.Sample{Members: map[string]report.Member{}}}
	err := s.observeHub(ctx, &seen)
	for range s.members {
		one := <-answers
		m := seen.Members[one.name]
		m.Answers, m.Replicas, m.Ready, m.Nodes, m.Room = one.seen.Answers, one.seen.Replicas, one.seen.Ready, one.seen.Nodes, one.seen.Room
		seen.Members[one.name] = m
	}
	return seen, err
}

// observe says what a member's own API server says.
func (m *member) observe(ctx context.Context) report.Member {
	var d appsv1.Deployment
	var list corev1.NodeList
	var reserve corev1.PodList
	if m.client.Get(ctx, types.NamespacedName{Namespace: divided, Name: shop}, &d) != nil ||
		m.client.List(ctx, &list) != nil || m.client.List(ctx, &reserve, client.InNamespace(headroomNamespace)) != nil {
		return report.Member{}
	}
	return report.Member{
		Answers: true, Replicas: int(*d.Spec.Replicas), Ready: int(d.Status.ReadyReplicas), Nodes: len(list.Items), Room: held(reserve.Items),
	}
}

// headroomNamespace has the pods of the reserve, and nothing else.
const headroomNamespace = "plimsoll-headroom"

// held is what pods that have a node hold there, in thousandths of a cpu.
func held(pods []corev1.Pod) int {
	n := int64(0)
	for i := range pods {
		if pods[i].Spec.NodeName == "" || pods[i].DeletionTimestamp != nil {
			continue
		}
		for _, c := range pods[i].Spec.Containers {
			n += c.Resources.Requests.Cpu().MilliValue()
		}
	}
	return int(n)
}

// observeHub says what the hub thinks.
func (s *stage) observeHub(ctx context.Context, seen *observation) error {
	var scale v1alpha1.FederatedScale
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	var clusters v1alpha1.MemberClusterList
	var reserve v1alpha1.Headroom
	var d appsv1.Deployment
	for _, ask := range []func() error{
		func() error { return s.hub.Get(ctx, types.NamespacedName{Namespace: divided, Name: shop}, &scale) },
		func() error { return s.hub.List(ctx, &hpas) },
		func() error { return s.hub.List(ctx, &clusters) },
		func() error { return s.hub.Get(ctx, types.NamespacedName{Name: "reserve"}, &reserve) },
		func() error { return s.hub.Get(ctx, client.ObjectKey{Namespace: alone, Name: shop}, &d) },
	} {
		if err := ask(); err != nil {
			return fmt.Errorf("ask the hub: %w", err)
		}
	}
	seen.Desired = int(*scale.Spec.Replicas)
	seen.Alone = report.Shop{Desired: int(*d.Spec.Replicas), Ready: int(d.Status.ReadyReplicas)}
	for _, c := range scale.Status.Conditions {
		seen.said, seen.message = c.Reason, c.Message
	}
	for i := range clusters.Items {
		c := &clusters.Items[i]
		m := seen.Members[c.Name]
		m.State = string(c.Status.State)
		seen.Members[c.Name] = m
	}
	for i := range scale.Status.Clusters {
		row := &scale.Status.Clusters[i]
		m := seen.Members[row.Name]
		m.Goal, m.Away = int(row.Goal), row.Away
		seen.Members[row.Name] = m
	}
	seen.missing = missing(seen, hpas.Items, &reserve)
	return nil
}

// missing is what the day cannot begin without.
func missing(seen *observation, hpas []autoscalingv2.HorizontalPodAutoscaler, reserve *v1alpha1.Headroom) string {
	for i := range hpas {
		if s := hpas[i].Status; len(s.CurrentMetrics) == 0 || s.CurrentMetrics[0].External == nil || s.CurrentMetrics[0].External.Current.AverageValue == nil {
			return "the HPA in " + hpas[i].Namespace + " does not read online_users yet"
		}
	}
	for _, name := range names() {
		if seen.Members[name].State != string(v1alpha1.MemberHealthy) {
			return "the members have to prove themselves for a minute before they are Healthy"
		}
	}
	for i := range reserve.Status.Conditions {
		if c := &reserve.Status.Conditions[i]; c.Reason != v1alpha1.HeadroomHeld {
			return "the reserve is being made: " + c.Message
		}
	}
	if seen.said != v1alpha1.FederatedDivided || seen.Desired < quietUsers/100 || seen.Alone.Ready < quietUsers/100/aloneShare {
		return fmt.Sprintf("the shop is not yet divided: %s: %s", seen.said, seen.message)
	}
	return ""
}
