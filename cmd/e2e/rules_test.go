// SPDX-License-Identifier: Apache-2.0

//go:build !faults

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	custom "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// wants checks an answer for a part of it.
func wants(body []byte, err error, part string) error {
	if err == nil && !strings.Contains(string(body), part) {
		err = fmt.Errorf("the answer %s lacks %s", body, part)
	}
	return err
}

func (w *world) deleteClusterRule(name string) error {
	return w.objects.Resource(v1alpha1.SchemeGroupVersion.WithResource("clustermetricrules")).Delete(context.Background(), name, metav1.DeleteOptions{})
}

func externalPath(ns, metric string) string {
	return "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + ns + "/" + metric
}

// Every bad input has a reason in the rule's status, and the rules beside it go on.
func TestBadRulesSayWhatIsWrongAndDisturbNoOther(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	var crowd strings.Builder
	for i := range 40 {
		fmt.Fprintf(&crowd, "crowd{namespace=\"$NS\",id=\"%d\"} 1\n", i)
	}
	w.expose(t, ns, crowd.String()+`
orders{namespace="$NS"} 3
ratio{namespace="$NS",pod="a"} NaN
ratio{namespace="$NS",pod="b"} +Inf
ratio{namespace="$NS",pod="c"} 0.5
twin{namespace="$NS",pod="a"} 1
double{namespace="$NS",pod="a"} 2
nameless{namespace="$NS"} 1
`)
	const template = `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: %s, namespace: $NS}
spec: {query: '%s', interval: 5s%s}
`
	const ofPods = ", object: {resource: pods, nameLabel: pod}"
	for _, c := range []struct{ name, query, more, reason, words string }{
		{"good", "sum(orders)", "", "Idle", "1 series"},
		{"unparsed", "sum by (", "", "ParseError", "does not parse"},
		{"matrix", "orders[5m]", "", "ParseError", "range vector"},
		{"nothing", "no_such_series", "", "NoData", "no series"},
		{"not-finite", "ratio", ofPods, "NotFinite", "2 series are NaN or infinite"},
		{"twins", `{__name__=~"twin|double"}`, ofPods, "AmbiguousObjects", "2 series for"},
		{"nameless", "nameless", ofPods, "MissingLabel", "lack the labels"},
		{"crowd", "crowd", ", maxSeries: 10", "TooManySeries", "maxSeries, 10"},
		{"widgets", "orders", ", object: {resource: widgets.example.com, nameLabel: pod}", "UnknownResource", "widgets.example.com"},
		{"nodes", "orders", ", object: {resource: nodes, nameLabel: node}", "OtherNamespace", "use a ClusterMetricRule"},
		{"guarded", "sum(orders)", `, guard: "sum(orders) > 100"`, "GuardFailed", "sum(orders) > 100"},
		{"refused", `label_replace(orders, "x", "", "y", "(")`, "", "SourceRefused", "regular expression"},
		{"forged", `label_replace(orders, "namespace", "kube-system", "", "")`, "", "OtherNamespace", "kube-system"},
		{"blind", "max_over_time(sum(orders)[1m:5s])", "", "Idle", "1 series"},
	} {
		w.apply(t, ns, fmt.Sprintf(template, c.name, c.query, c.more))
		w.says(t, ns, c.name, c.reason, c.words)
	}
	stacktest.Eventually(t, "the good rule's value", func() error {
		body, err := w.get(externalPath(ns, "good"))
		return wants(body, err, `"value":"3"`)
	})
	stacktest.Eventually(t, "a refusal that names the guard", func() error { // of whichever adapter answers
		body, err := w.get(externalPath(ns, "guarded"))
		if err == nil || !strings.Contains(err.Error(), "the guard does not hold") {
			return fmt.Errorf("it says %s (%v)", body, err) //nolint:errorlint // which may be nil
		}
		return nil
	})
	_, err := w.get(externalPath(ns, "nothing"))
	require.Error(t, err, "no value is no 0")
	got, err := w.getQuery("/apis/custom.metrics.k8s.io/v1beta2/namespaces/"+ns+"/pods/a/not-finite", "")
	require.Error(t, err, "%s", got)
	stacktest.Eventually(t, "the finite one of the values", func() error {
		got, err := w.getQuery("/apis/custom.metrics.k8s.io/v1beta2/namespaces/"+ns+"/pods/c/not-finite", "")
		return wants(got, err, `"value":"500m"`)
	})
}

func TestARuleTakesEffectWithoutARestart(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	w.expose(t, ns, `orders{namespace="$NS"} 3`)
	rule := func(query string) {
		w.apply(t, ns, `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: orders, namespace: $NS}
spec: {query: '`+query+`', interval: 5s}
`)
	}
	for query, want := range map[string]string{"sum(orders)": `"3"`, "sum(orders) * 2": `"6"`, "sum(orders) / 2": `"1500m"`} {
		rule(query)
		stacktest.Eventually(t, query, func() error {
			body, err := w.get(externalPath(ns, "orders"))
			return wants(body, err, `"value":`+want)
		})
	}
	rule("sum by (")
	w.says(t, ns, "orders", "ParseError", "does not parse")
	stacktest.Eventually(t, "an error that says why there is no value", func() error {
		_, err := w.get(externalPath(ns, "orders"))
		if err == nil || !strings.Contains(err.Error(), "is not in force") {
			return fmt.Errorf("it says %w", errors.Join(err, errors.New("(not that the rule is not in force)")))
		}
		return nil
	})
}

func TestTwoRulesForOneMetric(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	w.expose(t, ns, `orders{namespace="$NS"} 3`)
	for _, name := range []string{"zz-first", "aa-second"} {
		w.apply(t, ns, `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: `+name+`, namespace: $NS}
spec: {metric: orders, query: sum(orders), interval: 5s}
`)
		w.says(t, ns, "zz-first", "Idle", "1 series")
		time.Sleep(1100 * time.Millisecond) // creation times have seconds; the order of creation is what is tested
	}
	w.says(t, ns, "aa-second", "Conflict", "MetricRule/"+ns+"/zz-first already defines this metric")
}

func TestAnUnknownMetricNamesItsNeighbours(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	w.apply(t, ns, usersRule)
	stacktest.Eventually(t, "404 with near matches", func() error {
		_, err := w.get(podsPath(ns, "onlin_user"))
		if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "online_users") {
			return fmt.Errorf("it says %w", err)
		}
		return nil
	})
}

func TestDiscoveryListsTheMetricsAggregatedAndNot(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	w.expose(t, ns, `orders{namespace="$NS"} 3`)
	w.apply(t, ns, usersRule+`---
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: orders-listed, namespace: $NS}
spec: {query: sum(orders), interval: 5s}
`)
	for name, legacy := range map[string]bool{"aggregated": false, "not aggregated": true} {
		client, err := discovery.NewDiscoveryClientForConfig(w.RESTConfig)
		require.NoError(t, err)
		client.UseLegacyDiscovery = legacy
		stacktest.Eventually(t, name+" discovery", func() error {
			_, lists, err := client.ServerGroupsAndResources()
			if err != nil {
				return err
			}
			found := map[string]bool{}
			for _, l := range lists {
				for _, r := range l.APIResources {
					found[l.GroupVersion+" "+r.Name] = true
				}
			}
			for _, want := range []string{
				"custom.metrics.k8s.io/v1beta2 pods/online_users", "custom.metrics.k8s.io/v1beta1 pods/online_users",
				"external.metrics.k8s.io/v1beta1 orders-listed", "query.plimsoll.dev/v1alpha1 sources/proxy",
			} {
				if !found[want] {
					return fmt.Errorf("%s is not listed", want)
				}
			}
			return nil
		})
	}
}

// The times in the answers are the samples': they stop when the exporter hangs, and after maxAge there is an error.
func TestTimesAreTheSamplesOwn(t *testing.T) {
	w, ns := shared, shared.newNamespace(t)
	pods := w.deploy(t, ns, "shop", 2)
	w.expose(t, ns, series("online_users", ns, pods, 40))
	w.apply(t, ns, usersRule)
	first := time.Time{}
	stacktest.Eventually(t, "a value", func() error {
		got, err := w.values(podsPath(ns, "online_users"))
		if err != nil || len(got) != 2 {
			return fmt.Errorf("%d values: %w", len(got), err)
		}
		first = got[pods[0]].Timestamp.Time
		return nil
	})
	stacktest.Eventually(t, "a later sample", func() error {
		got, err := w.values(podsPath(ns, "online_users"))
		if err == nil && !got[pods[0]].Timestamp.After(first) {
			err = errors.New("the time stands still")
		}
		return err
	})
	resume := w.exporter.Hang()
	defer resume()
	hung := time.Now()
	stacktest.Eventually(t, "an error", func() error {
		asked := time.Now()
		got, err := w.values(podsPath(ns, "online_users"))
		if err != nil {
			return nil //nolint:nilerr // it is what is waited for
		}
		for _, v := range got {
			// One scrape may have been under way, and seconds are rounded.
			require.False(t, v.Timestamp.After(hung.Add(time.Second)), "a value measured at %s, after the exporter hung at %s", v.Timestamp, hung)
			require.LessOrEqual(t, asked.Sub(v.Timestamp.Time), 11*time.Second, "a value older than maxAge")
		}
		return errors.New("values still")
	})
	resume()
	stacktest.Eventually(t, "values again", func() error {
		_, err := w.values(podsPath(ns, "online_users"))
		return err
	})
}

// Tenants: a rule reads its own namespace, a caller without rights nothing, and the query API shows a caller his namespace.
func TestTenantsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	w, mine, theirs := shared, shared.newNamespace(t), shared.newNamespace(t)
	w.expose(t, mine, `secret_orders{namespace="$NS"} 3`)
	w.expose(t, theirs, `secret_orders{namespace="$NS"} 40`)
	w.apply(t, mine, `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: all-orders, namespace: $NS}
spec: {query: 'sum(secret_orders) or sum(secret_orders{namespace="`+theirs+`"})', interval: 5s}
`)
	stacktest.Eventually(t, "the rule's own series only", func() error {
		body, err := w.get(externalPath(mine, "all-orders"))
		return wants(body, err, `"value":"3"`)
	})

	reader := w.as(t, mine,
		rbacv1.PolicyRule{APIGroups: []string{"external.metrics.k8s.io"}, Resources: []string{"all-orders"}, Verbs: []string{"list"}},
		rbacv1.PolicyRule{APIGroups: []string{"query.plimsoll.dev"}, Resources: []string{"sources/proxy"}, Verbs: []string{"get", "create"}})
	read := func(path string) ([]byte, error) { return ask(reader, path) }
	stacktest.Eventually(t, "a read by one who may", func() error {
		body, err := read(externalPath(mine, "all-orders") + "?labelSelector=x%21%3Dy")
		return wants(body, err, `"value":"3"`)
	})
	_, err := read(externalPath(theirs, "all-orders"))
	require.True(t, isForbidden(err), "%v", err)
	_, err = read(externalPath(mine, "other"))
	require.True(t, isForbidden(err), "%v", err)

	query := func(ns, promql string) string {
		return "/apis/query.plimsoll.dev/v1alpha1/namespaces/" + ns + "/sources/default/proxy/api/v1/query?query=" + url.QueryEscape(promql)
	}
	stacktest.Eventually(t, "the sum of one's own series", func() error { // a scrape that fails leaves a hole
		body, err := read(query(mine, `sum(secret_orders) or vector(-1)`))
		return wants(body, err, `"3"`)
	})
	body, err := read(query(mine, `secret_orders{namespace="`+theirs+`"}`))
	require.NoError(t, wants(body, err, `"result":[]`))
	_, err = read(query(theirs, `sum(secret_orders)`))
	require.True(t, isForbidden(err), "%v", err)
	for _, ofAll := range []string{"sources/default/proxy/api/v1/query?query=up", "memberdemands"} {
		_, err = read("/apis/query.plimsoll.dev/v1alpha1/" + ofAll)
		require.True(t, isForbidden(err), "%v", err)
	}
}

// The document behind `plimsoll explain metric`.
func TestExplain(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	pods := w.deploy(t, ns, "shop", 2)
	w.expose(t, ns, series("online_users", ns, pods, 31.5))
	w.apply(t, ns, usersRule+"---"+usersHPA)
	path := "/apis/query.plimsoll.dev/v1alpha1/namespaces/" + ns + "/metrics/online_users/explain"
	stacktest.Eventually(t, "an explanation", func() error {
		body, err := w.get(path)
		for _, part := range []string{`"value":31.5`, `"kind":"HorizontalPodAutoscaler"`, `"name":"shop"`, `"usable":true`, `"query":"sum by (namespace, pod) (online_users)"`, pods[0], w.PrometheusURL} {
			err = wants(body, err, part)
		}
		return err
	})
	var body []byte
	stacktest.Eventually(t, "an explanation of one pod's value", func() error { // a scrape that fails leaves a hole
		var err error
		body, err = w.getQuery(path, "name="+pods[1])
		return wants(body, err, pods[1])
	})
	require.NotContains(t, string(body), pods[0])
}

// getQuery is get with a query string.
func (w *world) getQuery(path, query string) ([]byte, error) { return ask(w.cluster, path+"?"+query) }

// values reads a custom metric and returns the values by object.
func (w *world) values(path string) (map[string]custom.MetricValue, error) {
	body, err := w.get(path)
	if err != nil {
		return nil, err
	}
	var list custom.MetricValueList
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	out := map[string]custom.MetricValue{}
	for _, v := range list.Items {
		out[v.DescribedObject.Name] = v
	}
	return out, nil
}

func isForbidden(err error) bool { return apierrors.IsForbidden(err) }
