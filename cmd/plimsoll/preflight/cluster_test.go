// SPDX-License-Identifier: Apache-2.0

package preflight_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/lint"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/preflight"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/target"
	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/manifests"
)

// Two nodes of 4 cores; 3 pods of 1 core, and 1 pod of 2 cores of somebody else: 3 cores are left.
const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: compute, namespace: shop}
spec: {hard: {requests.cpu: "9", pods: "50"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, resources: {requests: {cpu: "1"}}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: other}}
  template:
    metadata: {labels: {app: other}}
    spec: {containers: [{name: other, image: other, resources: {requests: {cpu: "2"}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  minReplicas: 3
  maxReplicas: 30
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ann, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]
`

// bound counts the pods of a namespace that are on a node, and those that found none.
func bound(t *testing.T, client kubernetes.Interface, namespace string) (placed, refused int) {
	pods, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, p := range pods.Items {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
				placed++
			} else if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
				refused++
			}
		}
	}
	return placed, refused
}

func eventually(t *testing.T, check func() bool) {
	t.Helper()
	require.NoError(t, wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 4*time.Minute, true, func(context.Context) (bool, error) { return check(), nil }))
}

// ask does what the command does.
func ask(t *testing.T, config *rest.Config, floor int) preflight.Result {
	cluster, err := target.Connect(config, "shop")
	require.NoError(t, err)
	files := []lint.File{{Name: "event.yaml", Text: []byte(sale(fmt.Sprintf("minReplicas: %d, rampUp: 30m", floor)))}}
	world, err := preflight.Read(files, "shop", now)
	require.NoError(t, err)
	require.NoError(t, world.Load(t.Context(), cluster.Client))
	r, err := preflight.Examine(world, preflight.Options{Now: now, For: 24 * time.Hour})
	require.NoError(t, err)
	return r
}

// What is said is what the real scheduler and the real quota then do.
func TestRealCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	var progress bytes.Buffer
	cluster, err := stack.StartCluster(t.Context(), stack.ClusterOptions{
		Name: "preflight", Dir: t.TempDir(), Nodes: 2, Arguments: []string{"--node-cpu", "4"}, Progress: &progress,
	})
	require.NoError(t, err, &progress)
	t.Cleanup(func() { require.NoError(t, cluster.Stop()) })
	client, err := kubernetes.NewForConfig(cluster.RESTConfig)
	require.NoError(t, err)
	require.NoError(t, cluster.ApplyYAML(t.Context(), shop))
	eventually(t, func() bool {
		placed, _ := bound(t, client, "shop")
		others, _ := bound(t, client, "default")
		quota, err := client.CoreV1().ResourceQuotas("shop").Get(t.Context(), "compute", metav1.GetOptions{})
		return err == nil && placed == 3 && others == 1 && quota.Status.Used.Pods().Value() == 3
	})

	t.Run("without Plimsoll in the cluster", func(t *testing.T) {
		require.Equal(t, []string{"maxReplicas shop/web 6/30 ok", "quota shop/compute pods 3/47 ok", "quota shop/compute requests.cpu 3/6 ok", "nodes shop/web 3/3 ok"},
			states(ask(t, cluster.RESTConfig, 6)))
	})
	crd, err := manifests.Files.ReadFile("crd/plimsoll.dev_scaleschedules.yaml")
	require.NoError(t, err)
	require.NoError(t, cluster.ApplyYAML(t.Context(), string(crd)))
	t.Run("short by one, as the scheduler finds too", func(t *testing.T) {
		r := ask(t, cluster.RESTConfig, 7)
		require.Equal(t, preflight.Short, r.Verdict)
		require.Contains(t, states(r), "nodes shop/web 4/3 short")
		_, err := client.AppsV1().Deployments("shop").Patch(t.Context(), "web", types.MergePatchType, []byte(`{"spec":{"replicas":7}}`), metav1.PatchOptions{})
		require.NoError(t, err)
		eventually(t, func() bool { placed, refused := bound(t, client, "shop"); return placed == 6 && refused == 1 })
		require.Contains(t, states(ask(t, cluster.RESTConfig, 7)), "nodes shop/web 1/0 short", "the one that waits still has no place")
	})
	t.Run("what may not be read is not known", func(t *testing.T) {
		config := rest.CopyConfig(cluster.RESTConfig)
		config.Impersonate = rest.ImpersonationConfig{UserName: "ann"}
		r := ask(t, config, 8)
		require.Equal(t, preflight.Unknown, r.Verdict)
		require.Contains(t, states(r), "nodes all / unknown")
		require.Contains(t, states(r), "quota shop/compute pods 1/43 ok")
	})
}
