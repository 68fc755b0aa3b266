// SPDX-License-Identifier: Apache-2.0

//go:build !faults

package e2e

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
)

// calm keeps tests short: no stabilisation, no limits on steps.
const calm = `
  behavior:
    scaleUp: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 100, periodSeconds: 1}]}
    scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 100, periodSeconds: 1}]}
`

const usersRule = `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: online-users, namespace: $NS}
spec:
  metric: online_users
  query: sum by (namespace, pod) (online_users)
  object: {resource: pods, nameLabel: pod}
  interval: 5s
  maxAge: 10s
`

const usersHPA = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop, namespace: $NS}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 2
  maxReplicas: 20
  metrics:
  - type: Pods
    pods: {metric: {name: online_users}, target: {type: AverageValue, averageValue: "100"}}
` + calm

// The main job: users rise and fall, and the real HPA follows them.
func TestTheHPAFollowsOnlineUsers(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	pods := w.deploy(t, ns, "shop", 2)
	w.expose(t, ns, series("online_users", ns, pods, 300))
	w.apply(t, ns, usersRule+"---"+usersHPA)
	w.scaledTo(t, ns, "shop", 6) // 600 users at 100 a pod

	w.spread(t, ns, 600)
	w.says(t, ns, "online-users", "Working", "6 objects")
	w.spread(t, ns, 200)
	w.scaledTo(t, ns, "shop", 2)
}

// spread divides users over the pods that run, as a load balancer would.
func (w *world) spread(t *testing.T, ns string, users float64) {
	t.Helper()
	var pods []string
	stacktest.Eventually(t, "pods to spread users over", func() error {
		want, err := w.replicas(ns, "shop")
		if err != nil {
			return err
		}
		if pods, err = w.runningPods(ns, "shop"); err == nil && len(pods) != int(want) {
			err = fmt.Errorf("%d of %d pods run", len(pods), want)
		}
		return err
	})
	w.expose(t, ns, series("online_users", ns, pods, users/float64(len(pods))))
}

// An external metric has values with no pod running: the HPA wakes the workload and sends it to sleep again.
func TestFromZeroToOneAndBackOnAnExternalMetric(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	w.expose(t, ns, `orders_waiting{namespace="$NS"} 5`)
	w.deploy(t, ns, "worker", 1)
	w.apply(t, ns, `
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: orders-waiting, namespace: $NS}
spec: {metric: orders_waiting, query: sum(orders_waiting), interval: 5s, maxAge: 10s}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: worker, namespace: $NS}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: worker}
  minReplicas: 0
  maxReplicas: 5
  metrics:
  - type: External
    external: {metric: {name: orders_waiting}, target: {type: AverageValue, averageValue: "10"}}
`+calm)
	w.says(t, ns, "orders-waiting", "Working", "1 series")
	w.expose(t, ns, `orders_waiting{namespace="$NS"} 0`)
	w.scaledTo(t, ns, "worker", 0)
	w.expose(t, ns, `orders_waiting{namespace="$NS"} 7`)
	w.scaledTo(t, ns, "worker", 1)
	w.expose(t, ns, `orders_waiting{namespace="$NS"} 0`)
	w.scaledTo(t, ns, "worker", 0)
}

// Object metrics: of a Service, of the namespace itself, and of a cluster-scoped kind, as the HPA asks for them.
func TestObjectMetricsOfServicesNamespacesAndNodes(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	nodes, err := w.get("/api/v1/nodes/e2e-node-0")
	require.NoError(t, err)
	require.NotEmpty(t, nodes)
	w.expose(t, ns, `
hits{namespace="$NS",service="front"} 70
orders{namespace="$NS"} 41.5
temperature{tenant="$NS",node="e2e-node-0"} 63
`)
	w.apply(t, ns, `
apiVersion: v1
kind: Service
metadata: {name: front, namespace: $NS, labels: {tier: web}}
spec: {ports: [{port: 80}]}
---
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: hits, namespace: $NS}
spec: {query: "sum by (namespace, service) (hits)", object: {resource: services, nameLabel: service}, interval: 5s}
---
apiVersion: plimsoll.dev/v1alpha1
kind: MetricRule
metadata: {name: orders, namespace: $NS}
spec: {query: "sum by (namespace) (orders)", object: {resource: namespaces, nameLabel: namespace}, interval: 5s}
---
apiVersion: plimsoll.dev/v1alpha1
kind: ClusterMetricRule
metadata: {name: temperature-$NS}
spec: {metric: temperature-$NS, query: "avg by (node) (temperature{tenant=\"$NS\"})", object: {resource: nodes, nameLabel: node}, interval: 5s}
`)
	t.Cleanup(func() { _ = w.deleteClusterRule("temperature-" + ns) })
	for what, path := range map[string]string{
		"70":     "/namespaces/" + ns + "/services/front/hits",
		"41500m": "/namespaces/" + ns + "/metrics/orders",
		"63":     "/namespaces/" + ns + "/nodes/e2e-node-0/temperature-" + ns,
	} {
		for _, version := range []string{"v1beta2", "v1beta1"} {
			stacktest.Eventually(t, path, func() error {
				body, err := w.get("/apis/custom.metrics.k8s.io/" + version + path)
				return wants(body, err, `"value":"`+what+`"`)
			})
		}
	}
	path := "/apis/custom.metrics.k8s.io/v1beta2/namespaces/" + ns + "/services/*/hits"
	stacktest.Eventually(t, "services by label", func() error {
		body, err := w.getQuery(path, "labelSelector=tier%3Dweb")
		return wants(body, err, `"name":"front"`)
	})
	_, err = w.getQuery(path, "labelSelector=tier%3Dother")
	require.Error(t, err, "no service has that label")
	require.False(t, isForbidden(err))
}

// The same list in protobuf, as the HPA asks for it, and the sample's own time in it.
func TestProtobufAndJSONSayTheSame(t *testing.T) {
	t.Parallel()
	w, ns := shared, shared.newNamespace(t)
	pods := w.deploy(t, ns, "shop", 3)
	w.expose(t, ns, series("online_users", ns, pods, 31.5))
	w.apply(t, ns, usersRule)
	stacktest.Eventually(t, "three values", func() error {
		got, err := w.values(podsPath(ns, "online_users"))
		if err == nil && len(got) != 3 {
			err = fmt.Errorf("%d values", len(got))
		}
		return err
	})
	config := rest.CopyConfig(w.RESTConfig)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	stacktest.Eventually(t, "the same in protobuf", func() error { // a scrape that fails leaves a hole
		body, err := client.CoreV1().RESTClient().Get().AbsPath(podsPath(ns, "online_users")).SetHeader("Accept", config.ContentType).DoRaw(t.Context())
		for _, pod := range pods {
			err = wants(body, err, pod)
		}
		if err == nil && !bytes.HasPrefix(body, []byte("k8s\x00")) {
			err = fmt.Errorf("it is no protobuf: %q", body)
		}
		return err
	})
	stacktest.Eventually(t, "values with the samples' own time", func() error {
		asked := time.Now()
		got, err := w.values(podsPath(ns, "online_users"))
		for _, v := range got {
			require.Equal(t, "31500m", v.Value.String())
			require.LessOrEqual(t, asked.Sub(v.Timestamp.Time), 11*time.Second, "a value older than maxAge, or than a second more for rounding")
			require.False(t, v.Timestamp.After(time.Now()))
		}
		if err == nil && len(got) != len(pods) {
			err = fmt.Errorf("%d values", len(got))
		}
		return err
	})
}
