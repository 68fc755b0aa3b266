// SPDX-License-Identifier: Apache-2.0

package clustertest

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// What is created in one cluster is not in the other, and one that is down does not stop the other.
func TestSeveralClusters(t *testing.T) {
	hub, member := Start(t), Start(t, "--nodes", "2")
	config, err := clientcmd.BuildConfigFromFlags("", member.Kubeconfig)
	require.NoError(t, err)
	require.Equal(t, config.Host, member.RESTConfig.Host)
	require.NotEqual(t, hub.RESTConfig.Host, member.RESTConfig.Host)

	require.NoError(t, member.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}))
	member.Create(t, "shop", `{apiVersion: plimsoll.dev/v1alpha1, kind: ScaleSchedule, metadata: {name: day},
  spec: {timeZone: UTC, targetRef: {name: shop}, windows: [{name: w, schedule: "0 19 * * *", duration: 1h, minReplicas: 2}]}}`)
	require.NoError(t, member.Client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: "day"}, &v1alpha1.ScaleSchedule{}))
	var list v1alpha1.ScaleScheduleList
	require.NoError(t, hub.Client.List(t.Context(), &list))
	require.Empty(t, list.Items)
	var nodes corev1.NodeList
	require.NoError(t, member.Client.List(t.Context(), &nodes))
	require.Len(t, nodes.Items, 2)

	member.Component(t, "kill", "kube-apiserver")
	require.Error(t, member.Client.List(t.Context(), &nodes))
	require.NoError(t, hub.Client.List(t.Context(), &nodes))
	member.Component(t, "start", "kube-apiserver")
	Eventually(t, "the member is back", func() error { return member.Client.List(t.Context(), &nodes) })
}
