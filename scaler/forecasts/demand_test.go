// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// The derived queries, asked of a real Prometheus.
func TestDemandOf(t *testing.T) {
	p := newProm(t)
	for series, value := range map[string]float64{
		`online_users{namespace="shop",pod="shop-7d9f8c6b5d-abcde",shard="a"}`:     1,
		`online_users{namespace="shop",pod="shop-7d9f8c6b5d-fghij",shard="b"}`:     2,
		`online_users{namespace="shop",pod="shop-api-7d9f8c6b5d-fghij",shard="a"}`: 4,
		`online_users{namespace="shop",pod="shop-0",shard="a"}`:                    8,
		`waiting{namespace="shop",queue="orders$1",kind="x"}`:                      16,
		`waiting{namespace="shop",queue="mails",kind="x"}`:                         32,
	} {
		p.push(t, series, start, start, step, func(time.Time) float64 { return value })
	}
	rules := []client.Object{
		&v1alpha1.MetricRule{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "per-pod"},
			Spec:       v1alpha1.MetricRuleSpec{Metric: "users", Query: "sum by (namespace, pod, shard) (online_users) # all", Object: &v1alpha1.MetricObject{Resource: "pods", NameLabel: "pod"}},
		},
		&v1alpha1.ClusterMetricRule{ObjectMeta: metav1.ObjectMeta{Name: "a-waiting", CreationTimestamp: metav1.NewTime(start)}, Spec: v1alpha1.MetricRuleSpec{Metric: "waiting", Query: "vector(-2)"}},
		&v1alpha1.ClusterMetricRule{ObjectMeta: metav1.ObjectMeta{Name: "z-waiting", CreationTimestamp: metav1.NewTime(start.Add(-time.Hour))}, Spec: v1alpha1.MetricRuleSpec{Metric: "waiting", Query: "vector(-3)"}},
		&v1alpha1.ClusterMetricRule{ObjectMeta: metav1.ObjectMeta{Name: "waiting", CreationTimestamp: metav1.NewTime(start.Add(-time.Hour))}, Spec: v1alpha1.MetricRuleSpec{Query: "waiting"}},
		&v1alpha1.ClusterMetricRule{ObjectMeta: metav1.ObjectMeta{Name: "users"}, Spec: v1alpha1.MetricRuleSpec{Query: "vector(-1)", Object: &v1alpha1.MetricObject{Resource: "pods", NameLabel: "pod"}}},
		&v1alpha1.ClusterMetricRule{ObjectMeta: metav1.ObjectMeta{Name: "backlog"}, Spec: v1alpha1.MetricRuleSpec{Query: "waiting", Object: &v1alpha1.MetricObject{Resource: "queues.example.com", NameLabel: "queue"}}},
	}
	c := fake.NewClientBuilder().WithScheme(clustertest.Scheme(t)).WithObjects(rules...).Build()
	target := newHPA().Spec.Metrics[0].External.Target
	external := func(name string, selector *metav1.LabelSelector) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ExternalMetricSourceType, External: &autoscalingv2.ExternalMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: name, Selector: selector}, Target: target}}
	}
	pods := func(name string, selector *metav1.LabelSelector) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: name, Selector: selector}, Target: target}}
	}
	object := func(name, of string) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{Type: autoscalingv2.ObjectMetricSourceType, Object: &autoscalingv2.ObjectMetricSource{
			Metric: autoscalingv2.MetricIdentifier{Name: name}, DescribedObject: autoscalingv2.CrossVersionObjectReference{Kind: "Queue", Name: of}, Target: target,
		}}
	}
	resource := autoscalingv2.MetricSpec{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: target}}
	labels := func(name, value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{name: value}}
	}
	for name, test := range map[string]struct {
		metrics []autoscalingv2.MetricSpec
		kind    string
		want    float64
		problem string
	}{
		"external":                       {metrics: []autoscalingv2.MetricSpec{external("waiting", nil)}, want: 48},
		"external with a selector":       {metrics: []autoscalingv2.MetricSpec{external("waiting", labels("queue", "orders$1"))}, want: 16},
		"an object":                      {metrics: []autoscalingv2.MetricSpec{object("backlog", "mails")}, want: 32},
		"pods of a Deployment":           {metrics: []autoscalingv2.MetricSpec{pods("users", nil)}, kind: "Deployment", want: 3},
		"pods of a StatefulSet":          {metrics: []autoscalingv2.MetricSpec{pods("users", nil)}, kind: "StatefulSet", want: 8},
		"pods with a selector":           {metrics: []autoscalingv2.MetricSpec{pods("users", labels("shard", "b"))}, kind: "Deployment", want: 2},
		"others beside it do not matter": {metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType}}}, external("waiting", nil)}, want: 48},
		"pods of something else":         {metrics: []autoscalingv2.MetricSpec{pods("users", nil)}, kind: "Rollout", problem: "pods of a Rollout"},
		"cpu":                            {metrics: []autoscalingv2.MetricSpec{resource}, problem: "scales on resource"},
		"two":                            {metrics: []autoscalingv2.MetricSpec{external("waiting", nil), external("waiting", nil)}, problem: "has 2 metrics"},
		"none":                           {problem: "has 0 metrics"},
		"no rule":                        {metrics: []autoscalingv2.MetricSpec{external("unknown", nil)}, problem: "serves the metric unknown"},
		"a rule of another kind":         {metrics: []autoscalingv2.MetricSpec{external("users", nil)}, problem: "serves the metric users"},
		"a selector with expressions": {metrics: []autoscalingv2.MetricSpec{external("waiting", &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "queue", Operator: metav1.LabelSelectorOpExists}},
		})}, problem: "expressions"},
	} {
		t.Run(name, func(t *testing.T) {
			hpa := newHPA()
			hpa.Spec.Metrics, hpa.Spec.ScaleTargetRef.Kind = test.metrics, test.kind
			d, err := demandOf(t.Context(), c, hpa)
			query := d.query
			if test.problem != "" {
				require.ErrorIs(t, err, errNoDemand)
				require.ErrorContains(t, err, test.problem)
				require.ErrorContains(t, err, "set spec.query")
				return
			}
			require.NoError(t, err)
			answer, err := clientOf(t, p).Range(t.Context(), "shop", query, spanOf(start, start))
			require.NoError(t, err, query)
			require.Len(t, answer.Points, 1, query)
			require.Equal(t, test.want, answer.Points[0].Value, query)
			if shared := test.metrics[len(test.metrics)-1].Pods == nil; shared {
				require.Regexp(t, "^ClusterMetricRule (waiting|backlog)$", d.shown)
			} else {
				require.Equal(t, d.query, d.shown, "the namespace's own rule")
			}
		})
	}
}
