// SPDX-License-Identifier: Apache-2.0

package stack_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/plimsoll/plimsoll/cmd/stack"
)

// requireMetadataOnly checks that the scalers' account, which may patch workloads for the sake of their annotations, may
// not change what they run. An administrator still may.
func requireMetadataOnly(t *testing.T, s *stack.Stack, kubeconfig string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	account, admin := kubernetes.NewForConfigOrDie(config), kubernetes.NewForConfigOrDie(s.RESTConfig)
	labels := map[string]string{"app": "guarded"}
	shop := metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "guarded", Labels: labels}
	pods := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
	pods.Spec.Containers = []corev1.Container{{Name: "shop", Image: "shop"}}
	_, err = admin.AppsV1().Deployments(shop.Namespace).Create(t.Context(), &appsv1.Deployment{ObjectMeta: shop,
		Spec: appsv1.DeploymentSpec{Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: pods}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = admin.AppsV1().StatefulSets(shop.Namespace).Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: shop,
		Spec: appsv1.StatefulSetSpec{Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: pods}}, metav1.CreateOptions{})
	require.NoError(t, err)
	patch := func(by *kubernetes.Clientset, resource, text string) error {
		return by.AppsV1().RESTClient().Patch(types.MergePatchType).Namespace(shop.Namespace).Resource(resource).Name(shop.Name).
			Body([]byte(text)).Do(t.Context()).Error()
	}
	const annotation = `{"metadata":{"annotations":{"plimsoll.dev/base":"{}"},"labels":{"plimsoll.dev/held":"true"}}}`
	for _, resource := range []string{"deployments", "statefulsets"} {
		for _, test := range []struct{ text, says string }{
			{`{"spec":{"template":{"spec":{"containers":[{"name":"shop","image":"evil"}]}}}}`, "nothing else of its spec"},
			{`{"spec":{"template":{"spec":{"serviceAccountName":"admin"}}}}`, "nothing else of its spec"},
			{`{"spec":{"replicas":1}}`, "through the scale subresource"},
			{`{"metadata":{"finalizers":["example.com/never"]}}`, "owners and finalizers"},
			{`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"1"}]}}`, "owners and finalizers"},
		} {
			// A policy that is new is in force a moment later.
			require.Eventually(t, func() bool { err = patch(account, resource, test.text); return err != nil }, 4*time.Minute, 50*time.Millisecond, test.text)
			require.True(t, apierrors.IsInvalid(err) || apierrors.IsForbidden(err), "%v", err)
			require.ErrorContains(t, err, test.says)
		}
		require.NoError(t, patch(account, resource, annotation))
		require.NoError(t, patch(admin, resource, `{"spec":{"template":{"spec":{"containers":[{"name":"shop","image":"newer"}]}}}}`))
	}
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}, Spec: autoscalingv1.ScaleSpec{Replicas: 2}}
	_, err = account.AppsV1().Deployments(shop.Namespace).UpdateScale(t.Context(), shop.Name, scale, metav1.UpdateOptions{})
	require.NoError(t, err)
}
