// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

var now = time.Unix(1_800_000_000, 0)

func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	m.Add(schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, meta.RESTScopeNamespace)
	m.Add(schema.GroupVersionKind{Version: "v1", Kind: "Node"}, meta.RESTScopeRoot)
	m.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	m.Add(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, meta.RESTScopeNamespace)
	return m
}

// ruleObject is a rule as it stands in the cluster; "" as namespace makes it a ClusterMetricRule.
func ruleObject(namespace, query, resource string) *object {
	o := &object{meta: metav1.ObjectMeta{Namespace: namespace, Name: "users", Generation: 3}}
	r := v1alpha1.ClusterMetricRule{ObjectMeta: o.meta, Spec: v1alpha1.MetricRuleSpec{Query: query}}
	if resource != "" {
		r.Spec.Object = &v1alpha1.MetricObject{Resource: resource, NameLabel: "pod"}
	}
	o.spec = r.WithDefaults()
	return o
}

func TestCompile(t *testing.T) {
	for _, c := range []struct {
		name, namespace, query, resource string
		reason, says                     string
		object                           *rule.Object
	}{
		{name: "external", query: "a"},
		{name: "pods", query: "a", resource: "pods", object: &rule.Object{
			Resource: schema.GroupResource{Resource: "pods"}, Kind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Namespaced: true, NamespaceLabel: "namespace", NameLabel: "pod",
		}},
		{name: "a resource with a group", query: "a", resource: "deployments.apps", object: &rule.Object{
			Resource: schema.GroupResource{Group: "apps", Resource: "deployments"}, Kind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Namespaced: true, NamespaceLabel: "namespace", NameLabel: "pod",
		}},
		{name: "cluster-scoped", query: "a", resource: "nodes", object: &rule.Object{
			Resource: schema.GroupResource{Resource: "nodes"}, Kind: schema.GroupVersionKind{Version: "v1", Kind: "Node"}, NameLabel: "pod",
		}},
		{name: "a namespaced rule for nodes", namespace: "shop", query: "a", resource: "nodes",
			reason: v1alpha1.ReasonOtherNamespace, says: "nodes belong to no namespace"},
		{name: "unknown resource", query: "a", resource: "widgets",
			reason: v1alpha1.ReasonUnknownResource, says: `object.resource "widgets" is not known to the API server`},
		{name: "no PromQL", query: "sum(", reason: v1alpha1.ReasonParseError, says: "does not parse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, no := compile(ruleObject(c.namespace, c.query, c.resource), mapper())
			if c.reason != "" {
				require.Equal(t, c.reason, no.reason)
				require.ErrorContains(t, no.err, c.says)
				return
			}
			require.Nil(t, no)
			require.Equal(t, c.object, r.Object)
			require.Equal(t, "users", r.Metric)
			require.Equal(t, 10*time.Second, r.Interval)
			require.Equal(t, 100_000, r.MaxSeries)
		})
	}
}

// answered is an entry whose last evaluation, ago before now, had the given series.
func answered(t *testing.T, o *object, ago time.Duration, samples ...source.Sample) *snapshot.Entry {
	t.Helper()
	r, no := compile(o, mapper())
	require.Nil(t, no)
	c, _ := snapshot.NewCatalog([]*rule.Rule{r}, nil)
	e := c.Entry(r.Key)
	b := snapshot.NewBuilder(r, now.Add(-ago), nil)
	for _, s := range samples {
		require.NoError(t, b.Add(s))
		if len(r.Times) > 0 && s.Get("pod") != "" {
			measured := source.Sample{Value: float64(now.Add(-ago).Unix()), Labels: append([]source.Label{{Name: rule.PartLabel, Value: "t0"}}, s.Labels...)}
			require.NoError(t, b.Add(measured))
		}
	}
	table, err := b.Table("prometheus")
	require.NoError(t, err)
	e.Publish(table, snapshot.Outcome{Time: now.Add(-ago), Source: "prometheus"})
	return e
}

func sample(value float64, namespace, pod string) source.Sample {
	return source.Sample{Value: value, Labels: []source.Label{{Name: "namespace", Value: namespace}, {Name: "pod", Value: pod}}}
}

func TestStatusNamesTheCause(t *testing.T) {
	a, nan := sample(1, "shop", "a"), sample(math.NaN(), "shop", "b")
	for _, c := range []struct {
		name      string
		namespace string
		query     string
		ago       time.Duration
		readers   int
		samples   []source.Sample
		err       error
		status    metav1.ConditionStatus
		reason    string
		says      string
	}{
		{name: "works", readers: 2, samples: []source.Sample{a}, status: "True", reason: v1alpha1.ReasonWorking, says: "1 objects from 1 series"},
		{name: "nobody reads it", samples: []source.Sample{a}, status: "True", reason: v1alpha1.ReasonIdle, says: "nobody reads"},
		{name: "age unknown", readers: 1, query: "max_over_time(sum(x)[5m:])", samples: []source.Sample{a}, status: "True", reason: v1alpha1.ReasonAgeUnknown, says: "stands in a subquery"},
		{name: "no series", readers: 1, status: "False", reason: v1alpha1.ReasonNoData, says: "no series"},
		{name: "some NaN", readers: 1, samples: []source.Sample{a, nan}, status: "False", reason: v1alpha1.ReasonNotFinite, says: `{namespace="shop", pod="b"}`},
		{name: "another namespace", namespace: "shop", readers: 1, samples: []source.Sample{a, sample(1, "bank", "a")}, status: "False", reason: v1alpha1.ReasonOtherNamespace, says: `namespace="bank"`},
		{name: "only another namespace", namespace: "shop", readers: 1, samples: []source.Sample{sample(1, "bank", "a")}, status: "False", reason: v1alpha1.ReasonOtherNamespace, says: "all series"},
		{name: "no labels", readers: 1, samples: []source.Sample{{Value: 3}}, status: "False", reason: v1alpha1.ReasonMissingLabel, says: "lack the labels"},
		{name: "two for one object", readers: 1, samples: []source.Sample{a, a}, status: "False", reason: v1alpha1.ReasonAmbiguousObjects, says: "2 series for shop/a"},
		{name: "old values", readers: 1, ago: 2 * time.Minute, samples: []source.Sample{a}, status: "False", reason: v1alpha1.ReasonStale, says: "2m0s ago"},
		{name: "source down", readers: 1, samples: []source.Sample{a}, err: fmt.Errorf("asking: %w: connection refused", source.ErrUnreachable),
			status: "False", reason: v1alpha1.ReasonSourceUnreachable, says: "connection refused; the values of 08:00:00 are served until they are 1m0s old"},
		{name: "source down for long", readers: 1, ago: 5 * time.Minute, samples: []source.Sample{a}, err: source.ErrUnreachable,
			status: "False", reason: v1alpha1.ReasonSourceUnreachable, says: "are too old to be served"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.query == "" {
				c.query = "users"
			}
			o := ruleObject(c.namespace, c.query, "pods")
			e := answered(t, o, c.ago, c.samples...)
			if c.err != nil {
				e.Fail(snapshot.Outcome{Time: now, Source: "prometheus", Err: c.err})
			}
			got := statusOf(o, e, c.readers, now)
			cond := ready(&got)
			require.Equal(t, c.reason, cond.Reason)
			require.Equal(t, c.status, cond.Status)
			require.Contains(t, cond.Message, c.says)
			require.Contains(t, v1alpha1.Reasons(), cond.Reason)
			require.EqualValues(t, 3, got.ObservedGeneration)
			require.EqualValues(t, c.readers, got.Readers)
			require.Equal(t, "prometheus", got.Source)
		})
	}
}

func TestAValueWithoutASampleIsNamed(t *testing.T) {
	o := ruleObject("", "sum(gone) or vector(0)", "")
	e := answered(t, o, 0, source.Sample{Value: 0})
	got := statusOf(o, e, 1, now)
	require.Equal(t, v1alpha1.ReasonNoSample, ready(&got).Reason)
}

// A resource that was known still is when discovery fails, as it does while the API server restarts.
func TestAFailingDiscoveryTakesNoRuleOutOfForce(t *testing.T) {
	o := ruleObject("", "users", "pods")
	e := answered(t, o, 0, sample(1, "shop", "a"))
	r, no := compile(o, meta.NewDefaultRESTMapper(nil)) // knows nothing
	require.Equal(t, v1alpha1.ReasonUnknownResource, no.reason)
	require.Equal(t, schema.GroupResource{Resource: "pods"}, r.Object.Resource, "the metric's name stays taken")
	require.Error(t, r.Refusal)
	require.True(t, stands(e, r))
	o.meta.Generation++
	r, _ = compile(o, meta.NewDefaultRESTMapper(nil))
	require.False(t, stands(e, r), "a change has to be checked")
	require.False(t, stands(nil, r))
}

func TestReplicasDoNotWriteInTurns(t *testing.T) {
	o := ruleObject("", "users", "pods")
	e := answered(t, o, 0, sample(1, "shop", "a"))
	first := statusOf(o, e, 1, now)
	require.True(t, worthWriting(&o.status, &first, now), "nothing was written yet")

	o.status = first
	same := statusOf(o, e, 1, now.Add(5*time.Second))
	require.False(t, worthWriting(&o.status, &same, now.Add(5*time.Second)))

	newer := first
	newer.LastEvaluationTime = &metav1.Time{Time: now.Add(10 * time.Second)}
	require.False(t, worthWriting(&o.status, &newer, now.Add(10*time.Second)), "only times differ, and somebody has just written")
	require.True(t, worthWriting(&o.status, &newer, now.Add(31*time.Second)))

	fails := *first.DeepCopy()
	bad(v1alpha1.ReasonSourceUnreachable, "down").set(&fails)
	ready(&o.status).LastTransitionTime = metav1.Time{Time: now}
	require.False(t, worthWriting(&o.status, &fails, now.Add(9*time.Second)), "another replica has just said otherwise")
	require.True(t, worthWriting(&o.status, &fails, now.Add(10*time.Second)))

	rests := *first.DeepCopy()
	rests.LastEvaluationTime = &metav1.Time{Time: now.Add(-time.Hour)}
	verdict{metav1.ConditionTrue, v1alpha1.ReasonIdle, "nobody reads it here"}.set(&rests)
	require.False(t, worthWriting(&o.status, &rests, now.Add(45*time.Second)), "another replica evaluates it for its readers")
	require.True(t, worthWriting(&o.status, &rests, now.Add(61*time.Second)), "nobody does any more")

	o.meta.Generation++
	changed := statusOf(o, e, 1, now)
	require.True(t, worthWriting(&o.status, &changed, now), "the rule has changed")
}
