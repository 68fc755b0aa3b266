// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/scaler/record"
)

// apply applies the workload as its owner has it in a file, without force.
func (s *stage) apply(text string, replicas int) error {
	object := &unstructured.Unstructured{}
	require.NoError(s.t, yaml.Unmarshal(fmt.Appendf(nil, text, replicas), object))
	object.SetNamespace(s.namespace)
	return s.client.Apply(s.t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("flux"))
}

const (
	deploymentFile = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop}, spec: {replicas: %d, selector: {matchLabels: {app: shop}},
  template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: shop}]}}}}`
	rolloutFile = `{apiVersion: example.com/v1, kind: Rollout, metadata: {name: shop}, spec: {size: %d, image: shop}}`
)

// requireOwner requires that the owner's file has the number alone again, and that nothing is managed by Plimsoll.
func (s *stage) requireOwner(field string) {
	s.t.Helper()
	entries := s.object().GetManagedFields()
	owners := others(entries, field)
	require.Len(s.t, owners, 1)
	require.Equal(s.t, record.Owner{Field: field, Manager: "flux", Operation: "Apply", Group: s.key.APIVersion}, owners[0])
	for _, e := range entries {
		require.NotEqual(s.t, record.Manager, e.Manager, "%s", e.FieldsV1)
	}
}

func testOwned(t *testing.T, s *stage, file, field string) {
	require.NoError(t, s.apply(file, 3))
	s.schedule("minReplicas: 8, rampUp: 10m, rampDown: 10m")
	s.look(-5)
	s.look(0)
	require.EqualValues(t, 8, s.replicas())
	require.Equal(t, []string{field}, ourFields(s.object().GetManagedFields()))
	require.True(t, apierrors.IsConflict(s.apply(file, 5)), "it is held now")
	s.look(65)
	s.look(75)
	s.requireRestored(3)
	s.requireOwner(field)
	require.NoError(t, s.apply(file, 5))
	require.EqualValues(t, 5, s.replicas())
}

func testApplyDeployment(t *testing.T, s *stage) {
	testOwned(t, s, deploymentFile, usualField)

	// The next day's window; somebody takes the number by hand in it, and has it afterwards.
	s.patch(`{"metadata":{"labels":{"day":"2"}}}`)
	s.look(0)
	s.patch(`{"spec":{"replicas":12}}`)
	s.look(1)
	s.look(75)
	require.EqualValues(t, 12, s.replicas())
	owners := others(s.object().GetManagedFields(), usualField)
	require.Len(t, owners, 1)
	require.Equal(t, "kubectl-edit", owners[0].Manager)
	require.Empty(t, ourFields(s.object().GetManagedFields()))
}

// Its number is in a field that is known only once it is written.
func testApplyCustomKind(t *testing.T, s *stage) {
	s.key.APIVersion, s.key.Kind = "example.com/v1", "Rollout"
	testOwned(t, s, rolloutFile, "spec.size")
}

func testApplyRelease(t *testing.T, s *stage) {
	require.NoError(t, s.apply(deploymentFile, 3))
	s.schedule("minReplicas: 8")
	s.look(0)
	_, err := Release(t.Context(), s.controller.Observer, s.controller.writer, s.key, false)
	require.NoError(t, err)
	s.requireRestored(8)
	s.requireOwner(usualField)
	require.NoError(t, s.apply(deploymentFile, 4))
	require.EqualValues(t, 4, s.replicas())
}
