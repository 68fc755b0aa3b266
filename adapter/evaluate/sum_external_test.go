// SPDX-License-Identifier: Apache-2.0

package evaluate

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
	"github.com/plimsoll/plimsoll/adapter/source"
)

// apiServer is a member's API server, which has values of the external metric users in namespace shop.
type apiServer struct {
	path   atomic.Pointer[string]
	answer atomic.Pointer[v1beta1.ExternalMetricValueList] // nil: 503
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.path.Store(&r.URL.Path)
	list := a.answer.Load()
	if list == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(w).Encode(list)
}

// says makes it answer with one value for each set of labels, measured at a time.
func (a *apiServer) says(at time.Time, value string, labels ...map[string]string) {
	list := &v1beta1.ExternalMetricValueList{TypeMeta: metav1.TypeMeta{Kind: "ExternalMetricValueList", APIVersion: "external.metrics.k8s.io/v1beta1"}}
	for _, l := range labels {
		list.Items = append(list.Items, v1beta1.ExternalMetricValue{MetricName: "users", MetricLabels: l, Timestamp: metav1.NewTime(at), Value: resource.MustParse(value)})
	}
	a.answer.Store(list)
}

// withExternal gives a member external metrics in place of a source.
func (c *clusters) withExternal(t *testing.T, name string) *apiServer {
	t.Helper()
	a := &apiServer{}
	server := httptest.NewTLSServer(a)
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	x, err := source.NewExternal(source.Options{URL: server.URL, Inline: source.Inline{CA: ca, BearerToken: "sesame"}})
	require.NoError(t, err)
	c.all[name].state.Source, c.all[name].state.External = nil, x
	return a
}

// A member with external metrics adds what its own rule says, as old as that says; the others go on with the query.
func TestSumWithExternalMetrics(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum by (tier) (users)"}, "berlin", "paris")
	paris := c.withExternal(t, "paris")
	gold := source.Label{Name: "tier", Value: "gold"}
	c.say("berlin", 100, 5*time.Second, gold)
	measured := c.now.Add(-20 * time.Second)
	paris.says(measured, "1500m", map[string]string{"tier": "gold"})
	rows, err := c.evaluate(0)
	require.NoError(t, err)
	require.Equal(t, "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/users", *paris.path.Load())
	require.Len(t, rows, 1)
	require.Equal(t, 101.5, rows[0].Value)
	require.Equal(t, measured.Unix(), rows[0].Time.Unix(), "as old as the oldest of all")
	require.Equal(t, []source.Label{gold}, rows[0].Labels)

	paris.answer.Store(nil)
	c.now = c.now.Add(30 * time.Second)
	c.say("berlin", 90, 0, gold)
	rows, err = c.evaluate(0)
	require.NoError(t, err)
	require.Equal(t, 91.5, rows[0].Value, "it counts with its last value until maxAge")
	require.Equal(t, measured.Unix(), rows[0].Time.Unix())

	c.say("berlin", 80, 0, gold)
	_, err = c.evaluate(11 * time.Second)
	require.ErrorIs(t, err, source.ErrBroken)
	require.ErrorContains(t, err, "member paris")
}

// A list without values, or without any that counts, is no demand of 0: the last value counts until maxAge, and then nothing.
func TestExternalMetricsWithoutValues(t *testing.T) {
	for name, none := range map[string][]map[string]string{
		"empty":             nil,
		"another namespace": {{"namespace": "bank"}},
		"equal labels":      {{"tier": "gold"}, {"tier": "gold"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClusters(t, rule.Rule{Query: "sum(users)"}, "berlin", "paris")
			paris := c.withExternal(t, "paris")
			c.say("berlin", 100, 0)
			paris.says(c.now, "50", map[string]string{})
			rows, err := c.evaluate(0)
			require.NoError(t, err)
			require.Equal(t, 150.0, rows[0].Value)

			paris.says(c.now, "50", none...)
			c.now = c.now.Add(30 * time.Second)
			c.say("berlin", 90, 0)
			rows, err = c.evaluate(0)
			require.NoError(t, err)
			require.Equal(t, 140.0, rows[0].Value)
			require.ErrorIs(t, c.entry.Parts()["paris"].Err, source.ErrPartial)

			c.now = c.now.Add(31 * time.Second)
			c.say("berlin", 80, 0)
			_, err = c.evaluate(0)
			require.ErrorIs(t, err, source.ErrPartial)
			require.ErrorContains(t, err, "member paris")
		})
	}
}

// A value that the member itself has had for too long is no value, beside however many new ones.
func TestExternalMetricsThatAreTooOld(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum by (tier) (users)"}, "berlin", "paris")
	paris := c.withExternal(t, "paris")
	c.say("berlin", 100, 0, source.Label{Name: "tier", Value: "gold"})
	paris.says(c.now, "1", map[string]string{"tier": "gold"}, map[string]string{"tier": "basic"})
	list := paris.answer.Load().DeepCopy()
	list.Items[1].Timestamp = metav1.NewTime(c.now.Add(-61 * time.Second))
	paris.answer.Store(list)
	rows, err := c.evaluate(0)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	for i := range rows {
		require.ErrorIs(t, c.entry.Why(&rows[i], c.now), snapshot.ErrStale)
	}
	list = list.DeepCopy()
	list.Items[1].Timestamp = metav1.NewTime(c.now.Add(-60 * time.Second))
	paris.answer.Store(list)
	rows, err = c.evaluate(0)
	require.NoError(t, err)
	require.NoError(t, c.entry.Why(&rows[0], c.now))

	paris.says(c.now.Add(time.Hour), "1", map[string]string{"tier": "gold"}, map[string]string{"tier": "basic"})
	c.say("berlin", 100, 0, source.Label{Name: "tier", Value: "gold"})
	rows, err = c.evaluate(0)
	require.NoError(t, err)
	require.False(t, rows[0].Time.After(c.now), "nothing is newer than now, whatever a clock says")
	paris.answer.Store(nil)
	c.now = c.now.Add(61 * time.Second)
	c.say("berlin", 100, 0)
	_, err = c.evaluate(0)
	require.ErrorIs(t, err, source.ErrBroken, "nor does it count for longer than what was measured now")
}

// What a member's API server cannot be asked is said with what to do, and never counts as 0.
func TestExternalMetricsCannotBeEverything(t *testing.T) {
	for name, test := range map[string]struct {
		rule rule.Rule
		key  rule.Key
		is   error
		says string
	}{
		"a cluster's rule": {rule.Rule{Query: "sum(users)"}, rule.Key{Name: "users"}, source.ErrRefused, "write a MetricRule"},
		"a guard":          {rule.Rule{Query: "sum(users)", Guard: "up > 0"}, rule.Key{Namespace: "shop", Name: "users"}, source.ErrRefused, "spec.guard is PromQL"},
		"objects": {rule.Rule{Query: "users", Object: &rule.Object{Namespaced: true, NamespaceLabel: "namespace", NameLabel: "pod"}},
			rule.Key{Namespace: "shop", Name: "users"}, source.ErrRefused, "describes no object"},
		"more than maxSeries": {rule.Rule{Query: "sum(users)", MaxSeries: 1}, rule.Key{Namespace: "shop", Name: "users"}, source.ErrTooManySeries, "maxSeries, 1"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClusters(t, rule.Rule{Query: "sum(users)"}, "paris")
			paris := c.withExternal(t, "paris")
			paris.says(c.now, "1", map[string]string{"a": "1"}, map[string]string{"a": "2"})
			test.rule.Key, test.rule.Metric, test.rule.MaxAge = test.key, "users", time.Minute
			compiled, err := rule.Compile(test.rule)
			require.NoError(t, err)
			c.entry = &snapshot.Entry{Rule: compiled}
			_, err = c.evaluate(0)
			require.ErrorIs(t, err, test.is)
			require.ErrorContains(t, err, test.says)
		})
	}
	c := newClusters(t, rule.Rule{Query: "sum(users)"}, "paris")
	c.withExternal(t, "paris").says(c.now, "1", map[string]string{snapshot.IncompleteLabel: "lyon"})
	_, err := c.evaluate(0)
	require.ErrorIs(t, err, source.ErrPartial)
	require.ErrorContains(t, err, "without lyon")
}

// Of a tenant's rule values that name another namespace are dropped, as those of a query are.
func TestExternalMetricsStayInTheirNamespace(t *testing.T) {
	c := newClusters(t, rule.Rule{Query: "sum(users)"}, "paris")
	c.withExternal(t, "paris").says(c.now, "1", map[string]string{"namespace": "bank"}, map[string]string{"namespace": "shop"}, map[string]string{rule.PartLabel: "t0"})
	rows, err := c.evaluate(0)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	for i := range rows {
		require.NotEqual(t, "bank", rows[i].Get("namespace"))
		require.False(t, rows[i].Has(rule.PartLabel))
	}
}
