// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The defaults of a rule. The API server fills in all but the last two, which depend on the kind.
const (
	DefaultInterval       = 10 * time.Second
	DefaultMaxAge         = 60 * time.Second
	DefaultNamespaceLabel = "namespace"

	DefaultMaxSeries        int32 = 10_000  // of a MetricRule
	DefaultClusterMaxSeries int32 = 100_000 // of a ClusterMetricRule
)

// WithDefaults returns the spec with every unset field filled in, as the API server and the adapter do. It is also
// what offline checks of a file use.
func (r *MetricRule) WithDefaults() MetricRuleSpec {
	return withDefaults(r.Spec, r.Name, DefaultMaxSeries)
}

// WithDefaults returns the spec with every unset field filled in, as the API server and the adapter do. It is also
// what offline checks of a file use.
func (r *ClusterMetricRule) WithDefaults() MetricRuleSpec {
	return withDefaults(r.Spec, r.Name, DefaultClusterMaxSeries)
}

func withDefaults(in MetricRuleSpec, name string, maxSeries int32) MetricRuleSpec {
	spec := *in.DeepCopy()
	if spec.Metric == "" {
		spec.Metric = name
	}
	if spec.Interval.Duration == 0 {
		spec.Interval = metav1.Duration{Duration: DefaultInterval}
	}
	if spec.MaxAge.Duration == 0 {
		spec.MaxAge = metav1.Duration{Duration: DefaultMaxAge}
	}
	if spec.MaxSeries == 0 {
		spec.MaxSeries = maxSeries
	}
	if spec.Object != nil && spec.Object.NamespaceLabel == "" {
		spec.Object.NamespaceLabel = DefaultNamespaceLabel
	}
	return spec
}
