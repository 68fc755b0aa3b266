// SPDX-License-Identifier: Apache-2.0

package install

import (
	"cmp"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func names(objects []*unstructured.Unstructured, kind string) []string {
	var found []string
	for _, object := range objects {
		if object.GetKind() == kind {
			found = append(found, object.GetName())
		}
	}
	return found
}

// deploymentOf is a Deployment as the API server would read it.
func deploymentOf(t *testing.T, objects []*unstructured.Unstructured, name string) *appsv1.Deployment {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == kindDeployment && object.GetName() == name {
			deployment := &appsv1.Deployment{}
			require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, deployment, true))
			return deployment
		}
	}
	require.Fail(t, "no Deployment")
	return nil
}

func TestRender(t *testing.T) {
	const custom1, custom2, external, query = "v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io", "v1alpha1.query.plimsoll.dev"
	base := []string{"--secure-port=6443", "--cert-dir=/run/plimsoll"}
	for name, tc := range map[string]struct {
		content  Content
		services []string
		args     []string
		image    string
	}{
		"as the manifests say": {
			Content{Overlay: "ha", APIs: APIs()}, []string{custom1, external, query, custom2},
			append(base, "--prometheus-url=http://prometheus-operated.monitoring.svc:9090"), "plimsoll-adapter",
		},
		"two sources and an image": {
			Content{Overlay: "ha", APIs: APIs(), PrometheusURLs: []string{"http://a:1", "https://b/x"}, Image: "r.example.com/a@sha256:0", ScalerImage: "r.example.com/s:1"},
			[]string{custom1, external, query, custom2}, append(base, "--prometheus-url=http://a:1", "--prometheus-url=https://b/x"), "r.example.com/a@sha256:0",
		},
		"external metrics only": {
			Content{Overlay: "ha", APIs: []string{"external"}, PrometheusURLs: []string{"http://a:1"}}, []string{external},
			append(base, "--prometheus-url=http://a:1", "--apis=external"), "plimsoll-adapter",
		},
		"beside another adapter": {
			Content{Overlay: "shadow", APIs: APIs(), PrometheusURLs: []string{"http://a:1"}}, []string{query},
			append(base, "--prometheus-url=http://a:1", "--shadow"), "plimsoll-adapter",
		},
		"without a Prometheus": {
			Content{Overlay: "embedded", APIs: []string{"custom", "query"}}, []string{custom1, query, custom2},
			append(base, "--scrape-config=/etc/plimsoll/scrape.yaml", "--storage-dir=/var/lib/plimsoll", "--apis=custom,query"), "plimsoll-adapter",
		},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := Render(tc.content)
			require.NoError(t, err)
			require.ElementsMatch(t, tc.services, names(objects, kindAPIService))
			scalerImage := deploymentOf(t, objects, "plimsoll-scaler").Spec.Template.Spec.Containers[0].Image
			require.Equal(t, cmp.Or(tc.content.ScalerImage, "plimsoll-scaler"), scalerImage)
			pod := deploymentOf(t, objects, "plimsoll-adapter").Spec.Template.Spec
			require.Equal(t, tc.args, pod.Containers[0].Args)
			require.Equal(t, tc.image, pod.Containers[0].Image)

			require.Equal(t, kindCRD, objects[0].GetKind(), "CRDs come first")
			require.Equal(t, kindAPIService, objects[len(objects)-1].GetKind(), "APIServices come last")
			turns := 0
			for i, object := range objects {
				require.Equal(t, markValue, object.GetLabels()[markLabel], title(object))
				if i > 0 && turn(object) != turn(objects[i-1]) {
					turns++
				}
			}
			require.Equal(t, 2, turns)
			for _, url := range tc.content.PrometheusURLs {
				require.Contains(t, next(tc.content, objects), url)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	for want, content := range map[string]Content{
		"--overlay local is not known: use ha, embedded, shadow": {Overlay: "local", APIs: APIs()},
		"--apis names no API":                          {Overlay: "ha"},
		`--apis has "metrics"`:                         {Overlay: "ha", APIs: []string{"metrics"}},
		`--scaler-image "-s" is not an image`:          {Overlay: "ha", APIs: APIs(), ScalerImage: "-s"},
		`--image "a b" is not an image`:                {Overlay: "ha", APIs: APIs(), Image: "a b"},
		`--prometheus-url "prometheus:9090" is not`:    {Overlay: "ha", APIs: APIs(), PrometheusURLs: []string{"prometheus:9090"}},
		"--prometheus-url is not a URL":                {Overlay: "ha", APIs: APIs(), PrometheusURLs: []string{"http://a b"}},
		"--prometheus-url holds credentials":           {Overlay: "ha", APIs: APIs(), PrometheusURLs: []string{"http://u:hunter2@a"}},
		"--prometheus-url has no place in overlay emb": {Overlay: "embedded", APIs: APIs(), PrometheusURLs: []string{"http://a"}},
	} {
		_, err := Render(content)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
