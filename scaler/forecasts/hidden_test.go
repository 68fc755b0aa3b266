// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// A tenant reads in the status that a ClusterMetricRule is asked, and nothing of its query: not even in an error.
func TestClusterRuleStaysHidden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ query, reason string }{
		"it works":      {"sum(online_users) + 0 * sum(online_users)", v1alpha1.ForecastTrusted},
		"no evaluation": {"online_users * on () (online_users or label_replace(online_users, \"a\", \"b\", \"\", \"\"))", v1alpha1.ForecastQueryFailed},
		"no PromQL":     {"sum(online_users", v1alpha1.ForecastInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForecast()
			f.Spec.Query = ""
			rule := &v1alpha1.ClusterMetricRule{ObjectMeta: metav1.ObjectMeta{Name: "shared"}, Spec: v1alpha1.MetricRuleSpec{Metric: "online_users", Query: test.query}}
			s := newBed(t, newHPA(), f, rule).look(t)
			require.Equal(t, test.reason, reason(s), s.Conditions)
			require.Equal(t, "ClusterMetricRule shared", s.Query)
			text, err := json.Marshal(s)
			require.NoError(t, err)
			require.NotContains(t, string(text), "online_users")
		})
	}
}
