// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

const fleet = 1000

// BenchmarkFleet runs 1,000 forecasts in as many namespaces, with ten pods each, against HTTP servers on loopback that are
// shaped like the query API and the API server: history first, then one point each for every iteration. Everything is in
// one process, so that the figures contain the servers' share, too. Budget: 5 % of a core.
func BenchmarkFleet(b *testing.B) {
	for _, interval := range []time.Duration{5 * time.Minute, 30 * time.Second} {
		b.Run(interval.String(), func(b *testing.B) { benchmarkFleet(b, interval) })
	}
}

func benchmarkFleet(b *testing.B, interval time.Duration) {
	now := start.Add(2 * time.Minute)
	c := newFleet(b, interval)
	l, err := newLoop(Options{
		Now: func() time.Time { return now }, RESTConfig: &rest.Config{Host: shapedProm(b)}, Workers: 1, Loading: 1,
		Registerer: prometheus.NewRegistry(), Observer: situation.Observer{Reader: c, Indexed: true},
	}, c)
	require.NoError(b, err)
	l.events = events.NewFakeRecorder(10 * fleet)
	quiet := klog.NewContext(b.Context(), logr.Discard())
	ctrllog.SetLogger(logr.Discard())
	look := func() {
		for key := range c.forecasts {
			_, err := l.Reconcile(quiet, reconcile.Request{NamespacedName: key})
			require.NoError(b, err)
		}
	}
	before := heap()
	cold := cpu()
	look()
	cold = cpu() - cold
	memory := heap() - before
	writes := c.writes
	warm := cpu()
	for b.Loop() {
		now = now.Add(interval)
		look()
	}
	perInterval := (cpu() - warm) / time.Duration(b.N)
	b.ReportMetric(100*perInterval.Seconds()/interval.Seconds(), "%core")
	b.ReportMetric(float64(perInterval.Microseconds())/fleet, "cpu-µs/point")
	b.ReportMetric(float64(c.writes-writes)/float64(b.N)/fleet, "writes/point")
	b.ReportMetric(cold.Seconds()*1000/fleet, "cpu-ms/history")
	b.ReportMetric(memory/fleet/1024, "KiB/forecast")
	l.entries.each(func(key types.NamespacedName, s *shown) {
		require.True(b, s.known, key)
	})
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// shapedProm answers range queries with `users`, and has no other series.
func shapedProm(b *testing.B) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(r.FormValue(name), 64)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
			return v
		}
		out := []byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[`)
		from, to, by := number("start"), number("end"), number("step")
		if r.FormValue("query") != "sum(online_users)" {
			to = from - 1
			out = []byte(`{"status":"success","data":{"resultType":"matrix","result":[`)
		}
		for at := from; at <= to; at += by {
			if at > from {
				out = append(out, ',')
			}
			out = append(append(append(append(out, '['), strconv.FormatInt(int64(at), 10)...), `,"`...), strconv.FormatFloat(users(time.Unix(int64(at), 0)), 'f', 2, 64)...)
			out = append(out, `"]`...)
		}
		end := `]}]}}`
		if to < from {
			end = `]}}`
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(out, end...))
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// fleetClient reads as a cache does, with copies, and writes statuses over HTTP.
type fleetClient struct {
	client.Client
	forecasts map[types.NamespacedName]*v1alpha1.ScaleForecast
	hpas      map[types.NamespacedName]*autoscalingv2.HorizontalPodAutoscaler
	pods      map[string][]corev1.Pod
	writes    int
}

func newFleet(b *testing.B, interval time.Duration) *fleetClient {
	c := &fleetClient{forecasts: map[types.NamespacedName]*v1alpha1.ScaleForecast{}, hpas: map[types.NamespacedName]*autoscalingv2.HorizontalPodAutoscaler{}, pods: map[string][]corev1.Pod{}}
	for i := range fleet {
		f, h := newForecast(), newHPA()
		f.Namespace = fmt.Sprintf("shop-%d", i)
		f.UID, f.ResourceVersion, h.Namespace = types.UID(f.Namespace), "1", f.Namespace
		f.Spec.Interval, f.Spec.LeadTime = &metav1.Duration{Duration: interval}, nil
		if interval < time.Minute { // a short history: five weeks of 7 hours
			f.Spec.Season = &v1alpha1.ForecastSeason{Day: metav1.Duration{Duration: time.Hour}}
		}
		c.forecasts[client.ObjectKeyFromObject(f)], c.hpas[client.ObjectKeyFromObject(h)] = f, h
		for n := range 10 {
			c.pods[f.Namespace] = append(c.pods[f.Namespace], readyPod(f.Namespace, fmt.Sprintf("shop-7d9f8c6b5d-abcd%d", n)))
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c.writes++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(newForecast())
	}))
	b.Cleanup(server.Close)
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.SchemeGroupVersion.WithKind("ScaleForecast"), meta.RESTScopeNamespace)
	direct, err := client.New(&rest.Config{Host: server.URL, QPS: -1}, client.Options{Scheme: clustertest.Scheme(b), Mapper: mapper})
	require.NoError(b, err)
	c.Client = direct
	return c
}

func readyPod(namespace, name string) corev1.Pod {
	yes := true
	created := metav1.NewTime(start.Add(-time.Hour))
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, CreationTimestamp: created, Labels: map[string]string{"pod-template-hash": "7d9f8c6b5d"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "shop-7d9f8c6b5d", UID: "rs", Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: "node-1"},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: created},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(created.Add(90 * time.Second))},
		}},
	}
}

func (c *fleetClient) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	switch object := into.(type) {
	case *v1alpha1.ScaleForecast:
		c.forecasts[key].DeepCopyInto(object)
	case *autoscalingv2.HorizontalPodAutoscaler:
		c.hpas[key].DeepCopyInto(object)
	case *metav1.PartialObjectMetadata: // the namespace
		object.Name = key.Name
	default:
		return fmt.Errorf("the benchmark has no %T", into)
	}
	return nil
}

func (c *fleetClient) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	o := (&client.ListOptions{}).ApplyOptions(options)
	switch list := into.(type) {
	case *corev1.PodList:
		list.Items = append(list.Items, c.pods[o.Namespace]...)
	case *v1alpha1.ScaleForecastList:
		list.Items = append(list.Items, *c.forecasts[types.NamespacedName{Namespace: o.Namespace, Name: key.Name}])
	case *v1alpha1.ScaleScheduleList:
	default:
		return fmt.Errorf("the benchmark has no %T", into)
	}
	return nil
}
