// SPDX-License-Identifier: Apache-2.0

package demand

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

func resourceOf(k schema.GroupVersionKind) (schema.GroupResource, error) {
	switch k {
	case schema.GroupVersionKind{Version: "v1", Kind: "Service"}:
		return schema.GroupResource{Resource: "services"}, nil
	case schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}:
		return schema.GroupResource{Group: "networking.k8s.io", Resource: "ingresses"}, nil
	}
	return schema.GroupResource{}, fmt.Errorf("no kind %s", k)
}

func metric(name string) autoscalingv2.MetricIdentifier {
	return autoscalingv2.MetricIdentifier{Name: name}
}

func object(apiVersion, kind, name string) autoscalingv2.MetricSpec {
	return autoscalingv2.MetricSpec{Object: &autoscalingv2.ObjectMetricSource{
		DescribedObject: autoscalingv2.CrossVersionObjectReference{APIVersion: apiVersion, Kind: kind}, Metric: metric(name),
	}}
}

func TestRefs(t *testing.T) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{Metrics: []autoscalingv2.MetricSpec{
			{Pods: &autoscalingv2.PodsMetricSource{Metric: metric("online_users")}},
			{External: &autoscalingv2.ExternalMetricSource{Metric: metric("orders")}},
			{Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu"}},
			object("v1", "Service", "hits"),
			object("networking.k8s.io/v1", "Ingress", "requests"),
			object("example.com/v1", "Unknown", "x"),
			object("a/b/c", "Broken", "x"),
		}},
	}
	require.Equal(t, []Ref{
		{Namespace: "shop", Resource: schema.GroupResource{Resource: "pods"}, Metric: "online_users"},
		{Namespace: "shop", External: true, Metric: "orders"},
		{Namespace: "shop", Resource: schema.GroupResource{Resource: "services"}, Metric: "hits"},
		{Namespace: "shop", Resource: schema.GroupResource{Group: "networking.k8s.io", Resource: "ingresses"}, Metric: "requests"},
	}, Refs(hpa, resourceOf))
}

func TestSetCountsTheHPAsOfEachRule(t *testing.T) {
	catalog := func(keys ...rule.Key) *snapshot.Catalog {
		var rules []*rule.Rule
		for _, k := range keys {
			rules = append(rules, &rule.Rule{Key: k, Metric: "orders"})
		}
		c, _ := snapshot.NewCatalog(rules, nil)
		return c
	}
	cluster, own := rule.Key{Name: "orders"}, rule.Key{Namespace: "shop", Name: "orders"}
	only, both := catalog(cluster), catalog(cluster, own)
	hpa := func(ns, name string) types.NamespacedName { return types.NamespacedName{Namespace: ns, Name: name} }
	orders := func(ns string) []Ref { return []Ref{{External: true, Namespace: ns, Metric: "orders"}} }

	s := NewSet()
	s.Put(hpa("shop", "web"), append(orders("shop"), orders("shop")...))
	s.Put(hpa("shop", "api"), orders("shop"))
	s.Put(hpa("blog", "web"), orders("blog"))
	s.Put(hpa("blog", "other"), []Ref{{External: true, Namespace: "blog", Metric: "unknown"}})
	require.Equal(t, map[rule.Key]int{cluster: 3}, s.Counts(only))
	require.Equal(t, map[rule.Key]int{cluster: 1, own: 2}, s.Counts(both), "the namespace's own rule takes its readers")
	require.Equal(t, []types.NamespacedName{hpa("shop", "api"), hpa("shop", "web")}, s.Readers(both, own), "an HPA that names a metric twice is one reader")

	s.Put(hpa("shop", "web"), nil)
	require.Equal(t, map[rule.Key]int{cluster: 1, own: 1}, s.Counts(both))
	s.Put(hpa("shop", "api"), orders("elsewhere"))
	require.Equal(t, map[rule.Key]int{cluster: 2}, s.Counts(both))
}

func BenchmarkCounts(b *testing.B) {
	var rules []*rule.Rule
	for i := range 500 {
		rules = append(rules, &rule.Rule{Key: rule.Key{Name: fmt.Sprint("r", i)}, Metric: fmt.Sprint("m", i)})
	}
	c, _ := snapshot.NewCatalog(rules, nil)
	s := NewSet()
	for i := range 5000 {
		s.Put(types.NamespacedName{Namespace: fmt.Sprint("ns", i%100), Name: fmt.Sprint(i)}, []Ref{{External: true, Namespace: fmt.Sprint("ns", i%100), Metric: fmt.Sprint("m", i%500)}})
	}
	b.Run("nothing-new", func(b *testing.B) {
		for b.Loop() {
			s.Counts(c)
		}
	})
	b.Run("one-hpa-changed", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			s.Put(types.NamespacedName{Namespace: "ns1", Name: "1"}, []Ref{{External: true, Namespace: "ns1", Metric: fmt.Sprint("m", i%2)}})
			if len(s.Counts(c)) < 499 {
				b.Fatal("readers lost")
			}
		}
	})
}
