// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func TestDefaults(t *testing.T) {
	rule := v1alpha1.MetricRule{ObjectMeta: metav1.ObjectMeta{Name: "online-users"}}
	rule.Spec.Object = &v1alpha1.MetricObject{Resource: "pods", NameLabel: "pod"}
	spec := rule.WithDefaults()
	require.Equal(t, "online-users", spec.Metric)
	require.Equal(t, 10*time.Second, spec.Interval.Duration)
	require.Equal(t, time.Minute, spec.MaxAge.Duration)
	require.Zero(t, spec.HoldFor.Duration)
	require.Equal(t, "namespace", spec.Object.NamespaceLabel)
	require.EqualValues(t, 10_000, spec.MaxSeries)
	require.Empty(t, rule.Spec.Object.NamespaceLabel, "the rule itself must stay as it was read")

	cluster := v1alpha1.ClusterMetricRule{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	cluster.Spec.Metric = "b"
	cluster.Spec.MaxSeries = 7
	cluster.Spec.Interval.Duration = time.Second
	spec = cluster.WithDefaults()
	require.Equal(t, "b", spec.Metric)
	require.EqualValues(t, 7, spec.MaxSeries)
	require.Equal(t, time.Second, spec.Interval.Duration)
	cluster.Spec.MaxSeries = 0
	require.EqualValues(t, 100_000, cluster.WithDefaults().MaxSeries)
}

// A client that leaves a duration out must not send "0s", which the API server would refuse.
func TestUnsetDurationsAreNotSent(t *testing.T) {
	data, err := json.Marshal(v1alpha1.MetricRule{Spec: v1alpha1.MetricRuleSpec{Query: "up"}})
	require.NoError(t, err)
	require.NotContains(t, string(data), "0s")
	require.NotContains(t, string(data), "status")
}

func TestAddToScheme(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	for _, kind := range []string{"MetricRule", "MetricRuleList", "ClusterMetricRule", "ClusterMetricRuleList"} {
		object, err := scheme.New(v1alpha1.SchemeGroupVersion.WithKind(kind))
		require.NoError(t, err)
		require.NotNil(t, object)
	}
}
