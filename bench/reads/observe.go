// SPDX-License-Identifier: Apache-2.0

package reads

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"github.com/plimsoll/plimsoll/bench/observe"
)

// counters are what the API server, Prometheus and the kernel have counted.
type counters struct {
	at          time.Time
	lists       float64 // of anything, by anybody: the cluster's own controllers watch
	reviews     float64
	queries     float64
	residentMiB float64
}

func (s *stage) counters(ctx context.Context) (counters, error) {
	c := counters{at: time.Now()}
	apiServer, err := s.cluster.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return c, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	if c.lists, err = observe.Sum(string(apiServer), "apiserver_request_total", map[string]string{"verb": "LIST"}); err != nil {
		return c, err
	}
	if c.reviews, err = observe.Sum(string(apiServer), "apiserver_request_total", map[string]string{"resource": "subjectaccessreviews"}); err != nil {
		return c, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.stack.PrometheusURL+"/metrics", nil)
	if err != nil {
		return c, fmt.Errorf("reading Prometheus' metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return c, fmt.Errorf("reading Prometheus' metrics: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return c, fmt.Errorf("reading Prometheus' metrics: %w", err)
	}
	c.queries, err = observe.Sum(string(body), "prometheus_http_requests_total", map[string]string{"handler": "/api/v1/query"})
	c.residentMiB = s.residentMiB()
	return c, err
}

// cpuSeconds is what the adapter has used so far.
func (s *stage) cpuSeconds() float64 { return observe.CPUSeconds(s.stack.AdapterPID("adapter-0")) }

func (s *stage) residentMiB() float64 { return observe.ResidentMiB(s.stack.AdapterPID("adapter-0")) }

// bundle is the CA that the API server verifies the adapter with.
func (s *stage) bundle(ctx context.Context) ([]byte, error) {
	client, err := aggregator.NewForConfig(s.stack.RESTConfig)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	service, err := client.ApiregistrationV1().APIServices().Get(ctx, "v1beta2.custom.metrics.k8s.io", metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the APIService's caBundle: %w", err)
	}
	return service.Spec.CABundle, nil
}

func deployment(app, pods int) *appsv1.Deployment {
	name, replicas := fmt.Sprintf("app-%d", app), int32(pods)
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
			},
		},
	}
}
