// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// blocks are the fenced YAML texts of a Markdown page.
var blocks = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Whatever a guide shows is taken by the API server, without a field that it does not know, and works.
func TestGuidesAreValid(t *testing.T) {
	kinds := crds(t)
	pages, err := filepath.Glob("guides/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	whole := 0
	for _, page := range append(pages, "README.md", "../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		var hpas []*autoscalingv2.HorizontalPodAutoscaler
		metrics := map[string]bool{}
		for _, block := range blocks.FindAllSubmatch(text, -1) {
			var first map[string]any
			require.NoError(t, yaml.Unmarshal(block[1], &first), page)
			if first["kind"] == nil {
				continue // a piece of another tool's object
			}
			for _, object := range documents(t, block[1]) {
				whole++
				if object.GetKind() == "HorizontalPodAutoscaler" {
					hpas = append(hpas, strictHPA(t, object, page))
					continue
				}
				requireAccepted(t, kinds, object, page)
				metric, _, _ := unstructured.NestedString(object.Object, "spec", "metric")
				metrics[metric] = true
			}
		}
		for _, hpa := range hpas {
			for _, metric := range hpa.Spec.Metrics {
				require.True(t, metrics[nameOf(metric)], "%s: no rule for the HPA's metric %q", page, nameOf(metric))
			}
		}
	}
	require.GreaterOrEqual(t, whole, 6, "the blocks were not found")
}

// requireAccepted is what the API server does with a new object of ours, and then what its controller does.
func requireAccepted(t *testing.T, kinds map[string]kind, object *unstructured.Unstructured, file string) {
	t.Helper()
	k, ours := kinds[object.GetKind()]
	require.True(t, ours, "%s: kind %s is not known here", file, object.GetKind())
	require.Equal(t, "plimsoll.dev/v1alpha1", object.GetAPIVersion(), file)
	require.Empty(t, k.validate(object), file)
	requireCompiles(t, object, file)
}

// strictHPA reads an HPA; a field that its type does not know is an error.
func strictHPA(t *testing.T, object *unstructured.Unstructured, file string) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	require.Equal(t, "autoscaling/v2", object.GetAPIVersion(), file)
	require.Equal(t, "HorizontalPodAutoscaler", object.GetKind(), file)
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, hpa, true), file)
	return hpa
}
