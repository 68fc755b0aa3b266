// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func clusterObject(t *testing.T, kind, spec string) map[string]any {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte("apiVersion: plimsoll.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: shop}\nspec: " + spec))
	require.NoError(t, err)
	object := &unstructured.Unstructured{}
	require.NoError(t, object.UnmarshalJSON(text))
	return object.Object
}

// A refused object says what to do; an empty want means that it is taken.
func TestMembersScalesAndHeadrooms(t *testing.T) {
	const ok = ""
	tests := []struct{ name, kind, spec, want string }{
		{"smallest member", "MemberCluster", `{}`, ok},
		{"whole member", "MemberCluster", `{kubeconfigSecretRef: {name: a, key: value}, weight: 3, metrics: {url: "https://p:9090/x", secretRef: {name: a}}, nodeGroups: {address: "[::1]:8086"}}`, ok},
		{"weight while drained", "MemberCluster", `{weight: 3, drain: true}`, "remove one of them"},
		{"weight of nothing", "MemberCluster", `{weight: 0}`, "spec.weight"},
		{"probe often", "MemberCluster", `{probe: {interval: 1s, failedAfter: 1s}}`, ok},
		{"probe too often", "MemberCluster", `{probe: {interval: 999ms}}`, "between 1s and 5m"},
		{"failed before the second question", "MemberCluster", `{probe: {failedAfter: 9s}}`, "failedAfter must be between the interval"},
		{"no unit", "MemberCluster", `{probe: {timeout: "4"}}`, "durations such as 10s"},
		{"demand says nothing", "MemberCluster", `{probe: {demandFor: 0s}}`, ok},
		{"demand for days", "MemberCluster", `{probe: {demandFor: 25h}}`, "demandFor must be between 0s and 24h"},
		{"demand of no unit", "MemberCluster", `{probe: {demandFor: "600"}}`, "durations such as 10s"},
		{"long time-out", "MemberCluster", `{probe: {timeout: 31s}}`, "timeout must be"},
		{"external metrics", "MemberCluster", `{metrics: {externalMetrics: {server: "https://a:6443/prefix"}, secretRef: {name: a}}}`, ok},
		{"metrics of nowhere", "MemberCluster", `{metrics: {secretRef: {name: a}}}`, "give either url"},
		{"metrics of both", "MemberCluster", `{metrics: {url: "https://a", externalMetrics: {server: "https://a"}, secretRef: {name: a}}}`, "give either url"},
		{"external metrics for anybody", "MemberCluster", `{metrics: {externalMetrics: {server: "https://a"}}}`, "externalMetrics needs secretRef"},
		{"external metrics in the clear", "MemberCluster", `{metrics: {externalMetrics: {server: "http://a"}, secretRef: {name: a}}}`, "spec.metrics.externalMetrics.server"},
		{"external metrics of no server", "MemberCluster", `{metrics: {externalMetrics: {}, secretRef: {name: a}}}`, "spec.metrics.externalMetrics.server"},
		{"metrics elsewhere", "MemberCluster", `{metrics: {url: "ftp://a"}}`, "spec.metrics.url"},
		{"node groups without a port", "MemberCluster", `{nodeGroups: {address: "groups"}}`, "spec.nodeGroups.address"},

		{"smallest scale", "FederatedScale", `{targetRef: {}}`, ok},
		{"no target", "FederatedScale", `{}`, "spec.targetRef"},
		{"bounds", "FederatedScale", `{divide: Bounds, targetRef: {kind: HorizontalPodAutoscaler}}`, ok},
		{"bounds of a Deployment", "FederatedScale", `{divide: Bounds, targetRef: {kind: Deployment}}`, "set targetRef.kind"},
		{"replicas of an HPA", "FederatedScale", `{targetRef: {kind: HorizontalPodAutoscaler}}`, "set divide: Bounds"},
		{"limits", "FederatedScale", `{targetRef: {}, clusters: [{name: a, minReplicas: 0, maxReplicas: 0}, {name: b}]}`, ok},
		{"limits the wrong way", "FederatedScale", `{targetRef: {}, clusters: [{name: a, minReplicas: 2, maxReplicas: 1}]}`, "at most maxReplicas"},
		{"a cluster twice", "FederatedScale", `{targetRef: {}, clusters: [{name: a}, {name: a}]}`, "Duplicate value"},
		{"less than nothing", "FederatedScale", `{targetRef: {}, replicas: -1}`, "spec.replicas"},
		{"failover at once", "FederatedScale", `{targetRef: {}, failover: {after: 0s}}`, ok},
		{"failover some day", "FederatedScale", `{targetRef: {}, failover: {after: 25h}}`, "from 0s to 24h"},
		{"pending for a moment", "FederatedScale", `{targetRef: {}, pendingTimeout: 4s}`, "from 5s to 6h"},

		{"smallest headroom", "Headroom", `{}`, ok},
		{"all of it", "Headroom", `{percent: 100}`, ok},
		{"more than all", "Headroom", `{percent: 101}`, "spec.percent"},
		{"none", "Headroom", `{percent: 0}`, ok},
		{"peaks of any size", "Headroom", `{peaks: {maxPercent: 100}}`, ok},
		{"no peaks", "Headroom", `{peaks: {maxPercent: 0}}`, ok},
		{"peaks of more than all", "Headroom", `{peaks: {maxPercent: 101}}`, "spec.peaks.maxPercent"},
		{"another class", "Headroom", `{placeholder: {priorityClassName: balloon}}`, ok},
		{"no class", "Headroom", `{placeholder: {priorityClassName: ""}}`, "spec.placeholder.priorityClassName"},
		{"no nodes to wait for", "Headroom", `{placeholder: {waitForNodes: false}}`, ok},
		{"strategy", "Headroom", `{strategy: Balloon}`, "spec.strategy"},
		{"cost", "Headroom", `{cost: {cpuHour: "0.031", memoryGiBHour: "0.004", currency: EUR}}`, ok},
		{"cost below nothing", "Headroom", `{cost: {cpuHour: "-1"}}`, "spec.cost.cpuHour"},
		{"misspelt", "Headroom", `{percentage: 20}`, "spec.percentage"},

		{"sum over members", "MetricRule", `{query: up, members: Sum}`, ok},
		{"sum of pods", "MetricRule", `{query: up, members: Sum, object: {resource: pods, nameLabel: pod}}`, "remove object"},
		{"mean over members", "MetricRule", `{query: up, members: Average}`, "spec.members"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			found := strings.Join(validatorOf(t, strings.ToLower(test.kind)+"s")(clusterObject(t, test.kind, test.spec)), "\n")
			if test.want == ok {
				require.Empty(t, found)
				return
			}
			require.Contains(t, found, test.want)
		})
	}
}

// The smallest objects, with what the API server fills in.
func TestDefaultsOfMembersScalesAndHeadrooms(t *testing.T) {
	object := clusterObject(t, "MemberCluster", "{}")
	require.Empty(t, validatorOf(t, "memberclusters")(object))
	member := &v1alpha1.MemberCluster{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object, member))
	require.Equal(t, "10s", member.Spec.Probe.Interval.Duration.String())
	require.Equal(t, int32(50), *member.Spec.Probe.MinReadyNodesPercent)
	require.Equal(t, 10*time.Minute, member.HealthOptions().DemandAtMost)
	member.Spec.Probe.DemandFor.Duration = 0
	require.Equal(t, time.Duration(1), member.HealthOptions().DemandAtMost, "0 is not the default")

	object = clusterObject(t, "FederatedScale", "{targetRef: {}}")
	require.Empty(t, validatorOf(t, "federatedscales")(object))
	scale := &v1alpha1.FederatedScale{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object, scale))
	require.Equal(t, int32(1), *scale.Spec.Replicas)
	require.Equal(t, v1alpha1.ModeObserve, scale.Spec.Mode)
	require.Equal(t, v1alpha1.FailoverMove, scale.Spec.Failover.Mode)
	require.Equal(t, "1m0s", scale.Spec.Failover.After.Duration.String())

	object = clusterObject(t, "Headroom", "{}")
	require.Empty(t, validatorOf(t, "headrooms")(object))
	headroom := &v1alpha1.Headroom{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object, headroom))
	require.Equal(t, int32(20), *headroom.Spec.Percent)
	require.Equal(t, int32(80), *headroom.Spec.Peaks.MaxPercent)
	require.Equal(t, v1alpha1.ModeObserve, headroom.Spec.Mode)
	require.Equal(t, "plimsoll-headroom", headroom.Spec.Placeholder.PriorityClassName)
}

func TestFederatedScaleCompiles(t *testing.T) {
	const ok = ""
	for _, test := range []struct {
		name, spec, want string
		check            func(t *testing.T, rule v1alpha1.Federation)
	}{
		{"defaults without an API server", `{targetRef: {}}`, ok, func(t *testing.T, rule v1alpha1.Federation) {
			require.Equal(t, v1alpha1.MemberTarget{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop"}, rule.Target)
			require.Equal(t, int64(1), rule.Replicas)
			require.Equal(t, divide.DefaultOptions(), rule.Options)
			require.Equal(t, 2*time.Minute, rule.PendingTimeout)
			require.False(t, rule.Enforce)
			require.Nil(t, rule.Clusters)
		}},
		{"all of it", `{mode: Enforce, replicas: 7, divide: Bounds, targetRef: {name: online}, clusters: [{name: a, minReplicas: 2}],
			failover: {mode: Never, after: 10s, returnAfter: 10s}, pendingTimeout: 5s}`, ok, func(t *testing.T, rule v1alpha1.Federation) {
			require.Equal(t, v1alpha1.MemberTarget{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "online"}, rule.Target)
			require.True(t, rule.Enforce && rule.Bounds)
			require.Equal(t, int64(7), rule.Replicas)
			require.Equal(t, divide.Never, rule.Options.Failover)
			require.Equal(t, 10*time.Second, rule.Options.ReturnAfter)
			require.Equal(t, 2*time.Second, rule.Options.StepEvery)
			require.Equal(t, int32(2), *rule.Clusters["a"].MinReplicas)
		}},
		{"a StatefulSet", `{targetRef: {kind: StatefulSet}}`, ok, func(t *testing.T, rule v1alpha1.Federation) { require.True(t, rule.Options.Ordinals) }},
		{"less than nothing", `{targetRef: {}, replicas: -1}`, "spec.replicas", nil},
		{"a cluster twice", `{targetRef: {}, clusters: [{name: a}, {name: a}]}`, "named twice", nil},
		{"limits the wrong way", `{targetRef: {}, clusters: [{name: a, minReplicas: 2, maxReplicas: 1}]}`, "at most maxReplicas", nil},
		{"bounds of a Deployment", `{divide: Bounds, targetRef: {kind: Deployment}}`, "Bounds needs a HorizontalPodAutoscaler", nil},
		{"pending for a moment", `{targetRef: {}, pendingTimeout: 1s}`, "spec.pendingTimeout", nil},
		{"failover yesterday", `{targetRef: {}, failover: {after: -1s}}`, "spec.failover", nil},
		{"another mode", `{targetRef: {}, mode: Force}`, "spec.mode", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			scale := &v1alpha1.FederatedScale{}
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(clusterObject(t, "FederatedScale", test.spec), scale))
			rule, err := scale.Compile()
			if test.want != ok {
				require.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			test.check(t, rule)
		})
	}
}
