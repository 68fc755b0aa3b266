// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // the kind of discovery that the file uses
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/plimsoll/plimsoll/manifests"
)

// The embedded engine's scrape configuration is one that Prometheus reads, and gives series the labels that rules go by.
func TestScrapeConfiguration(t *testing.T) {
	text, err := manifests.Files.ReadFile("components/embedded-engine/scrape.yaml")
	require.NoError(t, err)
	loaded, err := config.Load(string(text), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	jobs, err := loaded.GetScrapeConfigs()
	require.NoError(t, err)
	require.Len(t, jobs, 2)
	require.False(t, jobs[0].HonorLabels, "a pod says nothing about other namespaces")
	targets := map[string]bool{}
	for _, relabel := range jobs[0].RelabelConfigs {
		targets[relabel.TargetLabel] = true
	}
	require.True(t, targets["namespace"] && targets["pod"])
	require.NotZero(t, jobs[0].SampleLimit)
}

// With the embedded engine the scaler's own series are there, under the namespaces that they are about.
func TestScalerIsScrapedByTheEmbeddedEngine(t *testing.T) {
	text, err := manifests.Files.ReadFile("components/embedded-engine/scrape.yaml")
	require.NoError(t, err)
	loaded, err := config.Load(string(text), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	jobs, err := loaded.GetScrapeConfigs()
	require.NoError(t, err)
	job := jobs[1]
	require.Equal(t, scaler, job.JobName, "alerts and dashboard go by it")
	require.True(t, job.HonorLabels)
	require.Equal(t, "https", job.Scheme)
	require.Equal(t, "/metrics", job.MetricsPath)
	require.NotEmpty(t, job.HTTPClientConfig.Authorization.CredentialsFile)

	objects, err := manifests.Render("overlays/embedded")
	require.NoError(t, err)
	for _, deployment := range into[appsv1.Deployment](t, objects, "Deployment") {
		for _, port := range deployment.Spec.Template.Spec.Containers[0].Ports {
			found := labels.NewBuilder(labels.FromMap(map[string]string{
				"__address__": "10.0.0.1:8443", "__meta_kubernetes_namespace": namespace, "__meta_kubernetes_pod_name": "a",
				"__meta_kubernetes_pod_phase": "Running", "__meta_kubernetes_pod_container_port_name": port.Name,
			}))
			for name, value := range deployment.Spec.Template.Labels {
				found.Set("__meta_kubernetes_pod_label_"+strings.NewReplacer(".", "_", "/", "_").Replace(name), value)
			}
			kept := relabel.ProcessBuilder(found, job.RelabelConfigs...)
			require.Equal(t, deployment.Name == scaler && port.Name == "https", kept, "%s %s", deployment.Name, port.Name)
			if kept {
				require.Equal(t, namespace, found.Get("namespace"))
				require.Equal(t, "a", found.Get("pod"))
			}
		}
	}
	may := false
	for _, role := range into[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		for _, rule := range role.Rules {
			may = may || role.Name == "plimsoll-adapter:service-discovery" && slices.Contains(rule.NonResourceURLs, "/metrics")
		}
	}
	require.True(t, may, "the scaler shows its metrics to those who may get the path")
}

// A Prometheus Operator keeps the namespace label of the series.
func TestServiceMonitorsHonorLabels(t *testing.T) {
	objects, err := manifests.RenderWith("base", "components/monitoring")
	require.NoError(t, err)
	monitors := 0
	for _, object := range objects {
		if object.GetKind() != "ServiceMonitor" {
			continue
		}
		endpoints, _, err := unstructured.NestedSlice(object.Object, "spec", "endpoints")
		require.NoError(t, err)
		for _, endpoint := range endpoints {
			require.Equal(t, true, endpoint.(map[string]any)["honorLabels"], object.GetName())
			monitors++
		}
	}
	require.Equal(t, 2, monitors)
}
