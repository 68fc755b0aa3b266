// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/apiserver"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider/defaults"

	"github.com/plimsoll/plimsoll/adapter/rule"
)

// constant is the cheapest provider there can be: it returns a list made before.
type constant struct {
	defaults.DefaultCustomMetricsProvider
	defaults.DefaultExternalMetricsProvider
	custom   *custom_metrics.MetricValueList
	external *external_metrics.ExternalMetricValueList
}

func (c *constant) GetMetricByName(context.Context, types.NamespacedName, provider.CustomMetricInfo, labels.Selector) (*custom_metrics.MetricValue, error) {
	return &c.custom.Items[0], nil
}

func (c *constant) GetMetricBySelector(context.Context, string, labels.Selector, provider.CustomMetricInfo, labels.Selector) (*custom_metrics.MetricValueList, error) {
	return c.custom, nil
}

func (c *constant) GetExternalMetric(context.Context, string, labels.Selector, provider.ExternalMetricInfo) (*external_metrics.ExternalMetricValueList, error) {
	return c.external, nil
}

// clients read in a closed loop, as the HPA controller's five workers do.
const clients = 5

// fleet is 2,000 pods in apps of podsPer, each with a value, and one external metric with a series per app.
func fleet(b *testing.B, podsPer int) *fixture {
	f := newFixture(b, podRule("", "online_users"), externalRule("", "queue_length"))
	var pods, queues []series
	apps := 2000 / podsPer
	for a := range apps {
		app := fmt.Sprintf("shop-%d", a)
		queues = append(queues, series{float64(a), []string{"queue", app}})
		for p := range podsPer {
			name := fmt.Sprintf("%s-6c5f9d7b8-%05d", app, p)
			f.add("/api/v1/pods", object("shop", name, map[string]string{"app": app, "pod-template-hash": "6c5f9d7b8"}))
			pods = append(pods, series{31.5 + float64(p), []string{"namespace", "shop", "pod", name}})
		}
	}
	f.publish(b, rule.Key{Name: "online_users"}, 0, pods...)
	f.publish(b, rule.Key{Name: "queue_length"}, 0, queues...)
	// The benchmark measures reads, not freshness.
	for _, e := range f.options.Store.Catalog().Entries() {
		e.Rule.MaxAge = time.Hour
	}
	return f
}

// constantServer is the library's server with the same filters, authentication and authorization.
func constantServer(b *testing.B, f *fixture, podsPer int) *Server {
	metrics, err := NewMetrics(f.options.Registry)
	require.NoError(b, err)
	config, err := f.options.config(metrics)
	require.NoError(b, err)
	config.RequestInfoResolver = nil // its own
	c := &constant{custom: &custom_metrics.MetricValueList{}, external: &external_metrics.ExternalMetricValueList{}}
	now := metav1.Now()
	for p := range podsPer {
		c.custom.Items = append(c.custom.Items, custom_metrics.MetricValue{
			DescribedObject: custom_metrics.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: fmt.Sprintf("shop-1-6c5f9d7b8-%05d", p)},
			Metric:          custom_metrics.MetricIdentifier{Name: "online_users"}, Timestamp: now, Value: quantityOf(31.5 + float64(p)),
		})
	}
	c.external.Items = []external_metrics.ExternalMetricValue{{MetricName: "queue_length", MetricLabels: map[string]string{"queue": "shop-1"}, Timestamp: now, Value: quantityOf(1)}}
	server, err := (&apiserver.Config{GenericConfig: config}).Complete(nil).New("constant", c, c)
	require.NoError(b, err)
	return &Server{server.GenericAPIServer}
}

// drive reads with all clients until the time is over and returns reads per second.
func drive(b *testing.B, f *fixture, paths []string, d time.Duration) float64 {
	var made atomic.Int64
	var running sync.WaitGroup
	started := time.Now()
	for c := range clients {
		running.Go(func() {
			for n := c; time.Since(started) < d; n += clients {
				if err := readOnce(f, paths[n%len(paths)]); err != nil {
					b.Error(err)
					return
				}
				made.Add(1)
			}
		})
	}
	running.Wait()
	return float64(made.Load()) / time.Since(started).Seconds()
}

func readOnce(f *fixture, path string) error {
	r, err := http.NewRequest(http.MethodGet, f.url+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", hpaAccept)
	answer, err := f.client.Do(as(r, hpaAccount))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	return nil
}

// turn is how long one server is driven before the next has its turn, so that what else the machine does hits all of them.
const turn = 300 * time.Millisecond

// BenchmarkRead compares reads over TLS and HTTP/2 with the library's own handlers that return a constant, and with /livez.
// One iteration gives each server a turn; the figures are medians. Run it with -benchtime 20x.
func BenchmarkRead(b *testing.B) {
	for _, shape := range []struct {
		name     string
		podsPer  int
		external bool
	}{{"pods-10", 10, false}, {"pods-200", 200, false}, {"external", 10, true}} {
		b.Run(shape.name, func(b *testing.B) {
			paths := readPaths(shape.podsPer, shape.external)
			ours := fleet(b, shape.podsPer).start(b)
			library := fleet(b, shape.podsPer)
			library.run(b, constantServer(b, library, shape.podsPer))
			var rates, toConstant, toLivez []float64
			for b.Loop() {
				plimsoll, constant := drive(b, ours, paths, turn), drive(b, library, paths, turn)
				rates = append(rates, plimsoll)
				toConstant = append(toConstant, plimsoll/constant)
				toLivez = append(toLivez, plimsoll/drive(b, ours, []string{"/livez"}, turn))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(rates), "reads/s")
			b.ReportMetric(median(toConstant), "of-constant")
			b.ReportMetric(median(toLivez), "of-livez")
		})
	}
}

// readPaths are the reads of all apps of a fleet.
func readPaths(podsPer int, external bool) []string {
	var paths []string
	for a := range 2000 / podsPer {
		path := "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/%2A/online_users?labelSelector=" + url.QueryEscape(fmt.Sprintf("app=shop-%d", a))
		if external {
			path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue_length?labelSelector=" + url.QueryEscape(fmt.Sprintf("queue=shop-%d", a))
		}
		paths = append(paths, path)
	}
	return paths
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// BenchmarkFastPath is a read without the filters around it and without the network.
func BenchmarkFastPath(b *testing.B) {
	for _, shape := range []struct {
		name     string
		podsPer  int
		external bool
	}{{"pods-10", 10, false}, {"pods-200", 200, false}, {"external", 10, true}} {
		f := fleet(b, shape.podsPer)
		metrics, err := NewMetrics(f.options.Registry)
		require.NoError(b, err)
		lookup := &reader{store: f.options.Store, objects: f.cluster.objects(b), now: time.Now}
		fast, err := newFastPath(lookup, metrics, f.options.APIs, http.NotFoundHandler())
		require.NoError(b, err)
		r, err := http.NewRequest(http.MethodGet, readPaths(shape.podsPer, shape.external)[7], nil)
		require.NoError(b, err)
		r.Header.Set("Accept", hpaAccept)
		b.Run(shape.name, func(b *testing.B) {
			b.ReportAllocs()
			w := &discard{header: http.Header{}}
			for b.Loop() {
				fast.ServeHTTP(w, r)
			}
			require.Equal(b, protobufType, w.header.Get("Content-Type"))
		})
	}
}
