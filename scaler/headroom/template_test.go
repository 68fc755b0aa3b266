// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
)

func podOf(t *testing.T, spec string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{"app": "web"}}}
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &pod.Spec))
	return pod
}

var simple = frame{headroom: "room", image: "pause", priorityClass: "low"}

// The pods of the reserve go where the workload's would, give way to anybody, and may do nothing.
func TestTemplate(t *testing.T) {
	rules := rulesOf(podOf(t, `{nodeSelector: {disk: ssd}, tolerations: [{key: team, operator: Exists}], serviceAccountName: rich, runtimeClassName: odd,
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}, matchLabelKeys: [pod-template-hash]}],
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}, {matchExpressions: [{key: b, operator: Exists}]}]}},
    podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone, labelSelector: {}}]},
    podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}}}`))
	b := block{Block: reserve.Block{Workload: "shop/web", Shape: fit.Shape{Requests: fit.Resources{"cpu": 250, "memory": 1 << 30}}}, name: "shop-web-1", count: 3}
	f := simple
	f.avoid = []string{"gpu-1"}
	got := f.deployment(b, rules)
	spec := got.Spec.Template.Spec

	require.Equal(t, "plimsoll-headroom", got.Namespace)
	require.Equal(t, int32(3), *got.Spec.Replicas)
	require.Equal(t, "true", got.Spec.Template.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"])
	require.Equal(t, "low", spec.PriorityClassName)
	require.Zero(t, *spec.TerminationGracePeriodSeconds)
	require.False(t, *spec.AutomountServiceAccountToken)
	require.Empty(t, spec.ServiceAccountName)
	require.Nil(t, spec.RuntimeClassName)
	require.True(t, *spec.SecurityContext.RunAsNonRoot)
	require.Equal(t, "250m", spec.Containers[0].Resources.Requests.Cpu().String())
	require.Equal(t, "1Gi", spec.Containers[0].Resources.Requests.Memory().String())
	require.Nil(t, spec.Containers[0].Resources.Limits)

	own := &metav1.LabelSelector{MatchLabels: map[string]string{reserveLabel: "shop-web-1"}}
	require.Equal(t, map[string]string{"disk": "ssd"}, spec.NodeSelector)
	require.Equal(t, "team", spec.Tolerations[0].Key)
	require.Equal(t, own, spec.TopologySpreadConstraints[0].LabelSelector)
	require.Nil(t, spec.TopologySpreadConstraints[0].MatchLabelKeys)
	require.Nil(t, spec.Affinity.PodAffinity)
	apart := spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	require.Equal(t, own, apart[0].LabelSelector)
	require.Equal(t, []string{"shop"}, apart[1].Namespaces, "nor beside the workload's own")
	terms := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	require.Len(t, terms, 2)
	for _, term := range terms {
		require.Equal(t, []string{"gpu-1"}, term.MatchFields[0].Values)
	}
	require.Nil(t, rules.pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields,
		"the workload's own template is as it was")
	require.Equal(t, got, f.deployment(b, rules), "the same again has the same hash")
}

func TestTemplateOfFilling(t *testing.T) {
	f := simple
	f.selector, f.tolerations = map[string]string{"pool": "gpu"}, []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
	got := f.template(block{Block: reserve.Block{Shape: fit.Shape{Requests: fit.Resources{"cpu": 0, "memory": 5}}}, name: "filling"}, nil)
	require.Equal(t, f.selector, got.Spec.NodeSelector)
	require.Equal(t, f.tolerations, got.Spec.Tolerations)
	require.Nil(t, got.Spec.Affinity)
	require.Len(t, got.Spec.Containers[0].Resources.Requests, 1)

	got = simple.template(block{Block: reserve.Block{Shape: fit.Shape{Requests: fit.Resources{"nvidia.com/gpu": 1, "cpu": 1000}}}, name: "x"}, rulesOf(podOf(t, `{}`)))
	require.Len(t, got.Spec.Containers[0].Resources.Limits, 1, "an extended resource needs a limit")
}
