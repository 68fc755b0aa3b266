// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

func scheduleValidator(t *testing.T) func(object map[string]any) []string {
	return validatorOf(t, "scaleschedules")
}

// validatorOf does what the API server does with a new object of a resource: defaults, schema, CEL.
func validatorOf(t *testing.T, resource string) func(object map[string]any) []string {
	text, err := os.ReadFile("../../manifests/crd/plimsoll.dev_" + resource + ".yaml")
	require.NoError(t, err)
	crd := &apiextensionsv1.CustomResourceDefinition{}
	require.NoError(t, yaml.Unmarshal(text, crd))
	apiextensionsv1.SetDefaults_CustomResourceDefinition(crd)
	internal := &apiextensions.CustomResourceDefinition{}
	require.NoError(t, apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, internal, nil))
	internal.Status.StoredVersions = []string{"v1alpha1"}
	require.Empty(t, crdvalidation.ValidateCustomResourceDefinition(context.Background(), internal), "the API server refuses the CRD")
	props, err := apiextensions.GetSchemaForVersion(internal, "v1alpha1")
	require.NoError(t, err)
	schema, err := structuralschema.NewStructural(props.OpenAPIV3Schema)
	require.NoError(t, err)
	validator, _, err := schemavalidation.NewSchemaValidator(props.OpenAPIV3Schema)
	require.NoError(t, err)
	expressions := cel.NewValidator(schema, true, celconfig.PerCallLimit)
	return func(object map[string]any) (all []string) {
		for _, path := range pruning.PruneWithOptions(object, schema, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
			all = append(all, path+" is unknown")
		}
		defaulting.Default(object, schema)
		for _, found := range schemavalidation.ValidateCustomResource(nil, object, validator) {
			all = append(all, found.Error())
		}
		for _, found := range listtype.ValidateListSetsAndMaps(nil, schema, object) {
			all = append(all, found.Error())
		}
		list, _ := expressions.Validate(context.Background(), nil, schema, object, nil, celconfig.RuntimeCELCostBudget)
		for _, found := range list {
			all = append(all, found.Error())
		}
		return all
	}
}

func scheduleObject(t *testing.T, spec string) map[string]any {
	text, err := yaml.YAMLToJSON([]byte("apiVersion: plimsoll.dev/v1alpha1\nkind: ScaleSchedule\nmetadata: {name: shop, namespace: a}\nspec:\n" + spec))
	require.NoError(t, err)
	object := &unstructured.Unstructured{}
	require.NoError(t, object.UnmarshalJSON(text))
	return object.Object
}

const designExample = `
  targetRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: shop}
  timeZone: Asia/Shanghai
  priority: 0
  windows:
  - {name: evening, schedule: "0 19 * * *", duration: 4h, minReplicas: 40, rampUp: 30m}
  - {name: singles-day, start: "2026-11-11T00:00", end: "2026-11-12T00:00", demand: "1200000", maxReplicas: 1000, reason: "11.11", after: [{name: payment}]}
  exclude: ["2026-10-01/2026-10-07"]
  include: ["2026-10-10"]
`

func TestScheduleOfTheDesign(t *testing.T) {
	object := scheduleObject(t, designExample)
	require.Empty(t, scheduleValidator(t)(object))
	s := &v1alpha1.ScaleSchedule{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object, s))
	require.Equal(t, 15*time.Minute, s.Spec.Windows[0].RampDown.Duration)
	compiled, err := s.Compile(nil)
	require.NoError(t, err)

	at := time.Date(2026, 11, 10, 15, 55, 0, 0, time.UTC) // five minutes to midnight in Shanghai
	payment := schedule.Target{Kind: "HorizontalPodAutoscaler", Name: "payment"}
	obs := schedule.Observations{BaseMin: 5, BaseMax: 100, PerReplicaMilli: 1_500_000, Lead: 5 * time.Minute}
	require.Nil(t, schedule.Evaluate([]*schedule.Schedule{compiled}, obs, at).Min, "payment is not Ready")
	obs.Ready = map[schedule.Target]bool{payment: true}
	d := schedule.Evaluate([]*schedule.Schedule{compiled}, obs, at)
	require.EqualValues(t, 800, *d.Min)
	require.EqualValues(t, 1000, *d.Max)
}

// Without the API server, as in `plimsoll lint`, a manifest means the same.
func TestScheduleDefaultsAgree(t *testing.T) {
	object := scheduleObject(t, designExample)
	offline := &v1alpha1.ScaleSchedule{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object, offline))
	require.Empty(t, scheduleValidator(t)(object))
	online := &v1alpha1.ScaleSchedule{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object, online))
	a, err := offline.Compile(nil)
	require.NoError(t, err)
	b, err := online.Compile(nil)
	require.NoError(t, err)
	from := time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	preview := func(s *schedule.Schedule) []schedule.Decision {
		return schedule.Preview([]*schedule.Schedule{s}, schedule.Observations{BaseMin: 5, PerReplicaMilli: 1000}, from, from.Add(72*time.Hour), 1000)
	}
	require.NotEmpty(t, preview(a))
	require.Equal(t, preview(a), preview(b))
}

func TestScheduleValidation(t *testing.T) {
	const ok = ""
	window := func(fields string) string {
		return "  targetRef: {name: shop}\n  timeZone: UTC\n  windows: [{name: w, " + fields + "}]"
	}
	spec := func(fields string) string {
		return "  timeZone: UTC\n  windows: [{name: w, schedule: '0 0 * * *', duration: 1h, minReplicas: 1}]\n" + fields
	}
	tests := []struct{ name, spec, want string }{
		{"smallest", window("schedule: '0 0 * * *', duration: 1h, minReplicas: 1"), ok},
		{"selector", spec("  targetSelector: {matchLabels: {app: shop}}"), ok},
		{"two targets", spec("  targetSelector: {}\n  targetRef: {name: shop}"), "exactly one of targetRef"},
		{"no target", spec("  priority: 1"), "exactly one of targetRef"},
		{"workload", spec("  targetRef: {name: shop, kind: Deployment}"), ok},
		{"workload with its version", spec("  targetRef: {name: shop, kind: StatefulSet, apiVersion: apps/v1}"), ok},
		{"other kind", spec("  targetRef: {name: shop, kind: Rollout, apiVersion: argoproj.io/v1alpha1}"), ok},
		{"other kind without version", spec("  targetRef: {name: shop, kind: Rollout}"), "needs its apiVersion"},
		{"HPA of another group", spec("  targetRef: {name: shop, apiVersion: apps/v1}"), "correct apiVersion or remove it"},
		{"no kind at all", spec("  targetRef: {name: shop, kind: 'a kind'}"), "spec.targetRef.kind"},
		{"no version at all", spec("  targetRef: {name: shop, kind: Rollout, apiVersion: Argo}"), "spec.targetRef.apiVersion"},
		{"priority", spec("  targetRef: {name: shop}\n  priority: 1001"), "spec.priority"},
		{"no zone", "  targetRef: {name: shop}\n  windows: [{name: w, schedule: '0 0 * * *', duration: 1h, minReplicas: 1}]", "spec.timeZone: Required"},
		{"zone of the machine", strings.Replace(window("start: '2026-11-11', duration: 1h, minReplicas: 1"), "UTC", "Local", 1), "means something else"},
		{"no windows", "  targetRef: {name: shop}\n  timeZone: UTC\n  windows: []", "spec.windows"},
		{"same name twice", "  targetRef: {name: shop}\n  timeZone: UTC\n  windows: [{name: w, start: '2026-11-11', duration: 1h, minReplicas: 1}, {name: w, start: '2026-11-11', duration: 1h, minReplicas: 1}]", "Duplicate"},
		{"name", strings.Replace(window("schedule: '0 0 * * *', duration: 1h, minReplicas: 1"), "name: w", "name: W", 1), "spec.windows[0].name"},
		{"never", window("minReplicas: 1"), "exactly one of schedule, start and calendar"},
		{"two times", window("schedule: '0 0 * * *', duration: 1h, start: '2026-11-11', minReplicas: 1"), "exactly one of schedule, start and calendar"},
		{"schedule without duration", window("schedule: '0 0 * * *', minReplicas: 1"), "needs a duration"},
		{"schedule with end", window("schedule: '0 0 * * *', duration: 1h, end: '2026-11-11', minReplicas: 1"), "has no end"},
		{"start with both", window("start: '2026-11-11', duration: 1h, end: '2026-11-11', minReplicas: 1"), "either an end or a duration"},
		{"start with neither", window("start: '2026-11-11', minReplicas: 1"), "either an end or a duration"},
		{"calendar with end", window("calendar: 'BEGIN:VCALENDAR', end: '2026-11-11', minReplicas: 1"), "their own ends"},
		{"calendar", window("calendar: 'BEGIN:VCALENDAR', minReplicas: 1"), ok},
		{"offset", window("start: '2026-11-11T00:00+08:00', duration: 24h, replicas: 3"), ok},
		{"not a time", window("start: 'tomorrow', duration: 24h, replicas: 3"), "spec.windows[0].start"},
		{"no duration", window("start: '2026-11-11', duration: 0s, replicas: 3"), "more than 0s"},
		{"days", window("start: '2026-11-11', duration: 1d, replicas: 3"), "duration is one such as"},
		{"negative", window("start: '2026-11-11', duration: -1h, replicas: 3"), "duration is one such as"},
		{"over a year", window("start: '2026-11-11', duration: 9000h, replicas: 3"), "at most 8784h"},
		{"two floors", window("start: '2026-11-11', duration: 1h, replicas: 3, minReplicas: 1"), "at most one of"},
		{"no bound", window("start: '2026-11-11', duration: 1h"), "changes nothing"},
		{"exact with max", window("start: '2026-11-11', duration: 1h, replicas: 3, maxReplicas: 4"), "remove maxReplicas"},
		{"min above max", window("start: '2026-11-11', duration: 1h, minReplicas: 5, maxReplicas: 4"), "above maxReplicas"},
		{"hard without max", window("start: '2026-11-11', duration: 1h, minReplicas: 5, hardMax: true"), "hardMax says"},
		{"hard", window("start: '2026-11-11', duration: 1h, maxReplicas: 5, hardMax: true"), ok},
		{"negative floor", window("start: '2026-11-11', duration: 1h, minReplicas: -1"), "minReplicas"},
		{"demand as a number", window("start: '2026-11-11', duration: 1h, demand: 1200000"), ok},
		{"demand in words", window("start: '2026-11-11', duration: 1h, demand: many"), "demand"},
		{"long ramp", window("start: '2026-11-11', duration: 1h, replicas: 3, rampUp: 25h"), "at most 24h"},
		{"no ramp down", window("start: '2026-11-11', duration: 1h, replicas: 3, rampDown: 0s"), ok},
		{"after", window("start: '2026-11-11', duration: 1h, replicas: 3, after: [{name: a, timeout: 0s}]"), "more than 0s"},
		{"dates", spec("  targetRef: {name: shop}\n  exclude: ['12-25', '2026-10-01', '2026-10-01/2026-10-07']\n  include: ['2026-10-10', '2026-10-11 as Monday']"), ok},
		{"cronhpa's dates", spec("  targetRef: {name: shop}\n  exclude: ['* * * 15 11 *']"), "spec.exclude[0]"},
		{"unknown field", spec("  targetRef: {name: shop}\n  timezone: UTC"), "spec.timezone is unknown"},
	}
	validate := scheduleValidator(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			found := strings.Join(validate(scheduleObject(t, test.spec)), "\n")
			if test.want == ok {
				require.Empty(t, found)
				return
			}
			require.Contains(t, found, test.want)
		})
	}
}

func TestTargetReferenceDefaults(t *testing.T) {
	for _, test := range []struct {
		in, want v1alpha1.TargetReference
		hpa      bool
	}{
		{v1alpha1.TargetReference{Name: "a"}, v1alpha1.TargetReference{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "a"}, true},
		{v1alpha1.TargetReference{Kind: "StatefulSet", Name: "a"}, v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "a"}, false},
		{v1alpha1.TargetReference{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "a"}, v1alpha1.TargetReference{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "a"}, false},
	} {
		require.Equal(t, test.want, test.in.WithDefaults())
		require.Equal(t, test.hpa, test.in.IsHPA())
		require.Equal(t, !test.hpa, test.in.IsWorkload())
	}
	var none *v1alpha1.TargetReference
	require.False(t, none.IsHPA())
	require.False(t, none.IsWorkload())
}

func TestDemandInThousandths(t *testing.T) {
	for text, want := range map[string]int64{"1200000": 1_200_000_000, "1.5": 1500, "1200k": 1_200_000_000, "0.0001": 1, "1E": 1<<63 - 1} {
		s := &v1alpha1.ScaleSchedule{}
		require.NoError(t, json.Unmarshal([]byte(`{"spec":{"windows":[{"demand":"`+text+`"}]}}`), s))
		require.Equal(t, want, *s.PlainSpec().Windows[0].DemandMilli, text)
	}
}

// A client that leaves fields out must not send values that the API server would refuse.
func TestUnsetScheduleFieldsAreNotSent(t *testing.T) {
	data, err := json.Marshal(v1alpha1.ScaleSchedule{Spec: v1alpha1.ScaleScheduleSpec{TimeZone: "UTC", Windows: []v1alpha1.ScheduleWindow{{Name: "w"}}}})
	require.NoError(t, err)
	require.JSONEq(t, `{"metadata":{},"spec":{"timeZone":"UTC","windows":[{"name":"w"}]}}`, string(data))
}
