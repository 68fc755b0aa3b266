// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/plimsoll/plimsoll/scaler/capacity"
)

// HeadroomNamespace is where, in a member, the pods and buffers of the reserve are, and nothing else.
const HeadroomNamespace = capacity.HeadroomNamespace

// cached are the kinds that are cached: all that a decision needs at once.
func cached() []client.Object {
	return []client.Object{
		&corev1.Node{}, &corev1.Pod{}, &corev1.ResourceQuota{}, &appsv1.Deployment{}, &appsv1.StatefulSet{},
		&autoscalingv2.HorizontalPodAutoscaler{},
	}
}

// knownKinds maps what is cached to its resources, so that a connection needs no discovery, which a member that hangs would
// delay.
func knownKinds(scheme *runtime.Scheme) (meta.RESTMapper, error) {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, object := range cached() {
		gvk, err := apiutil.GVKForObject(object, scheme)
		if err != nil {
			return nil, err
		}
		scope := meta.RESTScopeNamespace
		if gvk.Kind == "Node" {
			scope = meta.RESTScopeRoot
		}
		mapper.Add(gvk, scope)
	}
	return mapper, nil
}

// resources are the kinds that are cached, as they are called in paths.
func resources() []string {
	return []string{"nodes", "pods", "resourcequotas", "deployments", "statefulsets", "horizontalpodautoscalers"}
}

// cacheOptions keep of an object what is used: a member has many pods, and each of them is large. Errors of watching are
// no news to the log: the lookout has them, and the status says what is wrong with a member.
func cacheOptions() cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		DefaultWatchErrorHandler: func(ctx context.Context, r *toolscache.Reflector, err error) {
			klog.FromContext(ctx).V(4).Info("A member's objects are not watched at the moment", "type", r.TypeDescription(), "err", err)
		},
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Node{}: {Transform: trimNode},
			&corev1.Pod{}:  {Transform: trimPod},
			// Whose bounds they were is in managedFields.
			&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: func(object any) (any, error) { return object, nil }},
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

// trimPod keeps whose a pod is, where it runs, whether it is Ready or waits, and what it requests: as one container.
func trimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	return &corev1.Pod{
		TypeMeta: pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion, Labels: pod.Labels,
			CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp, OwnerReferences: pod.OwnerReferences,
		},
		Spec: corev1.PodSpec{
			NodeName: pod.Spec.NodeName, Priority: pod.Spec.Priority, PriorityClassName: pod.Spec.PriorityClassName,
			Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: requests(&pod.Spec)}}},
		},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase,
			Conditions: only(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady || c.Type == corev1.PodScheduled
			}),
		},
	}, nil
}

// requests are what a pod requests in all.
func requests(pod *corev1.PodSpec) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, amount := range capacity.Requests(pod) {
		if name == string(corev1.ResourceCPU) {
			list[corev1.ResourceCPU] = *resource.NewMilliQuantity(amount, resource.DecimalSI)
		} else {
			list[corev1.ResourceName(name)] = *resource.NewQuantity(amount, resource.BinarySI)
		}
	}
	return list
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
