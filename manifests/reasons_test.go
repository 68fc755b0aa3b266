// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The guide to the reasons has a table for each kind, with what the code says. A failure shows the table as it must be.
func TestReasonsAreExplained(t *testing.T) {
	text, err := os.ReadFile("guides/reasons.md")
	require.NoError(t, err)
	sections := strings.Split(string(text), "\n## ")[1:]
	kinds := []struct {
		name    string
		reasons []string
		meaning func(reason string) string
	}{
		{"MetricRule and ClusterMetricRule", v1alpha1.Reasons(), v1alpha1.Meaning},
		{"ScaleSchedule", v1alpha1.ScheduleReasons(), v1alpha1.ScheduleMeaning},
		{"ScaleForecast", v1alpha1.ForecastReasons(), v1alpha1.ForecastMeaning},
		{"MemberCluster", v1alpha1.MemberReasons(), v1alpha1.MemberMeaning},
		{"FederatedScale", v1alpha1.FederatedReasons(), v1alpha1.FederatedMeaning},
		{"Headroom", v1alpha1.HeadroomReasons(), v1alpha1.HeadroomMeaning},
	}
	require.Equal(t, len(kinds), len(sections), "one section for each kind")
	for i, kind := range kinds {
		want := kind.name + "\n\n| reason | what it means, and what to do |\n|---|---|\n"
		for _, reason := range kind.reasons {
			want += fmt.Sprintf("| `%s` | %s |\n", reason, strings.ReplaceAll(kind.meaning(reason), "|", `\|`))
		}
		require.Equal(t, strings.TrimSpace(want), strings.TrimSpace(sections[i]), "the table of %s", kind.name)
	}
	for name := range crds(t) {
		require.Regexp(t, `(?m)^## .*\b`+name+`\b`, string(text), "a kind without a section")
	}
}
