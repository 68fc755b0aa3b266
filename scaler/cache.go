// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// watched are the kinds whose caches must be filled before anything is decided. A standby fills them too, so that it can
// act as soon as it leads.
func watched() []client.Object {
	namespace := new(metav1.PartialObjectMetadata) // whether it is paused is in its annotations
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return []client.Object{
		&autoscalingv2.HorizontalPodAutoscaler{},
		&v1alpha1.ScaleSchedule{},
		&v1alpha1.ScaleForecast{},
		&v1alpha1.MemberCluster{},
		&v1alpha1.FederatedScale{},
		&v1alpha1.Headroom{},
		&corev1.Pod{},
		&corev1.Secret{},
		namespace,
	}
}

// cacheOptions keep of an object what is used, because a cluster has many pods and each of them is large. Secrets are those
// of one namespace, which has the members' kubeconfigs and nothing else.
func cacheOptions(secrets string) cache.Options {
	keep := func(object any) (any, error) { return object, nil }
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			// Whose bounds they were is in managedFields, and is needed to hand them back.
			&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: keep},
			&corev1.Pod{}:                            {Transform: trimPod},
			&corev1.Secret{}:                         {Namespaces: map[string]cache.Config{secrets: {}}},
		},
	}
}

// trimPod keeps what tells whose a pod is, whether it is Ready or waits for a node, and how long that took.
func trimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil // the cache's mark for an object whose deletion was missed
	}
	return &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
			Labels: pod.Labels, CreationTimestamp: pod.CreationTimestamp,
			DeletionTimestamp: pod.DeletionTimestamp, OwnerReferences: pod.OwnerReferences,
		},
		Spec:   corev1.PodSpec{NodeName: pod.Spec.NodeName},
		Status: corev1.PodStatus{Phase: pod.Status.Phase, Conditions: pod.Status.Conditions},
	}, nil
}
