// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/install"
	"github.com/plimsoll/plimsoll/cmd/stack"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/workloads"
)

// raise writes an HPA with bounds 2..50 whose bounds the scaler holds at 40..100, and that needs so many replicas.
func raise(t *testing.T, client kubernetes.Interface, name string, needs int32) {
	t.Helper()
	hpas := client.AutoscalingV2().HorizontalPodAutoscalers("default")
	own := int32(2)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
		MinReplicas:    &own, MaxReplicas: 50,
	}}
	_, err := hpas.Create(t.Context(), hpa, metav1.CreateOptions{FieldManager: "kubectl"})
	require.NoError(t, err)
	held := record.Record{Base: bounds.Bounds{Min: 2, Max: 50}, State: bounds.State{Applied: &bounds.Bounds{Min: 40, Max: 100}, Since: time.Now()}}
	base, applied := held.Format()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q,%q:%q}},"spec":{"minReplicas":40,"maxReplicas":100}}`,
		record.BaseAnnotation, base, record.AppliedAnnotation, applied)
	_, err = hpas.Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: record.Manager})
	require.NoError(t, err)
	status := fmt.Sprintf(`{"status":{"currentReplicas":%d,"desiredReplicas":%d}}`, needs, needs)
	_, err = hpas.Patch(t.Context(), name, types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
}

// hold makes a Deployment without an HPA, whose own number is 3 and whose replicas the scaler holds at 8.
func hold(t *testing.T, cluster *stack.Cluster) {
	t.Helper()
	kept := bounds.Bounds{Min: 8, Max: 8}
	base, applied := record.Record{Base: bounds.Bounds{Min: 3, Max: 3}, State: bounds.State{Applied: &kept, Since: time.Now()}}.Format()
	require.NoError(t, cluster.ApplyYAML(t.Context(), fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: reports, namespace: default, labels: {%q: "true"}, annotations: {%q: %q, %q: %q}}
spec:
  replicas: 8
  selector: {matchLabels: {app: reports}}
  template: {metadata: {labels: {app: reports}}, spec: {containers: [{name: a, image: a}]}}
`, workloads.HeldLabel, record.BaseAnnotation, base, record.AppliedAnnotation, applied)))
}

// inMembers has the hub hold floors and a reserve in member clusters.
func inMembers(t *testing.T, cluster *stack.Cluster) {
	t.Helper()
	require.NoError(t, cluster.ApplyYAML(t.Context(), `
apiVersion: plimsoll.dev/v1alpha1
kind: FederatedScale
metadata: {name: shop, namespace: default}
spec: {mode: Enforce, divide: Bounds, targetRef: {name: web}}
---
apiVersion: plimsoll.dev/v1alpha1
kind: FederatedScale
metadata: {name: counted, namespace: default}
spec: {mode: Enforce, targetRef: {}}
---
apiVersion: plimsoll.dev/v1alpha1
kind: Headroom
metadata: {name: reserve}
spec: {mode: Enforce}
`))
}

// requireBounds checks an HPA, and that nothing of Plimsoll is kept on it once it has been let go.
func requireBounds(t *testing.T, client kubernetes.Interface, name string, want bounds.Bounds, kept bool) {
	t.Helper()
	hpa, err := client.AutoscalingV2().HorizontalPodAutoscalers("default").Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, want, bounds.Bounds{Min: *hpa.Spec.MinReplicas, Max: hpa.Spec.MaxReplicas}, name)
	_, there := hpa.Annotations[record.AppliedAnnotation]
	require.Equal(t, kept, there, name)
}

// restores: uninstalling gives HPAs their own bounds back, also when the scaler's Deployment is gone already, but not
// while somebody still acts as the scaler.
func restores(t *testing.T, cluster *stack.Cluster, before []string) {
	client, err := kubernetes.NewForConfig(cluster.RESTConfig)
	require.NoError(t, err)
	content := install.Content{Overlay: "ha", APIs: install.APIs()}
	told(t, cluster, func(ctx context.Context, c *install.Cluster) error {
		return c.Install(ctx, content, install.Options{NoWait: true})
	})
	uninstall := func(o install.Options) (string, error) {
		return do(t, cluster, func(ctx context.Context, c *install.Cluster) error { return c.Uninstall(ctx, o) })
	}
	raise(t, client, "calm", 10)
	raise(t, client, "busy", 80)
	hold(t, cluster)
	inMembers(t, cluster)
	held := bounds.Bounds{Min: 40, Max: 100}

	plan, err := uninstall(install.Options{DryRun: true})
	require.NoError(t, err)
	require.Contains(t, plan, "would restore HorizontalPodAutoscaler default/calm: minReplicas 40 -> 2, maxReplicas 100 -> 50")
	require.Contains(t, plan, "would restore HorizontalPodAutoscaler default/busy: minReplicas 40 -> 2; maxReplicas stays at 88, because the HPA needs about as many now")
	const reports = "Deployment default/reports: replicas stay at 8, so that nothing is cut; its own number is 3: kubectl -n default scale Deployment/reports --replicas=3"
	require.Contains(t, plan, "would restore "+reports)
	require.Contains(t, plan, "would remove  Deployment plimsoll-system/plimsoll-scaler")
	require.Contains(t, plan, "left          FederatedScale default/shop: minReplicas of the HPAs web in its clusters stay as they are")
	require.NotContains(t, plan, "FederatedScale default/counted", "replicas stay, as they shall")
	require.Contains(t, plan, "left          Headroom reserve: what it reserves stays in its clusters")
	requireBounds(t, client, "calm", held, true)

	require.NoError(t, client.AppsV1().Deployments("plimsoll-system").Delete(t.Context(), "plimsoll-scaler", metav1.DeleteOptions{}))
	someone, seconds, now := "a-scaler-elsewhere", int32(3600), metav1.NowMicro()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "plimsoll-scaler"}, Spec: coordinationv1.LeaseSpec{
		HolderIdentity: &someone, LeaseDurationSeconds: &seconds, RenewTime: &now,
	}}
	lease, err = client.CoordinationV1().Leases("plimsoll-system").Create(t.Context(), lease, metav1.CreateOptions{})
	require.NoError(t, err)
	const leases = "/apis/coordination.k8s.io/v1/namespaces/plimsoll-system/leases/plimsoll-scaler"
	_, err = interrupted(t, cluster, leases, someone, func(ctx context.Context, c *install.Cluster) error { return c.Uninstall(ctx, install.Options{}) })
	require.ErrorContains(t, err, "no bounds were given back")
	require.ErrorContains(t, err, "a-scaler-elsewhere")
	requireBounds(t, client, "busy", held, true)
	lease.Spec.HolderIdentity = nil
	_, err = client.CoordinationV1().Leases("plimsoll-system").Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)

	out, err := uninstall(install.Options{Rules: true})
	require.NoError(t, err, out)
	require.Contains(t, out, "restored      HorizontalPodAutoscaler default/calm: minReplicas 40 -> 2, maxReplicas 100 -> 50")
	require.Contains(t, out, "restored      "+reports)
	deployment, err := client.AppsV1().Deployments("default").Get(t.Context(), "reports", metav1.GetOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 8, *deployment.Spec.Replicas)
	require.NotContains(t, deployment.Labels, workloads.HeldLabel)
	require.NotContains(t, deployment.Annotations, record.AppliedAnnotation)
	require.Contains(t, out, "1 HPA with a raised maxReplicas")
	requireBounds(t, client, "calm", bounds.Bounds{Min: 2, Max: 50}, false)
	requireBounds(t, client, "busy", bounds.Bounds{Min: 2, Max: 88}, false)

	raise(t, client, "later", 10)
	out, err = uninstall(install.Options{KeepBounds: true})
	require.NoError(t, err)
	require.Contains(t, out, "There is nothing of")
	requireBounds(t, client, "later", held, true)
	out, err = uninstall(install.Options{})
	require.NoError(t, err)
	require.Contains(t, out, "restored      HorizontalPodAutoscaler default/later", "also when nothing else is left, not even the CRDs")
	requireBounds(t, client, "later", bounds.Bounds{Min: 2, Max: 50}, false)
	require.NoError(t, client.AppsV1().Deployments("default").Delete(t.Context(), "reports", metav1.DeleteOptions{}))
	for _, name := range []string{"calm", "busy", "later"} {
		require.NoError(t, client.AutoscalingV2().HorizontalPodAutoscalers("default").Delete(t.Context(), name, metav1.DeleteOptions{}))
	}
	requireObjects(t, cluster, before)
}
