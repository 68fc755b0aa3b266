// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/manifests"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// kind is a CRD as the API server uses it: defaults, then schema, then CEL.
type kind struct {
	schema     *structuralschema.Structural
	validator  schemavalidation.SchemaValidator
	expression *cel.Validator
}

func crds(t *testing.T) map[string]kind {
	t.Helper()
	objects, err := manifests.Render("crd")
	require.NoError(t, err)
	kinds := map[string]kind{}
	for _, crd := range into[apiextensionsv1.CustomResourceDefinition](t, objects, "CustomResourceDefinition") {
		require.Equal(t, []string{"plimsoll"}, crd.Spec.Names.Categories)
		require.NotNil(t, crd.Spec.Versions[0].Subresources.Status, crd.Name)
		apiextensionsv1.SetDefaults_CustomResourceDefinition(crd)
		internal := &apiextensions.CustomResourceDefinition{}
		require.NoError(t, apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, internal, nil))
		require.Empty(t, crdvalidation.ValidateCustomResourceDefinition(context.Background(), internal), "the API server refuses %s", crd.Name)
		props, err := apiextensions.GetSchemaForVersion(internal, "v1alpha1")
		require.NoError(t, err)
		schema, err := structuralschema.NewStructural(props.OpenAPIV3Schema)
		require.NoError(t, err)
		validator, _, err := schemavalidation.NewSchemaValidator(props.OpenAPIV3Schema)
		require.NoError(t, err)
		kinds[crd.Spec.Names.Kind] = kind{schema, validator, cel.NewValidator(schema, true, celconfig.PerCallLimit)}
	}
	return kinds
}

// validate is what the API server does with an object that is created; it fills in defaults.
func (k kind) validate(object *unstructured.Unstructured) field.ErrorList {
	var all field.ErrorList
	for _, path := range pruning.PruneWithOptions(object.Object, k.schema, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		all = append(all, field.Invalid(field.NewPath(path), nil, "unknown field"))
	}
	defaulting.Default(object.Object, k.schema)
	all = append(all, schemavalidation.ValidateCustomResource(nil, object.Object, k.validator)...)
	found, _ := k.expression.Validate(context.Background(), nil, k.schema, object.Object, nil, celconfig.RuntimeCELCostBudget)
	return append(all, found...)
}

func documents(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var all []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, object)
	}
}

func TestExamplesAreValid(t *testing.T) {
	kinds := crds(t)
	files, err := fs.Glob(manifests.Files, "examples/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	metrics := map[string]bool{}
	hpas := map[string]*autoscalingv2.HorizontalPodAutoscaler{}
	for _, file := range files {
		text, err := manifests.Files.ReadFile(file)
		require.NoError(t, err)
		for _, object := range documents(t, text) {
			if _, ours := kinds[object.GetKind()]; ours {
				requireAccepted(t, kinds, object, file)
				metric, _, _ := unstructured.NestedString(object.Object, "spec", "metric")
				metrics[metric] = true
				continue
			}
			hpa := strictHPA(t, object, file)
			override, err := record.ParseOverride(hpa.Annotations)
			require.NoError(t, err, file)
			require.True(t, override == nil || override.Min != nil, file)
			if other := hpas[hpa.Name]; other != nil {
				require.Equal(t, other.Spec, hpa.Spec, "%s: the examples are one shop, and go together", file)
			}
			hpas[hpa.Name] = hpa
		}
	}
	for _, hpa := range hpas {
		for _, metric := range hpa.Spec.Metrics {
			require.True(t, metrics[nameOf(metric)], "%s: no rule for the HPA's metric %q", hpa.Name, nameOf(metric))
		}
	}
}

// requireCompiles fails if an object of ours has a mistake that the API server does not see.
func requireCompiles(t *testing.T, object *unstructured.Unstructured, file string) {
	t.Helper()
	switch object.GetKind() {
	case "MetricRule", "ClusterMetricRule":
		one := &v1alpha1.MetricRule{} // the spec of a ClusterMetricRule is the same
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, one, true), file)
		_, err := rule.Compile(rule.Rule{Key: rule.Key{Namespace: one.Namespace, Name: one.Name}, Metric: one.Spec.Metric, Query: one.Spec.Query, Guard: one.Spec.Guard})
		require.NoError(t, err, file)
	case "ScaleSchedule":
		one := &v1alpha1.ScaleSchedule{}
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, one, true), file)
		_, err := one.Compile(nil)
		require.NoError(t, err, file)
	case "ScaleForecast":
		one := &v1alpha1.ScaleForecast{}
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, one, true), file)
		_, err := one.Compile()
		require.NoError(t, err, file)
	case "FederatedScale":
		one := &v1alpha1.FederatedScale{}
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, one, true), file)
		_, err := one.Compile()
		require.NoError(t, err, file)
	case "Headroom":
		one := &v1alpha1.Headroom{}
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, one, true), file)
		_, err := one.Compile()
		require.NoError(t, err, file)
	case "MemberCluster":
		one := &v1alpha1.MemberCluster{}
		require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, one, true), file)
	}
}

func nameOf(metric autoscalingv2.MetricSpec) string {
	switch {
	case metric.Pods != nil:
		return metric.Pods.Metric.Name
	case metric.Object != nil:
		return metric.Object.Metric.Name
	case metric.External != nil:
		return metric.External.Metric.Name
	}
	return ""
}

// A refused rule says what to do; an empty want means that the rule is taken.
func TestValidation(t *testing.T) {
	const ok = ""
	tests := []struct{ name, kind, spec, want string }{
		{"smallest", "MetricRule", `{query: up}`, ok},
		{"no query", "MetricRule", `{metric: a}`, "spec.query: Required value"},
		{"empty query", "MetricRule", `{query: ""}`, "spec.query"},
		{"misspelt field", "MetricRule", `{query: up, maxage: 1m}`, "spec.maxage"},
		{"not a duration", "MetricRule", `{query: up, interval: ten}`, "durations such as 10s"},
		{"negative hold", "MetricRule", `{query: up, holdFor: -5s}`, "durations such as 10s"},
		{"days", "ClusterMetricRule", `{query: up, maxAge: 1d}`, "durations such as 10s"},
		{"5s in a namespace", "MetricRule", `{query: up, interval: 5s}`, ok},
		{"4.9s in a namespace", "MetricRule", `{query: up, interval: 4.9s}`, "at least 5s"},
		{"1s in the cluster", "ClusterMetricRule", `{query: up, interval: 1s}`, ok},
		{"0.9s in the cluster", "ClusterMetricRule", `{query: up, interval: 900ms}`, "at least 1s"},
		{"hourly", "MetricRule", `{query: up, interval: 1h, maxAge: 2h}`, ok},
		{"over an hour", "MetricRule", `{query: up, interval: 1h1s, maxAge: 3h}`, "at most 1h"},
		{"maxAge of two intervals", "MetricRule", `{query: up, interval: 30s, maxAge: 60s}`, ok},
		{"maxAge under two intervals", "MetricRule", `{query: up, interval: 30.5s}`, "twice the interval"},
		{"maxAge over a day", "MetricRule", `{query: up, maxAge: 24h1s}`, "at most 24h"},
		{"hold for a day", "MetricRule", `{query: up, holdFor: 24h}`, ok},
		{"hold for longer", "MetricRule", `{query: up, holdFor: 25h}`, "holdFor must be"},
		{"10000 series", "MetricRule", `{query: up, maxSeries: 10000}`, ok},
		{"10001 series", "MetricRule", `{query: up, maxSeries: 10001}`, "at most 10000"},
		{"10001 series in the cluster", "ClusterMetricRule", `{query: up, maxSeries: 10001}`, ok},
		{"no series", "ClusterMetricRule", `{query: up, maxSeries: 0}`, "spec.maxSeries"},
		{"slash in the name", "MetricRule", `{query: up, metric: a/b}`, "spec.metric"},
		{"dots in the name", "MetricRule", `{query: up, metric: a.b:c-d_e}`, ok},
		{"group", "MetricRule", `{query: up, object: {resource: ingresses.networking.k8s.io, nameLabel: ingress}}`, ok},
		{"kind for a resource", "MetricRule", `{query: up, object: {resource: Pod, nameLabel: pod}}`, "spec.object.resource"},
		{"no name label", "MetricRule", `{query: up, object: {resource: pods}}`, "spec.object.nameLabel: Required"},
		{"braces in a label", "MetricRule", `{query: up, object: {resource: pods, nameLabel: "{pod}"}}`, "spec.object.nameLabel"},
		{"all of what may be added", "MemberCluster", `{nodeGroups: {address: "127.0.0.1:8086", expandablePercent: 100}}`, ok},
		{"more than may be added", "MemberCluster", `{nodeGroups: {address: "127.0.0.1:8086", expandablePercent: 101}}`, "spec.nodeGroups.expandablePercent"},
	}
	kinds := crds(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := "apiVersion: plimsoll.dev/v1alpha1\nkind: " + test.kind + "\nmetadata: {name: a}\nspec: " + test.spec
			found := kinds[test.kind].validate(documents(t, []byte(text))[0])
			if test.want == ok {
				require.Empty(t, found)
				return
			}
			var messages strings.Builder
			for _, one := range found {
				messages.WriteString(one.Error() + "\n")
			}
			require.Contains(t, messages.String(), test.want)
			t.Log(messages.String())
		})
	}
}

// What the API server fills in is what WithDefaults fills in, so that offline checks see the same rule.
func TestDefaultsAgree(t *testing.T) {
	text := "apiVersion: plimsoll.dev/v1alpha1\nkind: MetricRule\nmetadata: {name: a}\nspec: {query: up, object: {resource: pods, nameLabel: pod}}"
	object := documents(t, []byte(text))[0]
	offline := &v1alpha1.MetricRule{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, offline))
	require.Empty(t, crds(t)["MetricRule"].validate(object))
	online := &v1alpha1.MetricRule{}
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, online))
	require.Equal(t, online.WithDefaults(), offline.WithDefaults())
	require.Equal(t, online.Spec.Interval, offline.WithDefaults().Interval)
	require.Equal(t, online.Spec.MaxAge, offline.WithDefaults().MaxAge)
	require.Equal(t, online.Spec.Object, offline.WithDefaults().Object)
}

// A CRD that is generated but not listed in crd/kustomization.yaml would not be installed.
func TestEveryCRDIsInstalled(t *testing.T) {
	files, err := fs.Glob(manifests.Files, "crd/plimsoll.dev_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	require.Len(t, crds(t), len(files), "list every file of manifests/crd in its kustomization.yaml")
}
