// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	cmv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	emv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	"pgregory.net/rapid"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"

	"github.com/plimsoll/plimsoll/adapter/rule"
)

var (
	nodes     = rule.Object{Resource: schema.GroupResource{Resource: "nodes"}, Kind: schema.GroupVersionKind{Version: "v1", Kind: "Node"}, NameLabel: "node"}
	ingresses = rule.Object{
		Resource:   schema.GroupResource{Group: "networking.k8s.io", Resource: "ingresses"},
		Kind:       schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
		Namespaced: true, NamespaceLabel: "namespace", NameLabel: "ingress",
	}
	wholeNamespace = rule.Object{Resource: namespaces, Kind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, NameLabel: "namespace"}
)

// shop is a fixture with every kind of metric, and every kind of trouble.
func shop(t testing.TB) *fixture {
	f := newFixture(t,
		podRule("", "online_users"), podRule("", "split"), podRule("", "stale"), podRule("", "never"), podRule("", "odd_values"), podRule("shop", "own"),
		objectRule("", "load", nodes), objectRule("", "requests", ingresses), objectRule("", "budget", wholeNamespace),
		externalRule("", "queue_length"), externalRule("shop", "orders"), externalRule("", "old_queue"))
	x := map[string]string{"app": "x"}
	f.add("/api/v1/pods", object("shop", "x-1", x), object("shop", "x-2", x), object("shop", "x-3", x), object("shop", "y-1", map[string]string{"app": "y"}), object("bank", "x-1", x))
	f.add("/api/v1/nodes", object("", "n1", map[string]string{"zone": "a"}), object("", "n2", map[string]string{"zone": "a"}))
	f.add("/apis/networking.k8s.io/v1/ingresses", object("shop", "front", x))
	pod := func(v float64, name string, more ...string) series {
		return series{v, append([]string{"namespace", "shop", "pod", name}, more...)}
	}
	f.publish(t, rule.Key{Name: "online_users"}, time.Second, pod(31.5, "x-1"), pod(12, "x-2"), pod(7, "y-1"), series{1, []string{"namespace", "bank", "pod", "x-1"}})
	f.publish(t, rule.Key{Name: "split"}, time.Second, pod(1, "x-1", "tier", "gold"), pod(2, "x-1", "tier", "tin"), pod(3, "x-2", "tier", "gold"))
	f.publish(t, rule.Key{Name: "stale"}, 3*time.Minute, pod(5, "x-1"))
	f.publish(t, rule.Key{Name: "odd_values"}, time.Second, pod(math.NaN(), "x-1"), pod(1e18, "x-2"), pod(0.0004, "x-3"), pod(-9e14, "y-1"))
	f.publish(t, rule.Key{Namespace: "shop", Name: "own"}, time.Second, pod(3, "x-1"))
	f.publish(t, rule.Key{Name: "load"}, time.Second, series{0.25, []string{"node", "n1"}}, series{0.5, []string{"node", "n2"}})
	f.publish(t, rule.Key{Name: "requests"}, time.Second, series{250, []string{"namespace", "shop", "ingress", "front"}})
	f.publish(t, rule.Key{Name: "budget"}, time.Second, series{1e6, []string{"namespace", "shop"}})
	f.publish(t, rule.Key{Name: "queue_length"}, time.Second, series{4, []string{"queue", "a", "region", "eu"}}, series{5, []string{"queue", "b", "region", "eu"}}, series{6, nil})
	f.publish(t, rule.Key{Namespace: "shop", Name: "orders"}, time.Second, series{99, nil})
	f.publish(t, rule.Key{Name: "old_queue"}, 3*time.Minute, series{4, []string{"queue", "a"}})
	f.options.Now = stopped(time.Now()) // messages name ages, and no value grows too old while a test runs
	return f
}

const (
	v1beta2  = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/"
	v1beta1  = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/"
	external = "/apis/external.metrics.k8s.io/v1beta1/namespaces/"
)

// reads are requests in the HPA's forms, with the status each must have.
var reads = []struct {
	path   string
	status int
}{
	{v1beta2 + "shop/pods/%2A/online_users?labelSelector=app%3Dx", 200},
	{v1beta2 + "shop/pods/*/online_users?labelSelector=app%3Dx&metricLabelSelector=", 200},
	{v1beta1 + "shop/pods/%2A/online_users?labelSelector=app+in+%28x%2Cy%29", 200},
	{v1beta2 + "shop/pods/%2A/online_users", 200},
	{v1beta2 + "shop/pods/x-1/online_users", 200},
	{v1beta2 + "shop/pods/x-1/online_users?metricLabelSelector=", 200},
	{v1beta2 + "shop/pods/%2A/own?labelSelector=app%3Dx", 200},
	{v1beta2 + "bank/pods/%2A/own?labelSelector=app%3Dx", 404},
	{v1beta2 + "shop/pods/%2A/split?labelSelector=app%3Dx&metricLabelSelector=tier%3Dgold", 200},
	{v1beta1 + "shop/pods/%2A/split?labelSelector=app%3Dx&metricLabelSelector=tier%3Dgold", 200},
	{v1beta2 + "shop/pods/%2A/split?labelSelector=app%3Dx&metricLabelSelector=tier+notin+%28tin%29", 200},
	{v1beta2 + "shop/pods/%2A/split?labelSelector=app%3Dx&metricLabelSelector=tier%3Dlead", 404},
	{v1beta2 + "shop/pods/%2A/split?labelSelector=app%3Dx", 422},
	{v1beta2 + "shop/pods/%2A/stale?labelSelector=app%3Dx", 503},
	{v1beta2 + "shop/pods/%2A/never?labelSelector=app%3Dx", 503},
	{v1beta2 + "shop/pods/%2A/online_user?labelSelector=app%3Dx", 404},
	{v1beta2 + "shop/pods/%2A/online_users?labelSelector=app%3Dnobody", 404},
	{v1beta2 + "shop/pods/x-9/online_users", 404},
	{v1beta2 + "shop/pods/%2A/online_users?labelSelector=app%3D%3D%3D", 400},
	{v1beta2 + "shop/pods/%2A/odd_values?labelSelector=app%3Dx", 200},
	{v1beta2 + "shop/pods/x-1/odd_values", 503},
	{v1beta2 + "shop/pods/x-2/odd_values", 422},
	{v1beta2 + "shop/pods/y-1/odd_values", 200},
	{v1beta2 + "shop/nodes/n1/load", 200},
	{v1beta2 + "shop/nodes/%2A/load?labelSelector=zone%3Da", 200},
	{v1beta2 + "shop/ingresses.networking.k8s.io/front/requests", 200},
	{v1beta2 + "shop/ingresses.networking.k8s.io/%2A/requests?labelSelector=app%3Dx", 200},
	{v1beta2 + "shop/metrics/budget", 200},
	{v1beta1 + "shop/metrics/budget?metricLabelSelector=", 200},
	{v1beta2 + "bank/metrics/budget", 404},
	{v1beta2 + "shop/namespaces/shop/budget", 200},
	{v1beta2 + "bank/namespaces/shop/budget", 400},
	{v1beta2 + "bank/namespaces/%2A/budget", 400},
	{external + "shop/queue_length", 200},
	{external + "shop/queue_length?labelSelector=queue%3Da", 200},
	{external + "shop/queue_length?labelSelector=region%3Deu", 200},
	{external + "shop/queue_length?labelSelector=region%3Dmars", 404},
	{external + "shop/orders", 200},
	{external + "bank/orders", 404},
	{external + "shop/old_queue", 503},
	{external + "shop/queue", 404},
}

// TestFastPathAnswersAsTheLibrary compares each answer with the one that the library's handlers give. The parameter
// "timeoutSeconds" means nothing for these reads but keeps the fast path from taking them.
func TestFastPathAnswersAsTheLibrary(t *testing.T) {
	f := shop(t).start(t)
	for _, read := range reads {
		for _, accept := range []string{hpaAccept, "application/vnd.kubernetes.protobuf", "application/json"} {
			t.Run(read.path+" "+accept, func(t *testing.T) {
				slow := read.path + "?timeoutSeconds=60"
				if strings.Contains(read.path, "?") {
					slow = read.path + "&timeoutSeconds=60"
				}
				got, want := f.get(t, read.path, "Accept", accept), f.get(t, slow, "Accept", accept)
				require.Equal(t, read.status, got.status, got.body)
				require.Equal(t, want.status, got.status)
				for _, h := range []http.Header{got.header, want.header} {
					h.Del("Audit-Id")
					h.Del("Date")
				}
				require.Equal(t, want.header, got.header)
				require.Equal(t, want.body, got.body)
			})
		}
	}
	require.NotZero(t, counted(t, f, "plimsoll_reads_total", "path", "fast"))
	require.NotZero(t, counted(t, f, "plimsoll_reads_total", "path", "library"))
}

// stopped is a clock that stands still, so that two answers of one moment can be compared.
func stopped(at time.Time) func() time.Time { return func() time.Time { return at } }

// counted sums a counter of our own over the series with a label.
func counted(t testing.TB, f *fixture, metric, label, value string) float64 {
	families, err := f.options.Registry.Gather()
	require.NoError(t, err)
	sum := 0.0
	for _, family := range families {
		if family.GetName() != metric {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

func decode[T runtime.Object](t testing.TB, body string, into T) T {
	_, _, err := apiserver.Codecs.UniversalDeserializer().Decode([]byte(body), nil, into)
	require.NoError(t, err)
	return into
}

func TestAnswersSayWhatWasMeasured(t *testing.T) {
	f := shop(t).start(t)
	list := decode(t, f.get(t, v1beta2+"shop/pods/%2A/online_users?labelSelector=app%3Dx", "Accept", hpaAccept).body, &cmv1beta2.MetricValueList{})
	require.Len(t, list.Items, 2, "x-3 has no value and is left out")
	first := list.Items[0]
	require.Equal(t, "v1", first.DescribedObject.APIVersion)
	require.Equal(t, "Pod", first.DescribedObject.Kind)
	require.Equal(t, "shop", first.DescribedObject.Namespace)
	require.Equal(t, "x-1", first.DescribedObject.Name)
	require.Equal(t, "31500m", first.Value.String())
	require.Nil(t, first.WindowSeconds)
	e := f.options.Store.Catalog().Entry(rule.Key{Name: "online_users"})
	require.Equal(t, e.Table().Newest().Unix(), first.Timestamp.Unix())

	node := decode(t, f.get(t, v1beta2+"shop/nodes/n1/load", "Accept", hpaAccept).body, &cmv1beta2.MetricValueList{}).Items[0]
	require.Equal(t, "", node.DescribedObject.Namespace)
	require.Equal(t, "Node", node.DescribedObject.Kind)

	ingress := decode(t, f.get(t, v1beta2+"shop/ingresses.networking.k8s.io/front/requests", "Accept", hpaAccept).body, &cmv1beta2.MetricValueList{}).Items[0]
	require.Equal(t, "networking.k8s.io/v1", ingress.DescribedObject.APIVersion)

	queues := decode(t, f.get(t, external+"shop/queue_length?labelSelector=region%3Deu", "Accept", hpaAccept).body, &emv1beta1.ExternalMetricValueList{})
	require.Len(t, queues.Items, 2)
	require.Equal(t, map[string]string{"queue": "a", "region": "eu"}, queues.Items[0].MetricLabels)
}

func TestErrorsSayWhy(t *testing.T) {
	f := shop(t).start(t)
	for path, want := range map[string][]string{
		v1beta2 + "shop/pods/%2A/online_user?labelSelector=app%3Dx":            {"no rule defines metric online_user of pods in namespace shop", "did you mean online_users?"},
		v1beta2 + "bank/pods/%2A/owm?labelSelector=app%3Dx":                    {"no rule defines metric owm of pods in namespace bank"},
		v1beta2 + "shop/pods/%2A/owm?labelSelector=app%3Dx":                    {"did you mean own?"},
		v1beta2 + "shop/pods/%2A/requests?labelSelector=app%3Dx":               {"did you mean requests (of ingresses.networking.k8s.io)?"},
		v1beta2 + "shop/pods/%2A/stale?labelSelector=app%3Dx":                  {"ClusterMetricRule/stale", "measured 3m", "1m0s"},
		v1beta2 + "shop/pods/x-1/split":                                        {`{tier="gold"}`, `{tier="tin"}`, "ambiguous"},
		v1beta2 + "shop/pods/%2A/online_users?labelSelector=app%3Dnobody":      {"no pods in namespace shop match the label selector"},
		v1beta2 + "shop/pods/x-2/odd_values":                                   {"the largest that an HPA reads correctly"},
		external + "shop/queue_length?labelSelector=region%3Dmars":             {`no series of metric queue_length matches "region=mars"`, `{queue="a", region="eu"}`},
		external + "shop/queue_lenght":                                         {"did you mean queue_length?"},
		"/apis/custom.metrics.k8s.io/v1beta2/pods/%2A/online_users":            {"pods are namespaced"},
		"/apis/query.plimsoll.dev/v1alpha1/namespaces/shop/sources/x/proxy/a":  {`there is no source "x"`},
		"/apis/query.plimsoll.dev/v1alpha1/namespaces/shop/sources/default":    {"there is nothing at"},
		"/apis/query.plimsoll.dev/v1alpha1/namespaces/shop/metrics/m/explain/": {"explain shop m"},
	} {
		got := f.get(t, path, "Accept", "application/json")
		for _, part := range want {
			require.Contains(t, message(got.body), part, path)
		}
	}
}

func message(body string) string {
	var status struct{ Message string }
	if json.Unmarshal([]byte(body), &status) != nil {
		return body
	}
	return status.Message
}

func TestQuantitiesAreThoseOfTheLibrary(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 31.5: "31500m", 0.0004: "400u", 1: "1", 1000: "1k", 1500: "1500", 2e6: "2M", -3: "-3", 9e15: "9P", 1e-12: "1n", -1e-12: "-1n", 33.333333333: "33333m", 0.5: "500m",
	} {
		require.Equal(t, want, string(appendQuantity(nil, v)))
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(-largest, largest).Draw(t, "value")
		q := quantityOf(v)
		text := string(appendQuantity(nil, v))
		require.Equal(t, q.String(), text)
		parsed, err := resource.ParseQuantity(text)
		require.NoError(t, err)
		require.Equal(t, v > 0, parsed.Sign() > 0)
		if math.Abs(v) >= 1 {
			require.InEpsilon(t, v, float64(parsed.MilliValue())/1000, 0.0006, "what the HPA reads")
		}
	})
	require.False(t, readable(1e18))
	require.False(t, readable(math.NaN()))
	require.True(t, readable(-largest))
	for _, edge := range []float64{largest, -largest, math.Nextafter(largest, 0)} {
		q := quantityOf(edge)
		require.Equal(t, edge > 0, q.MilliValue() > 0, "the edge must not wrap around")
	}
}
