// SPDX-License-Identifier: Apache-2.0

package members

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func cluster(t *testing.T, text string) *v1alpha1.MemberCluster {
	t.Helper()
	c := &v1alpha1.MemberCluster{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), c))
	return c
}

// Tenants read what a source is called: it has the member's name, and not the address.
func TestSourcesAreCalledByTheMember(t *testing.T) {
	m := &Members{opened: map[string]opened{}}
	prometheus := m.open(cluster(t, `{metadata: {name: paris}, spec: {metrics: {url: "https://prometheus.internal:9090"}}}`))
	require.NoError(t, prometheus.err)
	require.Equal(t, "Prometheus of member paris", prometheus.source.Name())
	external := m.open(cluster(t, `{metadata: {name: paris}, spec: {metrics: {externalMetrics: {server: "https://10.0.0.1:6443"}}}}`))
	require.NoError(t, external.err)
	require.Equal(t, "external metrics of member paris", external.external.Name())
	o := options(cluster(t, `{spec: {metrics: {url: "https://a"}}}`), &corev1.Secret{Data: map[string][]byte{"token": []byte("sesame\n")}})
	require.Equal(t, []string{"https://a", "sesame"}, []string{o.URL, o.Inline.BearerToken})
}

// A second MemberCluster of a cluster adds nothing to a sum, unless the first has no metrics.
func TestClustersCountOnce(t *testing.T) {
	one := func(id, reason, metrics string) string {
		return `{spec: {` + metrics + `}, status: {clusterID: "` + id + `", conditions: [{type: Ready, status: "True", reason: ` + reason + `, message: a, lastTransitionTime: "2026-11-11T12:00:00Z"}]}}`
	}
	const metrics, no, well, twin = `metrics: {url: "https://a"}`, "", v1alpha1.MemberAnswers, v1alpha1.MemberDuplicateCluster
	for name, test := range map[string]struct {
		all  map[string]string
		want []string
	}{
		"two clusters":             {map[string]string{"berlin": one("1", well, metrics), "paris": one("2", well, metrics)}, []string{"berlin", "paris"}},
		"one of them twice":        {map[string]string{"berlin": one("1", twin, metrics), "paris": one("1", well, metrics), "rome": one("1", twin, metrics)}, []string{"paris"}},
		"the elder measures not":   {map[string]string{"berlin": one("1", well, no), "paris": one("1", twin, metrics)}, []string{"paris"}},
		"the elder is gone":        {map[string]string{"paris": one("1", twin, metrics), "rome": one("2", well, metrics)}, []string{"paris", "rome"}},
		"of which it is not known": {map[string]string{"paris": one("", twin, metrics), "rome": one("", well, metrics)}, []string{"paris", "rome"}},
		"no judgement":             {map[string]string{"paris": `{spec: {metrics: {url: "https://a"}}}`}, []string{"paris"}},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []any
			for name, text := range test.all {
				c := cluster(t, text)
				c.Name = name
				raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c)
				require.NoError(t, err)
				objects = append(objects, &unstructured.Unstructured{Object: raw})
			}
			measured, err := withMetrics(objects)
			require.NoError(t, err)
			var names []string
			for _, c := range once(measured) {
				names = append(names, c.Name)
			}
			slices.Sort(names)
			require.Equal(t, test.want, names)
		})
	}
}
