// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	utilrand "k8s.io/apimachinery/pkg/util/rand"
)

// hashLabel has the hash of a Deployment's template, which ends its ReplicaSet's name.
const hashLabel = appsv1.DefaultDeploymentUniqueLabelKey

// newNode is a copy of the model's.
func (c *Cluster) newNode(i int) *corev1.Node {
	n := c.options.Model.Node.DeepCopy()
	n.TypeMeta = metav1.TypeMeta{Kind: "Node", APIVersion: "v1"}
	n.Name, n.UID = fmt.Sprintf("%s-node-%d", c.options.Name, i), uuid.NewUUID()
	if n.Labels[corev1.LabelHostname] != "" {
		n.Labels[corev1.LabelHostname] = n.Name
	}
	return n
}

// newDeployment is a copy of the model's, without replicas.
func (c *Cluster) newDeployment(key types.NamespacedName) *appsv1.Deployment {
	d := c.options.Model.Deployment.DeepCopy()
	d.TypeMeta = metav1.TypeMeta{Kind: "Deployment", APIVersion: appsv1.SchemeGroupVersion.String()}
	d.Namespace, d.Name, d.UID, d.Generation = key.Namespace, key.Name, uuid.NewUUID(), 1
	d.CreationTimestamp = metav1.Now().Rfc3339Copy()
	d.Spec.Replicas = new(int32)
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": key.Name}}
	d.Spec.Template.Labels = map[string]string{"app": key.Name}
	d.Status.ObservedGeneration, d.Status.Replicas, d.Status.ReadyReplicas, d.Status.AvailableReplicas = 1, 0, 0, 0
	d.Status.UpdatedReplicas, d.Status.UnavailableReplicas = 0, 0
	return d
}

// newPod is a copy of the model's as it is before it has a node.
func (c *Cluster) newPod(d *appsv1.Deployment) *corev1.Pod {
	p := c.options.Model.Pod.DeepCopy()
	hash := p.Labels[hashLabel]
	set := d.Name + "-" + hash
	p.TypeMeta = metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}
	p.Namespace, p.Name, p.UID, p.GenerateName = d.Namespace, set+"-"+utilrand.String(5), uuid.NewUUID(), set+"-"
	p.Labels = map[string]string{"app": d.Name, hashLabel: hash}
	p.CreationTimestamp = metav1.Now().Rfc3339Copy()
	p.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "ReplicaSet", Name: set, UID: d.UID, Controller: new(true), BlockOwnerDeletion: new(true),
	}}
	p.Spec.NodeName, p.Status = "", corev1.PodStatus{Phase: corev1.PodPending, QOSClass: p.Status.QOSClass}
	return p
}

// podmaker makes and ends the pods of Deployments, all in one goroutine: what controllers, a scheduler and kubelets do.
type podmaker struct {
	c     *Cluster
	steps chan func()
	of    map[types.NamespacedName]map[types.NamespacedName]*corev1.Pod // a Deployment's pods, as they were made
	next  int                                                           // the node that gets the next
}

// heartbeat is how often a kubelet writes its node's status when nothing has changed.
const heartbeat = 5 * time.Minute

// beat writes the status of one node after the other, for ever.
func (m *podmaker) beat(i int) {
	name := types.NamespacedName{Name: fmt.Sprintf("%s-node-%d", m.c.options.Name, i%m.c.options.Nodes)}
	m.c.store.update("nodes", name, func(object client.Object) bool {
		n := object.(*corev1.Node)
		for i := range n.Status.Conditions {
			n.Status.Conditions[i].LastHeartbeatTime = metav1.Now().Rfc3339Copy()
		}
		return true
	})
	m.after(heartbeat/time.Duration(m.c.options.Nodes), func() { m.beat(i + 1) })
}

func newPodmaker(c *Cluster) *podmaker {
	return &podmaker{c: c, steps: make(chan func()), of: map[types.NamespacedName]map[types.NamespacedName]*corev1.Pod{}}
}

func (m *podmaker) run() {
	if m.c.options.Nodes > 0 {
		m.after(heartbeat/time.Duration(m.c.options.Nodes), func() { m.beat(0) })
	}
	for {
		select {
		case <-m.c.life.Done():
			return
		case step := <-m.steps:
			step()
		}
	}
}

// after has a step done later, unless the stub ends before.
func (m *podmaker) after(d time.Duration, step func()) {
	time.AfterFunc(d, func() {
		select {
		case <-m.c.life.Done():
		case m.steps <- step:
		}
	})
}

// wake says that a Deployment's scale has changed.
func (m *podmaker) wake(key types.NamespacedName) { m.after(0, func() { m.adjust(key) }) }

// adjust makes what is missing and ends what is too much: those first that are not Ready, then the youngest.
func (m *podmaker) adjust(key types.NamespacedName) {
	d, ok := m.c.store.get("deployments", key).(*appsv1.Deployment)
	if !ok {
		return
	}
	if m.of[key] == nil {
		m.of[key] = map[types.NamespacedName]*corev1.Pod{}
	}
	pods := m.of[key]
	for missing := int(*d.Spec.Replicas) - len(pods); missing > 0; missing-- {
		m.create(d, pods)
	}
	if surplus := len(pods) - int(*d.Spec.Replicas); surplus > 0 {
		order := slices.SortedFunc(maps.Keys(pods), func(a, b types.NamespacedName) int {
			return cmp.Or(cmp.Compare(m.ready(a), m.ready(b)), pods[b].CreationTimestamp.Compare(pods[a].CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
		})
		for _, name := range order[:surplus] {
			m.c.store.remove("pods", name)
			delete(pods, name)
		}
	}
	m.report(key)
}

// ready is 1 for a Ready pod, 0 for others.
func (m *podmaker) ready(key types.NamespacedName) int {
	p, ok := m.c.store.get("pods", key).(*corev1.Pod)
	if ok && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	}) {
		return 1
	}
	return 0
}

func (m *podmaker) create(d *appsv1.Deployment, pods map[types.NamespacedName]*corev1.Pod) {
	pod, deployment := m.c.newPod(d), client.ObjectKeyFromObject(d)
	key := client.ObjectKeyFromObject(pod)
	pods[key] = pod
	m.c.store.put("pods", pod)
	m.next++
	node := fmt.Sprintf("%s-node-%d", m.c.options.Name, m.next%max(m.c.options.Nodes, 1))
	scheduled := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: pod.CreationTimestamp}
	m.c.store.update("pods", key, func(object client.Object) bool {
		p := object.(*corev1.Pod)
		p.Spec.NodeName, p.Status.Conditions = node, []corev1.PodCondition{scheduled}
		return true
	})
	m.after(m.c.options.PodDelay, func() {
		m.c.store.update("pods", key, func(object client.Object) bool {
			p := object.(*corev1.Pod)
			p.Status = *m.c.options.Model.Pod.Status.DeepCopy()
			now := metav1.Now().Rfc3339Copy()
			for i := range p.Status.Conditions {
				p.Status.Conditions[i].LastTransitionTime = now
			}
			return true
		})
		m.report(deployment)
	})
}

// report writes a Deployment's status if it is new.
func (m *podmaker) report(key types.NamespacedName) {
	ready := int32(0)
	for name := range m.of[key] {
		ready += int32(m.ready(name))
	}
	all := int32(len(m.of[key]))
	m.c.store.update("deployments", key, func(object client.Object) bool {
		d := object.(*appsv1.Deployment)
		s := &d.Status
		if s.ObservedGeneration == d.Generation && s.Replicas == all && s.ReadyReplicas == ready {
			return false
		}
		s.ObservedGeneration, s.Replicas, s.UpdatedReplicas = d.Generation, all, all
		s.ReadyReplicas, s.AvailableReplicas, s.UnavailableReplicas = ready, ready, max(*d.Spec.Replicas-ready, 0)
		return true
	})
}
