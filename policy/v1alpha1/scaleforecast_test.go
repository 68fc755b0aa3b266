// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func forecastObject(t *testing.T, spec string) map[string]any {
	text, err := yaml.YAMLToJSON([]byte("apiVersion: plimsoll.dev/v1alpha1\nkind: ScaleForecast\nmetadata: {name: shop, namespace: a}\nspec:\n" + spec))
	require.NoError(t, err)
	object := &unstructured.Unstructured{}
	require.NoError(t, object.UnmarshalJSON(text))
	return object.Object
}

func typedForecast(t *testing.T, object map[string]any) *v1alpha1.ScaleForecast {
	f := &v1alpha1.ScaleForecast{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object, f))
	return f
}

const forecastOfTheDesign = `
  targetRef: {kind: HorizontalPodAutoscaler, name: shop}
  query: sum(online_users)
  quantile: "0.95"
  leadTime: 10m
  maxLeadTime: 60m
  mode: Observe
`

func TestForecastOfTheDesign(t *testing.T) {
	object := forecastObject(t, forecastOfTheDesign)
	require.Empty(t, validatorOf(t, "scaleforecasts")(object))
	rule, err := typedForecast(t, object).Compile()
	require.NoError(t, err)
	require.Equal(t, forecast.Rule{
		Name: "shop", Query: "sum(online_users)", Quantile: 0.95, Interval: 5 * time.Minute,
		Lead: 10 * time.Minute, MaxLead: time.Hour, MaxIncrease: 1,
	}, rule)
}

// Without the API server, as in `plimsoll plan`, a manifest means the same.
func TestForecastDefaultsAgree(t *testing.T) {
	validate := validatorOf(t, "scaleforecasts")
	for _, spec := range []string{
		"  targetRef: {name: shop}", forecastOfTheDesign,
		"  targetRef: {name: shop}\n  mode: Enforce\n  interval: 5s\n  leadTime: 30s\n  season: {day: 4m}",
	} {
		object := forecastObject(t, spec)
		offline := typedForecast(t, object)
		require.Empty(t, validate(object))
		online := typedForecast(t, object)
		require.Equal(t, v1alpha1.DefaultTargetKind, online.Spec.TargetRef.Kind)
		a, err := offline.Compile()
		require.NoError(t, err)
		b, err := online.Compile()
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
}

func TestForecastOfADemo(t *testing.T) {
	object := forecastObject(t, "  targetRef: {name: shop}\n  mode: Enforce\n  interval: 5s\n  season: {day: 4m}")
	rule, err := typedForecast(t, object).Compile()
	require.NoError(t, err)
	require.True(t, rule.Enforce)
	require.Equal(t, &forecast.Seasons{Day: 4 * time.Minute, Week: 28 * time.Minute}, rule.Seasons)
}

func TestForecastValidation(t *testing.T) {
	const ok = ""
	tests := []struct{ name, spec, want string }{
		{"smallest", "", ok},
		{"no target", "-", "spec.targetRef"},
		{"other kind", "targetRef: {name: shop, kind: Deployment}", "name the HPA that scales this workload"},
		{"empty query", "query: ''", "spec.query"},
		{"quantile of 1", "quantile: '1'", "spec.quantile"},
		{"quantile of 0.4", "quantile: '0.4'", "spec.quantile"},
		{"quantile of five nines", "quantile: '0.99999'", "spec.quantile"},
		{"quantile without quotes", "quantile: 0.95", "spec.quantile"},
		{"strict quantile", "quantile: '0.9999'", ok},
		{"mode", "mode: Always", "spec.mode"},
		{"lead above its maximum", "leadTime: 2h", "between 1s and maxLeadTime"},
		{"lead of nothing", "leadTime: 0s", "between 1s and maxLeadTime"},
		{"lead of a day", "leadTime: 20h\n  maxLeadTime: 24h", "between 1s and 6h"},
		{"lead in words", "leadTime: soon", "durations such as"},
		{"negative lead", "leadTime: -5m", "durations such as"},
		{"days", "leadTime: 1d", "durations such as"},
		{"long lead", "leadTime: 5h\n  maxLeadTime: 6h", ok},
		{"interval of two hours", "interval: 2h", "between 1s and 1h"},
		{"fine interval", "interval: 10s", "too fine to remember"},
		{"fine interval of a short day", "interval: 10s\n  season: {day: 10m}", ok},
		{"no day", "season: {week: 168h}", "spec.season.day"},
		{"week under a day", "season: {day: 24h, week: 12h}", "week is a duration from that of day"},
		{"long day", "season: {day: 200h}", "10s to 168h"},
		{"increase of nothing", "maxIncreasePercent: 0", "spec.maxIncreasePercent"},
		{"unknown field", "lead: 5m", "spec.lead is unknown"},
	}
	validate := validatorOf(t, "scaleforecasts")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := "  targetRef: {name: shop}\n  " + test.spec
			if strings.HasPrefix(test.spec, "targetRef") {
				spec = "  " + test.spec
			}
			if test.spec == "-" {
				spec = "  mode: Observe"
			}
			found := strings.Join(validate(forecastObject(t, spec)), "\n")
			if test.want == ok {
				require.Empty(t, found)
				return
			}
			require.Contains(t, found, test.want)
		})
	}
}

// A file that no API server has seen is checked by Compile.
func TestForecastCompileErrors(t *testing.T) {
	tests := map[string]struct{ spec, says string }{
		"quantile of 1":     {"quantile: '1'", `spec.quantile: "1" must be a decimal`},
		"quantile in words": {"quantile: high", `spec.quantile: "high" must be a decimal`},
		"mode":              {"mode: Always", `spec.mode: "Always" must be Observe or Enforce`},
		"interval":          {"interval: 2h", "spec.interval: 2h0m0s must be between"},
		"lead":              {"leadTime: 2h", "spec.leadTime: 2h0m0s must be above 0s and at most maxLeadTime, 1h0m0s"},
		"longest lead":      {"maxLeadTime: 7h", "spec.maxLeadTime: 7h0m0s must be"},
		"increase":          {"maxIncreasePercent: -3", "spec.maxIncreasePercent: -3"},
		"fine interval":     {"interval: 1s", "spec.season and spec.interval do not go together"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := typedForecast(t, forecastObject(t, "  targetRef: {name: shop}\n  "+tt.spec)).Compile()
			require.ErrorContains(t, err, tt.says)
		})
	}
}

func TestForecastStatusKeepsItsWords(t *testing.T) {
	reasons := []forecast.Reason{forecast.Trusted, forecast.Learning, forecast.CoverageLow, forecast.NoGain, forecast.TooWide, forecast.Probation}
	floor := int32(7)
	for _, reason := range reasons {
		object := forecastObject(t, "  targetRef: {name: shop}")
		status := v1alpha1.ScaleForecastStatus{
			Effective: v1alpha1.ForecastDisarmed, Floor: &floor, LeadTime: "10m", LeadTimeFrom: "Measured",
			Accuracy: &v1alpha1.ForecastAccuracy{Coverage: "0.948"},
			Trust:    &v1alpha1.ForecastTrust{State: string(forecast.Disarmed), Reason: string(reason)},
		}
		text, err := json.Marshal(status)
		require.NoError(t, err)
		fields := map[string]any{}
		require.NoError(t, json.Unmarshal(text, &fields))
		object["status"] = fields
		require.Empty(t, validatorOf(t, "scaleforecasts")(object))
		require.Contains(t, v1alpha1.ForecastReasons(), string(reason))
	}
}
