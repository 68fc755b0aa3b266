// SPDX-License-Identifier: Apache-2.0

package capacity_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/scaler/capacity"
)

func parse[T any](t testing.TB, text string) *T {
	t.Helper()
	object := new(T)
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), object))
	return object
}

func node(t testing.TB, name, more string) corev1.Node {
	return *parse[corev1.Node](t, fmt.Sprintf(`{metadata: {name: %s, labels: {kubernetes.io/hostname: %s, pool: web}}, %s,
  status: {allocatable: {cpu: "4", memory: 8Gi, pods: "110"}, conditions: [{type: Ready, status: "True"}]}}`, name, name, more))
}

func pod(t testing.TB, namespace, name, spec, phase string) corev1.Pod {
	return *parse[corev1.Pod](t, fmt.Sprintf(`{metadata: {namespace: %s, name: %s, labels: {app: shop}}, spec: {%s}, status: {phase: %s}}`, namespace, name, spec, phase))
}

const core = `containers: [{name: a, resources: {requests: {cpu: "1", memory: 1Gi}}}]`

func TestRequests(t *testing.T) {
	for _, test := range []struct {
		name, spec string
		want       fit.Resources
	}{
		{"nothing", `containers: [{name: a}]`, fit.Resources{}},
		{"containers add up", `containers: [{name: a, resources: {requests: {cpu: 250m, memory: 1Ki}}}, {name: b, resources: {requests: {cpu: 1}}}]`,
			fit.Resources{"cpu": 1250, "memory": 1024}},
		{"fractions are rounded up", `containers: [{name: a, resources: {requests: {cpu: 100u, memory: 500m}}}]`, fit.Resources{"cpu": 1, "memory": 1}},
		{"init containers run one after the other", `initContainers: [{name: i, resources: {requests: {cpu: 2}}}, {name: j, resources: {requests: {memory: 5}}}],
  containers: [{name: a, resources: {requests: {cpu: 1, memory: 7}}}]`, fit.Resources{"cpu": 2000, "memory": 7}},
		{"sidecars stay", `initContainers: [{name: s, restartPolicy: Always, resources: {requests: {cpu: 1}}}, {name: i, resources: {requests: {cpu: 3}}}],
  containers: [{name: a, resources: {requests: {cpu: 1}}}]`, fit.Resources{"cpu": 4000}},
		{"what the pod says itself counts", `resources: {requests: {cpu: 3}}, containers: [{name: a, resources: {requests: {cpu: 1, memory: 7}}}]`,
			fit.Resources{"cpu": 3000, "memory": 7}},
		{"overhead", `overhead: {cpu: 10m}, containers: [{name: a, resources: {requests: {cpu: 1}}}]`, fit.Resources{"cpu": 1010}},
		{"the end of numbers", `containers: [{name: a, resources: {requests: {memory: 8Ei}}}, {name: b, resources: {requests: {memory: 8Ei}}}]`,
			fit.Resources{"memory": math.MaxInt64}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, capacity.Requests(parse[corev1.PodSpec](t, "{"+test.spec+"}")))
		})
	}
	require.Equal(t, fit.Resources{"cpu": 2000}, capacity.Limits(parse[corev1.PodSpec](t, `{containers: [{name: a, resources: {requests: {cpu: 1}, limits: {cpu: 2}}}]}`)))
	require.Equal(t, fit.Resources{"cpu": 1500, "nvidia.com/gpu": 2}, capacity.Amounts(corev1.ResourceList{"cpu": resource.MustParse("1.5"), "nvidia.com/gpu": resource.MustParse("2")}))
}

func TestRefusal(t *testing.T) {
	gpu := `spec: {taints: [{key: gpu, value: "yes", effect: NoSchedule}]}`
	for _, test := range []struct{ name, spec, node, want string }{
		{"an ordinary node", core, `spec: {}`, ""},
		{"cordoned", core, `spec: {unschedulable: true}`, "cordoned"},
		{"tainted", core, gpu, "with the taint gpu=yes:NoSchedule, which the pods do not tolerate"},
		{"tolerated", `tolerations: [{key: gpu, operator: Exists}], ` + core, gpu, ""},
		{"a preference is no rule", core, `spec: {taints: [{key: gpu, effect: PreferNoSchedule}]}`, ""},
		{"selected", `nodeSelector: {pool: web}, ` + core, `spec: {}`, ""},
		{"not selected", `nodeSelector: {pool: db}, ` + core, `spec: {}`, "outside the pods' nodeSelector"},
		{"an empty value is not a missing one", `nodeSelector: {zone: ""}, ` + core, `spec: {}`, "outside the pods' nodeSelector"},
		{"affinity", affinity("pool", "web"), `spec: {}`, ""},
		{"no affinity", affinity("pool", "db"), `spec: {}`, "outside the pods' required node affinity"},
		{"an affinity to nothing", `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{}]}}}, ` + core,
			`spec: {}`, "outside the pods' required node affinity"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, n := pod(t, "a", "p", test.spec, "Pending"), node(t, "n", test.node)
			require.Equal(t, test.want, capacity.Refusal(&p, &n))
			n.Status.Conditions[0].Status = corev1.ConditionUnknown
			require.NotEmpty(t, capacity.Refusal(&p, &n))
		})
	}
}

func affinity(key, value string) string {
	return fmt.Sprintf(`affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: %s, operator: In, values: [%s]}]}]}}}, %s`, key, value, core)
}

const alone = `affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: shop}}}]}}, ` + core

func on(node string) string { return "nodeName: " + node + ", " + core }

// world has three nodes, of which one is cordoned and one is not Ready, and pods of all kinds.
func world(t testing.TB) ([]corev1.Node, []corev1.Pod) {
	nodes := []corev1.Node{node(t, "c", `spec: {}`), node(t, "b", `spec: {unschedulable: true}`), node(t, "a", `spec: {}`)}
	nodes[2].Status.Conditions[0].Status = corev1.ConditionFalse
	return nodes, []corev1.Pod{
		pod(t, "web", "runs", on("c"), "Running"),
		pod(t, "web", "ended", on("c"), "Succeeded"),
		pod(t, "web", "waits", core, "Pending"),
		pod(t, "web", "lost", on("gone"), "Running"),
		pod(t, capacity.HeadroomNamespace, "holds", on("c"), "Running"),
		pod(t, capacity.HeadroomNamespace, "waits", core, "Pending"),
	}
}

func TestSnapshot(t *testing.T) {
	nodes, pods := world(t)
	s := capacity.New(nodes, pods)
	require.Equal(t, []int{3, 2, 1, 1, 1, 1}, []int{s.Total, s.Ready, s.Pods, s.Reserve, s.Waiting, s.ReserveWaiting})
	require.Equal(t, fit.Resources{"cpu": 1000, "memory": 1 << 30}, s.Reserved())

	left := s.Left()
	require.Len(t, left, 3)
	require.Equal(t, fit.Resources{"cpu": 3000, "memory": 7 << 30, "pods": 110}, left[2].Free, "the reserve's room is free")
	require.EqualValues(t, 109, left[2].Pods)

	// 3 more beside the one that runs; a pod that wants a node for itself finds none in its own namespace.
	template := &corev1.PodTemplateSpec{Spec: *parse[corev1.PodSpec](t, "{"+core+"}")}
	template.Labels = map[string]string{"app": "shop"}
	require.EqualValues(t, 3, capacityOf(s.Fit("web", template)))
	template.Spec = *parse[corev1.PodSpec](t, "{"+alone+"}")
	require.EqualValues(t, 0, capacityOf(s.Fit("web", template)))
	require.EqualValues(t, 1, capacityOf(s.Fit("other", template)))
	on, refusals := s.Eligible(&corev1.Pod{Spec: template.Spec})
	require.Equal(t, []int{2}, on)
	require.Equal(t, map[string]int{"cordoned": 1, "not Ready": 1}, refusals)
}

func capacityOf(nodes []fit.Node, shape fit.Shape) int64 { return fit.Capacity(nodes, shape) }

// Which nodes count for headroom.
func TestNodesOfHeadroom(t *testing.T) {
	nodes, pods := world(t)
	gpu := node(t, "gpu", `spec: {taints: [{key: dear, effect: NoSchedule}]}`)
	gpu.Labels["pool"] = "gpu"
	gpu.Status.Allocatable["nvidia.com/gpu"] = resource.MustParse("1")
	s := capacity.New(append(nodes, gpu), pods)
	lefts := func(r capacity.Rules) map[string]reserve.Left {
		out := map[string]reserve.Left{}
		for _, n := range s.Nodes(r) {
			out[n.Name] = n.Left()
		}
		return out
	}
	require.Equal(t, map[string]reserve.Left{"a": reserve.NotReady, "b": reserve.Cordoned, "c": "", "gpu": reserve.Tainted}, lefts(capacity.Rules{}))
	require.Equal(t, reserve.Extended, lefts(capacity.Rules{TolerateTaints: []string{"dear"}})["gpu"])
	require.Equal(t, map[string]reserve.Left{"a": reserve.NotReady, "b": reserve.Cordoned, "c": reserve.Unnamed, "gpu": ""}, lefts(capacity.Rules{Selector: map[string]string{"pool": "gpu"}}))

	c := s.Nodes(capacity.Rules{})[2]
	require.Equal(t, fit.Resources{"cpu": 1000, "memory": 1 << 30}, c.Requested)
	require.EqualValues(t, 1, c.Running)
	require.EqualValues(t, 110, c.Pods)
	require.Equal(t, fit.Resources{"cpu": 3000, "memory": 7 << 30, "pods": 110}, reserve.BaseOf(s.Nodes(capacity.Rules{})).Free)
}

func TestTake(t *testing.T) {
	nodes, pods := world(t)
	objects := []client.Object{}
	for i := range nodes {
		objects = append(objects, &nodes[i])
	}
	for i := range pods {
		objects = append(objects, &pods[i])
	}
	s, err := capacity.Take(t.Context(), fake.NewClientBuilder().WithObjects(objects...).Build())
	require.NoError(t, err)
	require.Equal(t, capacity.New(nodes, pods).Left(), s.Left())
}

// A member of 1,000 nodes and 100,000 pods.
func BenchmarkNew(b *testing.B) {
	nodes, pods := make([]corev1.Node, 1000), make([]corev1.Pod, 100_000)
	for i := range nodes {
		nodes[i] = node(b, fmt.Sprintf("n%d", i), `spec: {}`)
	}
	one := pod(b, "web", "p", core, "Running")
	for i := range pods {
		pods[i] = one
		pods[i].Spec.NodeName = nodes[i%len(nodes)].Name
	}
	b.ReportAllocs()
	for b.Loop() {
		capacity.New(nodes, pods)
	}
}
