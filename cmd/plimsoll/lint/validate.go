// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	schemavalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// validator does with an object what the API server does: unknown fields, defaults, schema, CEL.
type validator struct {
	schema      *structuralschema.Structural
	values      schemavalidation.SchemaValidator
	expressions *cel.Validator
}

func newValidator(text []byte) (*validator, error) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(text, crd); err != nil {
		return nil, fmt.Errorf("read the CRD: %w", err)
	}
	internal := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, internal, nil); err != nil {
		return nil, fmt.Errorf("convert the CRD %s: %w", crd.Name, err)
	}
	props, err := apiextensions.GetSchemaForVersion(internal, crd.Spec.Versions[0].Name)
	if err != nil {
		return nil, fmt.Errorf("find the schema of the CRD %s: %w", crd.Name, err)
	}
	schema, err := structuralschema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("read the schema of the CRD %s: %w", crd.Name, err)
	}
	values, _, err := schemavalidation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("compile the schema of the CRD %s: %w", crd.Name, err)
	}
	return &validator{schema, values, cel.NewValidator(schema, true, celconfig.PerCallLimit)}, nil
}

// validate returns a sentence for each mistake, and fills in defaults.
func (v *validator) validate(object map[string]any) []string {
	var all []string
	for _, path := range pruning.PruneWithOptions(object, v.schema, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		all = append(all, path+": there is no such field")
	}
	defaulting.Default(object, v.schema)
	found := schemavalidation.ValidateCustomResource(nil, object, v.values)
	found = append(found, listtype.ValidateListSetsAndMaps(nil, v.schema, object)...)
	// Expressions on values of the wrong type say the same again, in worse words.
	if len(found) == 0 {
		found, _ = v.expressions.Validate(context.Background(), nil, v.schema, object, nil, celconfig.RuntimeCELCostBudget)
	}
	for _, one := range found {
		all = append(all, sentence(one))
	}
	return all
}

// sentence leaves out the value, which for an object is a page of text.
func sentence(e *field.Error) string {
	switch e.Type {
	case field.ErrorTypeRequired:
		return e.Field + ": it is required"
	case field.ErrorTypeDuplicate:
		if key, ok := e.BadValue.(map[string]any); ok && key["name"] != nil {
			return fmt.Sprintf("%s: the name %v is there twice", e.Field, key["name"])
		}
		return fmt.Sprintf("%s: %v is there twice", e.Field, e.BadValue)
	}
	detail := strings.TrimPrefix(e.Detail, e.Field+" ")
	return e.Field + ": " + strings.TrimPrefix(detail, "in body ")
}
