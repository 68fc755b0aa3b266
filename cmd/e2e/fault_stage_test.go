// SPDX-License-Identifier: Apache-2.0

//go:build faults

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// adapters is how many replicas of the adapter serve side by side when a fault begins.
const adapters = 2

// The times of every stage's rules. maxAge leaves room for a scrape that a busy machine misses.
const (
	interval = 2 * time.Second
	maxAge   = 6 * time.Second
	// slack is what a busy machine may add to a time that is promised.
	slack = 3 * time.Second
)

// What a stage's workloads have, and what their metrics say: exactly what is needed to keep it so.
const (
	steadyReplicas = 4
	usersOfAPod    = 100
	ordersWaiting  = 40
)

// A namespace with two workloads: shop scales on a metric of its pods, worker on an external metric. Both would halve at
// once if a value were lost as 0, or come back smaller.
const stageObjects = `
apiVersion: plimsoll.dev/v1alpha1
kind: ClusterMetricRule
metadata: {name: users-$NS}
spec: {query: 'sum by (namespace, pod) (users{namespace="$NS"})', object: {resource: pods, nameLabel: pod}, interval: 2s, maxAge: 6s}
---
apiVersion: plimsoll.dev/v1alpha1
kind: ClusterMetricRule
metadata: {name: orders-$NS}
spec: {query: 'sum(orders{namespace="$NS"})', interval: 2s, maxAge: 6s}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop, namespace: $NS}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 2
  maxReplicas: 20
  behavior:
    scaleUp: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 1000, periodSeconds: 1}]}
    scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 100, periodSeconds: 1}]}
  metrics:
  - type: Pods
    pods: {metric: {name: users-$NS}, target: {type: AverageValue, averageValue: "100"}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: worker, namespace: $NS}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: worker}
  minReplicas: 1
  maxReplicas: 20
  behavior:
    scaleUp: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 1000, periodSeconds: 1}]}
    scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 100, periodSeconds: 1}]}
  metrics:
  - type: External
    external: {metric: {name: orders-$NS}, target: {type: AverageValue, averageValue: "10"}}
`

// stage is one test's namespace with two workloads whose replicas must not fall.
type stage struct {
	*world
	ns            string
	users, orders string // the metrics, and the rules of the same names
	pods          []string
	reader        kubernetes.Interface // one who may read the namespace's metrics, and no more
	realSource    string               // the cluster's Prometheus, whatever the adapters ask just now
}

// newStage sets everything up and returns when both HPAs read their metric; from then on the replicas are watched.
func newStage(t *testing.T) *stage {
	t.Helper()
	w := shared
	require.NoError(t, w.WaitAvailable(t.Context()))
	ns := w.newNamespace(t)
	s := &stage{world: w, ns: ns, users: "users-" + ns, orders: "orders-" + ns, realSource: w.PrometheusURL}
	s.pods = w.deploy(t, ns, "shop", steadyReplicas)
	w.deploy(t, ns, "worker", steadyReplicas)
	s.exposeOrders(t, ordersWaiting)
	w.apply(t, ns, stageObjects)
	t.Cleanup(func() {
		rules := w.objects.Resource(v1alpha1.SchemeGroupVersion.WithResource("clustermetricrules"))
		for _, name := range []string{s.users, s.orders} {
			require.NoError(t, rules.Delete(context.Background(), name, metav1.DeleteOptions{}))
		}
	})
	s.reader = w.as(t, ns, rbacv1.PolicyRule{
		APIGroups: []string{"custom.metrics.k8s.io", "external.metrics.k8s.io"}, Resources: []string{"*"}, Verbs: []string{"get", "list"},
	})
	s.isWell(t)
	s.watchReplicas(t)
	return s
}

// exposeOrders sets both metrics, with so many orders waiting.
func (s *stage) exposeOrders(t *testing.T, orders int) {
	t.Helper()
	s.expose(t, s.ns, series("users", s.ns, s.pods, usersOfAPod)+fmt.Sprintf("orders{namespace=%q} %d\n", s.ns, orders))
}

// isWell waits until both metrics have their values and both HPAs work with them.
func (s *stage) isWell(t *testing.T) {
	t.Helper()
	stacktest.Eventually(t, "both metrics", s.hasValues)
	for _, name := range []string{"shop", "worker"} {
		stacktest.Eventually(t, "a working HPA "+name, func() error {
			hpa, err := s.cluster.AutoscalingV2().HorizontalPodAutoscalers(s.ns).Get(context.Background(), name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, c := range hpa.Status.Conditions {
				if c.Type == autoscalingv2.ScalingActive && c.Status == corev1.ConditionTrue {
					return nil
				}
			}
			return errors.New(s.hpaSays(s.ns, name))
		})
	}
}

// hasValues returns nil if both metrics answer, and rightly.
func (s *stage) hasValues() error {
	for _, q := range s.questions() {
		r := s.ask(q)
		if err := errors.Join(r.err, r.wrong); err != nil {
			return err
		}
	}
	return nil
}

// stillScales shows that the HPAs are not merely quiet: more orders mean more workers.
func (s *stage) stillScales(t *testing.T) {
	t.Helper()
	s.exposeOrders(t, 2*ordersWaiting)
	s.scaledTo(t, s.ns, "worker", 2*steadyReplicas)
}

// watchReplicas fails the test at its end if a workload, or what its HPA wants, was ever below what it had.
func (s *stage) watchReplicas(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	var looks int
	var fell []string
	ended.Go(func() {
		for ctx.Err() == nil {
			seen, err := s.replicasSeen(ctx)
			if err == nil {
				looks++
			}
			fell = append(fell, seen...)
			time.Sleep(100 * time.Millisecond)
		}
	})
	t.Cleanup(func() {
		stop()
		ended.Wait()
		require.Empty(t, fell, "replicas fell")
		require.Positive(t, looks, "nobody looked at the replicas")
	})
}

// replicasSeen names the workloads and HPAs that have, or want, fewer replicas than at the start.
func (s *stage) replicasSeen(ctx context.Context) (fell []string, err error) {
	deployments, err := s.cluster.AppsV1().Deployments(s.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err // no API server just now
	}
	for _, d := range deployments.Items {
		if *d.Spec.Replicas < steadyReplicas {
			fell = append(fell, fmt.Sprintf("%s: Deployment %s has %d replicas", time.Now().Format(time.TimeOnly), d.Name, *d.Spec.Replicas))
		}
	}
	hpas, err := s.cluster.AutoscalingV2().HorizontalPodAutoscalers(s.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fell, err
	}
	for _, h := range hpas.Items {
		if h.Status.DesiredReplicas < steadyReplicas {
			fell = append(fell, fmt.Sprintf("%s: HPA %s wants %d replicas: %s", time.Now().Format(time.TimeOnly), h.Name, h.Status.DesiredReplicas, s.hpaSays(s.ns, h.Name)))
		}
	}
	return fell, nil
}

// question is a metric that a stage reads, and what is true of it as long as the stage is steady.
type question struct {
	path   string
	values int
	value  string
}

func (s *stage) questions() []question {
	return []question{
		{podsPath(s.ns, s.users), steadyReplicas, strconv.Itoa(usersOfAPod)},
		{"/apis/external.metrics.k8s.io/v1beta1/namespaces/" + s.ns + "/" + s.orders, 1, strconv.Itoa(ordersWaiting)},
	}
}

// adapterNames are the names of the adapters that run when a fault begins.
func adapterNames() []string {
	var names []string
	for i := range adapters {
		names = append(names, fmt.Sprintf("adapter-%d", i))
	}
	return names
}

// restartAdapters kills the adapters one after the other and starts each again with a source and further flags, until
// the test ends.
func (s *stage) restartAdapters(t *testing.T, source string, flags ...string) {
	t.Helper()
	usual := s.PrometheusURL
	s.PrometheusURL = source
	restart := func(ctx context.Context, flags ...string) {
		for _, name := range adapterNames() {
			if s.AdapterPID(name) != 0 {
				require.NoError(t, s.KillAdapter(name))
			}
			require.NoError(t, s.StartAdapter(ctx, name, flags...))
		}
		require.NoError(t, s.WaitAvailable(ctx))
	}
	t.Cleanup(func() {
		s.PrometheusURL = usual
		restart(context.Background())
	})
	restart(t.Context(), flags...)
	s.isWell(t)
}

// component does a verb to a component of the cluster.
func (s *stage) component(t *testing.T, verb, component string) {
	t.Helper()
	require.NoError(t, s.Component(t.Context(), verb, component))
}

// restores does a verb to a component when the test ends, however it ends.
func (s *stage) restores(t *testing.T, verb, component string) {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, s.Component(context.Background(), verb, component)) })
}
