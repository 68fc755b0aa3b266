// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/health"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// young is how long what has not been Ready yet is no sign of failure: in a surge there are many such nodes and pods.
const young = 10 * time.Minute

// observe adds what the caches show.
func (p *prober) observe(m *Member, found *finding) {
	var nodes corev1.NodeList
	if err := m.List(p.ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
		klog.FromContext(p.ctx).V(2).Info("The nodes of a member are not known", "member", p.name, "err", err)
		return
	}
	var share health.Share
	share, p.memory.nodes = p.memory.nodes.share(nodes.Items, found.At)
	found.nodes = &share
	pods, err := p.c.podsShare(p.ctx, m, found.At)
	if err != nil {
		klog.FromContext(p.ctx).V(2).Info("The divided pods of a member are not known", "member", p.name, "err", err)
	} else {
		found.pods = &pods
	}
	if found.snapshot, err = m.snapshotOf(p.ctx, 0); err != nil {
		klog.FromContext(p.ctx).V(2).Info("The capacity of a member is not known", "member", p.name, "err", err)
	}
	found.version = p.askVersion(m)
}

// wereReady are the nodes that were seen Ready.
type wereReady map[types.UID]bool

// share is how many nodes are Ready. Left out are those that are new and have not been Ready yet, and those that are being
// deleted.
func (w wereReady) share(nodes []corev1.Node, at time.Time) (health.Share, wereReady) {
	share, seen := health.Share{At: at}, make(wereReady, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		isReady := capacity.Ready(n)
		if isReady || w[n.UID] {
			seen[n.UID] = true
		}
		switch {
		case isReady:
			share.Ready++
			share.Total++
		case n.DeletionTimestamp == nil && (seen[n.UID] || at.Sub(n.CreationTimestamp.Time) > young):
			share.Total++
		}
	}
	return share, seen
}

// workload names a workload in a member.
type workload struct{ kind, namespace, name string }

// divided are the workloads of a member that FederatedScales name.
func (c *fleetController) divided(ctx context.Context, m *Member) (map[workload]bool, error) {
	var scales v1alpha1.FederatedScaleList
	if err := c.client.List(ctx, &scales, client.UnsafeDisableDeepCopy); err != nil || len(scales.Items) == 0 {
		return nil, err
	}
	all, hpas := map[workload]bool{}, false
	for i := range scales.Items {
		s := &scales.Items[i]
		if !names(s, m.name) {
			continue
		}
		plain, err := s.Compile()
		if _, here := plain.Clusters[m.name]; err != nil || plain.Clusters != nil && !here {
			continue // the controller of FederatedScales says what is wrong
		}
		all[workload{plain.Target.Kind, s.Namespace, plain.Target.Name}] = true
		hpas = hpas || plain.Bounds
	}
	if !hpas {
		return all, nil
	}
	var list autoscalingv2.HorizontalPodAutoscalerList
	if err := m.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range list.Items {
		if h := &list.Items[i]; all[workload{v1alpha1.DefaultTargetKind, h.Namespace, h.Name}] {
			all[workload{h.Spec.ScaleTargetRef.Kind, h.Namespace, h.Spec.ScaleTargetRef.Name}] = true
		}
	}
	return all, nil
}

// names says whether a FederatedScale may be divided over a member: most of many are not, and Compile costs more.
func names(s *v1alpha1.FederatedScale, member string) bool {
	return len(s.Spec.Clusters) == 0 || slices.ContainsFunc(s.Spec.Clusters, func(c v1alpha1.FederatedCluster) bool { return c.Name == member })
}

// podsShare is how many pods of the divided workloads are Ready in a member.
func (c *fleetController) podsShare(ctx context.Context, m *Member, at time.Time) (health.Share, error) {
	share := health.Share{At: at}
	divided, err := c.divided(ctx, m)
	if err != nil || len(divided) == 0 {
		return share, err
	}
	var deployments appsv1.DeploymentList
	var sets appsv1.StatefulSetList
	for _, list := range []client.ObjectList{&deployments, &sets} {
		if err := m.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return share, err
		}
	}
	add := func(w workload, replicas, ready int32, selector *metav1.LabelSelector) {
		if err != nil || !divided[w] {
			return
		}
		one := health.Share{Ready: int64(ready), Total: int64(replicas)}
		if ready < replicas {
			one, err = m.readyPods(ctx, w.namespace, selector, at)
		}
		share.Ready, share.Total = share.Ready+one.Ready, share.Total+one.Total
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		add(workload{"Deployment", d.Namespace, d.Name}, d.Status.Replicas, d.Status.ReadyReplicas, d.Spec.Selector)
	}
	for i := range sets.Items {
		s := &sets.Items[i]
		add(workload{"StatefulSet", s.Namespace, s.Name}, s.Status.Replicas, s.Status.ReadyReplicas, s.Spec.Selector)
	}
	return share, err
}

// readyPods is how many pods that a selector selects are Ready. Left out are those that have ended or end, and those that
// are new and have not been Ready yet.
func (m *Member) readyPods(ctx context.Context, namespace string, by *metav1.LabelSelector, at time.Time) (health.Share, error) {
	var share health.Share
	selector, err := metav1.LabelSelectorAsSelector(by)
	if err != nil || by == nil || selector.Empty() {
		return share, nil //nolint:nilerr // such a workload has no pods
	}
	var pods corev1.PodList
	if err := m.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}, client.UnsafeDisableDeepCopy); err != nil {
		return share, err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if capacity.Ended(pod) || pod.DeletionTimestamp != nil {
			continue
		}
		ready := condition(pod, corev1.PodReady)
		switch {
		case ready != nil && ready.Status == corev1.ConditionTrue:
			share.Ready++
			share.Total++
		case at.Sub(pod.CreationTimestamp.Time) > young || wasReady(pod, ready):
			share.Total++
		}
	}
	return share, nil
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &pod.Status.Conditions[i]
}

// startSlack is within what time after a pod got its node the kubelet says for the first time that it is not Ready.
const startSlack = 30 * time.Second

// wasReady: the pod's being not Ready is younger than its start, so that it was Ready between.
func wasReady(pod *corev1.Pod, ready *corev1.PodCondition) bool {
	scheduled := condition(pod, corev1.PodScheduled)
	return ready != nil && scheduled != nil && scheduled.Status == corev1.ConditionTrue &&
		ready.LastTransitionTime.Sub(scheduled.LastTransitionTime.Time) > startSlack
}
