// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// drive sends b.N requests from all clients and reports the rate.
func drive(b *testing.B, f *fixture, paths []string) {
	var next atomic.Int64
	var running sync.WaitGroup
	b.ResetTimer()
	started := time.Now()
	for range clients {
		running.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				r, err := http.NewRequest(http.MethodGet, f.url+paths[int(n)%len(paths)], nil)
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("Accept", hpaAccept)
				answer, err := f.client.Do(as(r, hpaAccount))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					b.Errorf("%s: %s", r.URL, answer.Status)
					return
				}
			}
		})
	}
	running.Wait()
	b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "reads/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRead compares reads over TLS and HTTP/2 with the library's own handlers that return a constant, and with /livez.
func BenchmarkRead(b *testing.B) {
	for _, shape := range []struct {
		name     string
		podsPer  int
		external bool
	}{{"pods-10", 10, false}, {"pods-200", 200, false}, {"external", 10, true}} {
		var paths []string
		for a := range 2000 / shape.podsPer {
			selector := url.QueryEscape(fmt.Sprintf("app=shop-%d", a))
			path := "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/%2A/online_users?labelSelector=" + selector
			if shape.external {
				path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue_length?labelSelector=" + url.QueryEscape(fmt.Sprintf("queue=shop-%d", a))
			}
			paths = append(paths, path)
		}
		ours := fleet(b, shape.podsPer).start(b)
		library := fleet(b, shape.podsPer)
		library.run(b, constantServer(b, library, shape.podsPer))
		b.Run(shape.name+"/plimsoll", func(b *testing.B) { drive(b, ours, paths) })
		b.Run(shape.name+"/constant", func(b *testing.B) { drive(b, library, paths) })
		b.Run(shape.name+"/livez", func(b *testing.B) { drive(b, ours, []string{"/livez"}) })
	}
}
