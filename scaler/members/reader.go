// SPDX-License-Identifier: Apache-2.0

package members

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// partlyCached reads from the caches what they have, and asks for everything else: a question about one object must not
// begin to watch all of its kind, for which there may be no right.
type partlyCached struct {
	client.Client
	cached client.Reader
}

// Get implements client.Reader.
func (c partlyCached) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	switch object.(type) {
	case *corev1.Node, *corev1.Pod, *corev1.ResourceQuota, *appsv1.Deployment, *appsv1.StatefulSet, *autoscalingv2.HorizontalPodAutoscaler:
		return c.cached.Get(ctx, key, object, options...)
	}
	return c.Client.Get(ctx, key, object, options...)
}

// List implements client.Reader.
func (c partlyCached) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	switch list.(type) {
	case *corev1.NodeList, *corev1.PodList, *corev1.ResourceQuotaList, *appsv1.DeploymentList, *appsv1.StatefulSetList, *autoscalingv2.HorizontalPodAutoscalerList:
		return c.cached.List(ctx, list, options...)
	}
	return c.Client.List(ctx, list, options...)
}
