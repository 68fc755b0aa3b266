// SPDX-License-Identifier: Apache-2.0

package members

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
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
