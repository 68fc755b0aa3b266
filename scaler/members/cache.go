// SPDX-License-Identifier: Apache-2.0

package members

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// HeadroomNamespace is where, in a member, the pods and buffers of the reserve are, and nothing else.
const HeadroomNamespace = capacity.HeadroomNamespace

// cacheOptions keep of an object what is used: a member has many pods, and each of them is large.
func cacheOptions() cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Node{}: {Transform: trimNode},
			&corev1.Pod{}:  {Transform: trimPod},
			// Whose bounds they were is in managedFields.
			&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: func(object any) (any, error) { return object, nil }},
			&appsv1.Deployment{}:                     {},
			&appsv1.StatefulSet{}:                    {},
			&corev1.ResourceQuota{}:                  {},
		},
	}
}

// trimNode keeps what a node offers, who may run on it, and whether it is Ready.
func trimNode(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil // the cache's mark for an object whose deletion was missed
	}
	return &corev1.Node{
		TypeMeta: node.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion, Labels: node.Labels,
			CreationTimestamp: node.CreationTimestamp, DeletionTimestamp: node.DeletionTimestamp,
		},
		Spec: corev1.NodeSpec{Taints: node.Spec.Taints, Unschedulable: node.Spec.Unschedulable, ProviderID: node.Spec.ProviderID},
		Status: corev1.NodeStatus{
			Allocatable: node.Status.Allocatable,
			Conditions:  only(node.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady }),
			NodeInfo:    corev1.NodeSystemInfo{KubeletVersion: node.Status.NodeInfo.KubeletVersion},
		},
	}, nil
}

// trimPod keeps whose a pod is, where it runs, what it requests, and whether it is Ready or waits.
func trimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	spec := corev1.PodSpec{
		NodeName: pod.Spec.NodeName, Overhead: pod.Spec.Overhead, Resources: pod.Spec.Resources,
		Priority: pod.Spec.Priority, PriorityClassName: pod.Spec.PriorityClassName,
		Containers: requestsOnly(pod.Spec.Containers), InitContainers: requestsOnly(pod.Spec.InitContainers),
	}
	return &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion, Labels: pod.Labels,
			CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp, OwnerReferences: pod.OwnerReferences,
		},
		Spec: spec,
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase,
			Conditions: only(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady || c.Type == corev1.PodScheduled
			}),
		},
	}, nil
}

func only[C any](all []C, keep func(C) bool) []C {
	var kept []C
	for _, one := range all {
		if keep(one) {
			kept = append(kept, one)
		}
	}
	return kept
}

// requestsOnly keep of containers what they request, and which of them restart always (sidecars).
func requestsOnly(all []corev1.Container) []corev1.Container {
	kept := make([]corev1.Container, 0, len(all))
	for i := range all {
		kept = append(kept, corev1.Container{
			Resources:     corev1.ResourceRequirements{Requests: all[i].Resources.Requests},
			RestartPolicy: all[i].RestartPolicy,
		})
	}
	return kept
}
