// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/adapter/demand"
	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

var noon = time.Date(2026, 11, 11, 12, 0, 0, 0, time.UTC)

// explained is an explainer at noon over a namespaced and a cluster rule for one metric, each with values of so many pods.
func explained(t *testing.T, pods int) *explainer {
	t.Helper()
	var rules []*rule.Rule
	for _, key := range []rule.Key{{Namespace: "shop", Name: "users"}, {Name: "users"}} {
		r, err := rule.Compile(rule.Rule{Key: key, Metric: "online_users", Query: "users", MaxAge: time.Minute, Interval: 10 * time.Second, Object: &rule.Object{
			Resource: schema.GroupResource{Resource: "pods"}, Kind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Namespaced: true, NamespaceLabel: "namespace", NameLabel: "pod",
		}})
		require.NoError(t, err)
		rules = append(rules, r)
	}
	store := &snapshot.Store{}
	catalog, _ := snapshot.NewCatalog(rules, nil)
	store.Swap(catalog)
	for _, e := range catalog.Entries() {
		b := snapshot.NewBuilder(e.Rule, noon.Add(-5*time.Second), nil)
		for _, ns := range []string{"shop", "bank"} {
			for i := range pods {
				require.NoError(t, b.Add(source.Sample{Value: float64(noon.Add(-5 * time.Second).Unix()), Labels: []source.Label{
					{Name: rule.PartLabel, Value: "t0"}, {Name: "namespace", Value: ns}, {Name: "pod", Value: fmt.Sprintf("%s-%04d", ns, i)},
				}}))
				require.NoError(t, b.Add(source.Sample{Value: 31.5, Labels: []source.Label{{Name: "namespace", Value: ns}, {Name: "pod", Value: fmt.Sprintf("%s-%04d", ns, i)}}}))
			}
		}
		table, err := b.Table("prometheus")
		require.NoError(t, err)
		e.Publish(table, snapshot.Outcome{Time: noon.Add(-5 * time.Second), Source: "prometheus"})
	}
	set := demand.NewSet()
	for _, ns := range []string{"shop", "bank"} {
		set.Put(types.NamespacedName{Namespace: ns, Name: "web"}, []demand.Ref{{Namespace: ns, Resource: schema.GroupResource{Resource: "pods"}, Metric: "online_users"}})
	}
	return &explainer{store: store, demand: set, now: func() time.Time { return noon }}
}

func ask(t *testing.T, x *explainer, namespace, metric, query string) (int, explain.Metric, string) {
	t.Helper()
	w := httptest.NewRecorder()
	x.serve(namespace, metric, w, httptest.NewRequest(http.MethodGet, "/?"+query, nil))
	var m explain.Metric
	if w.Code == http.StatusOK {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &m))
	}
	return w.Code, m, w.Body.String()
}

func TestExplainShowsAReaderItsOwnNamespace(t *testing.T) {
	x := explained(t, 3)
	code, own, _ := ask(t, x, "shop", "online_users", "")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, explain.Rule{Kind: "MetricRule", Namespace: "shop", Name: "users"}, own.Rule)
	require.Equal(t, []explain.Rule{{Kind: "ClusterMetricRule", Name: "users"}}, own.Hidden)
	require.Equal(t, []explain.Reader{{Kind: "HorizontalPodAutoscaler", Namespace: "shop", Name: "web"}}, own.Readers)
	require.Len(t, own.Values, 3)
	require.EqualValues(t, 31.5, own.Values[0].Value)
	require.Equal(t, 5.0, own.Values[0].AgeSeconds)
	require.True(t, own.Values[0].Usable)

	_, other, body := ask(t, x, "bank", "online_users", "")
	require.Equal(t, "ClusterMetricRule", other.Rule.Kind)
	require.Len(t, other.Values, 3)
	require.NotContains(t, body, "shop-", "values of another namespace")
}

func TestExplainOneObjectAndBoundsTheRest(t *testing.T) {
	x := explained(t, valuesExplained+7)
	_, m, _ := ask(t, x, "shop", "online_users", "name=shop-0003")
	require.Len(t, m.Values, 1)
	require.Equal(t, valuesExplained+7, m.Objects)
	_, m, _ = ask(t, x, "shop", "online_users", "resource=pods")
	require.Len(t, m.Values, valuesExplained)
	require.Equal(t, 7, m.Truncated)
}

// A namespace's own figures are nobody else's: the resource is cluster-scoped, the reader is not.
func TestExplainOfNamespacesShowsTheReadersOwn(t *testing.T) {
	r, err := rule.Compile(rule.Rule{Key: rule.Key{Name: "spend"}, Metric: "spend", Query: "vector(1)", MaxAge: time.Minute, Object: &rule.Object{
		Resource: schema.GroupResource{Resource: "namespaces"}, NameLabel: "namespace",
	}})
	require.NoError(t, err)
	catalog, _ := snapshot.NewCatalog([]*rule.Rule{r}, nil)
	b := snapshot.NewBuilder(r, noon, nil)
	for ns, value := range map[string]float64{"shop": 1, "bank": 4711} {
		require.NoError(t, b.Add(source.Sample{Value: value, Labels: []source.Label{{Name: "namespace", Value: ns}}}))
	}
	table, err := b.Table("prometheus")
	require.NoError(t, err)
	catalog.Entry(r.Key).Publish(table, snapshot.Outcome{Time: noon})
	x := &explainer{store: &snapshot.Store{}, demand: demand.NewSet(), now: func() time.Time { return noon }}
	x.store.Swap(catalog)
	_, m, body := ask(t, x, "shop", "spend", "")
	require.Len(t, m.Values, 1)
	require.NotContains(t, body, "4711")
	_, m, _ = ask(t, x, "shop", "spend", "name=bank")
	require.Empty(t, m.Values)
}

func TestExplainSaysWhatIsWrong(t *testing.T) {
	x := explained(t, 1)
	code, _, body := ask(t, x, "shop", "onlin_users", "")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, body, "did you mean online_users?")
	code, _, _ = ask(t, x, "shop", "online_users", "resource=services")
	require.Equal(t, http.StatusNotFound, code)

	e := x.store.Catalog().Entry(rule.Key{Namespace: "shop", Name: "users"})
	e.Fail(snapshot.Outcome{Time: noon, Err: errors.Join(source.ErrUnreachable, errors.New("connection refused"))})
	x.now = func() time.Time { return noon.Add(2 * time.Minute) }
	_, m, _ := ask(t, x, "shop", "online_users", "")
	require.Equal(t, v1alpha1.ReasonSourceUnreachable, m.LastErrors[0].Cause)
	require.Contains(t, m.LastEvaluation.Error, "connection refused")
	require.False(t, m.Values[0].Usable)
	require.Contains(t, m.Values[0].Reason, "stale")
}
