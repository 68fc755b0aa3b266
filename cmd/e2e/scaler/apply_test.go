// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/bounds"
)

// clientSideManager is what kubectl calls itself in a client-side apply.
const clientSideManager = "kubectl-client-side-apply"

// serverSideApply applies the owner's file as `kubectl apply --server-side` does: never by force.
func (s *scene) serverSideApply(t *testing.T, b bounds.Bounds) {
	t.Helper()
	require.NoError(t, s.tryServerSideApply(b))
}

func (s *scene) tryServerSideApply(b bounds.Bounds, options ...client.ApplyOption) error {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(s.hpaYAML(b)), &object.Object); err != nil {
		return err
	}
	return s.client.Apply(context.Background(), client.ApplyConfigurationFromUnstructured(object), append(options, client.FieldOwner(owner))...)
}

// clientSideApply applies the owner's file as `kubectl apply` does: a three-way merge of what was applied last, which an
// annotation keeps, of the file and of the live object.
func (s *scene) clientSideApply(t *testing.T, b bounds.Bounds) {
	t.Helper()
	require.NoError(t, s.tryClientSideApply(b))
}

func (s *scene) tryClientSideApply(b bounds.Bounds) error {
	modified, err := s.withLastApplied(b)
	if err != nil {
		return err
	}
	live, err := s.readHPA()
	if apierrors.IsNotFound(err) {
		created := new(autoscalingv2.HorizontalPodAutoscaler)
		if err := json.Unmarshal(modified, created); err != nil {
			return err
		}
		return s.client.Create(context.Background(), created, client.FieldOwner(clientSideManager))
	}
	if err != nil {
		return err
	}
	current, err := json.Marshal(live)
	if err != nil {
		return err
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(autoscalingv2.HorizontalPodAutoscaler{})
	if err != nil {
		return err
	}
	original := []byte(live.Annotations[corev1.LastAppliedConfigAnnotation])
	patch, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, meta, true)
	if err != nil || string(patch) == "{}" {
		return err
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: app}}
	return s.client.Patch(context.Background(), hpa, client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner(clientSideManager))
}

// withLastApplied returns the owner's file with itself in the annotation, as kubectl sends it.
func (s *scene) withLastApplied(b bounds.Bounds) ([]byte, error) {
	file, err := yaml.YAMLToJSON([]byte(s.hpaYAML(b)))
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(file, &object.Object); err != nil {
		return nil, err
	}
	object.SetAnnotations(map[string]string{corev1.LastAppliedConfigAnnotation: string(file) + "\n"})
	return json.Marshal(object.Object)
}
