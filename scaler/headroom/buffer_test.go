// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

func TestPhase(t *testing.T) {
	at := func(d time.Duration) *time.Time { return new(noon.Add(-d)) }
	for name, tc := range map[string]struct {
		since         *time.Time
		ready, giveUp bool
		want          bufferPhase
		wantSince     *time.Time
	}{
		"new":                             {nil, false, true, bufferWaiting, &noon},
		"waits":                           {at(bufferPatience - 1), false, true, bufferWaiting, at(bufferPatience - 1)},
		"in vain":                         {at(bufferPatience), false, true, bufferGivenUp, at(bufferPatience)},
		"tried again":                     {at(bufferPatience + bufferRetry), false, true, bufferWaiting, &noon},
		"in vain, and nothing else to do": {at(bufferPatience + bufferRetry), false, false, bufferGivenUp, at(bufferPatience + bufferRetry)},
		"accepted late":                   {at(time.Hour), true, false, bufferReady, nil},
		"from the future":                 {at(-time.Hour), false, true, bufferWaiting, &noon},
	} {
		t.Run(name, func(t *testing.T) {
			got, since := phase(tc.since, tc.ready, tc.giveUp, noon)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.wantSince, since)
		})
	}
}

func TestChoose(t *testing.T) {
	const auto = v1alpha1.HeadroomAuto
	require.Equal(t, v1alpha1.HeadroomPlaceholder, choose(auto, bufferNone, false))
	require.Equal(t, v1alpha1.HeadroomPlaceholder, choose(auto, bufferGivenUp, false))
	require.Equal(t, v1alpha1.HeadroomNodeGroups, choose(auto, bufferGivenUp, true))
	require.Equal(t, v1alpha1.HeadroomCapacityBuffer, choose(auto, bufferWaiting, true))
	require.Equal(t, v1alpha1.HeadroomCapacityBuffer, choose(auto, bufferReady, true))
	require.Equal(t, v1alpha1.HeadroomPlaceholder, choose(v1alpha1.HeadroomPlaceholder, bufferReady, true))
	require.Equal(t, v1alpha1.HeadroomCapacityBuffer, choose(v1alpha1.HeadroomCapacityBuffer, bufferNone, false))
}

// Those that fall are written before those that rise, and those that are not wanted not at all.
func TestFallingFirst(t *testing.T) {
	there := map[string]*unstructured.Unstructured{}
	for name, replicas := range map[string]any{"a": int64(3), "b": int64(3), "c": int64(3), "d": "many"} {
		there[name] = &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"replicas": replicas}}}
	}
	var names []string
	for _, b := range fallingFirst([]block{{name: "a", count: 4}, {name: "b", count: 2}, {name: "c"}, {name: "d", count: 1}, {name: "new", count: 9}}, there) {
		names = append(names, b.name)
	}
	require.Equal(t, []string{"b", "a", "d", "new"}, names)
}

var crdKind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

const bufferCRD = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: capacitybuffers.autoscaling.x-k8s.io},
  spec: {group: autoscaling.x-k8s.io, scope: Namespaced, names: {kind: CapacityBuffer, plural: capacitybuffers}, versions: [
    {name: v1alpha1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}},
    {name: v1beta1, served: BETA, storage: false, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`

// buffers are those of the reserve.
func (s *stage) buffers() []unstructured.Unstructured {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(bufferKind("v1alpha1").GroupVersion().WithKind("CapacityBufferList"))
	require.NoError(s.t, s.berlin.Client.List(s.t.Context(), list, client.InNamespace(capacity.HeadroomNamespace)))
	return list.Items
}

func (s *stage) templates() int {
	var list corev1.PodTemplateList
	require.NoError(s.t, s.berlin.Client.List(s.t.Context(), &list, client.InNamespace(capacity.HeadroomNamespace)))
	return len(list.Items)
}

// accept does what a node autoscaler does.
func (s *stage) accept() {
	for _, b := range s.buffers() {
		changed := b.DeepCopy()
		condition := map[string]any{"type": "ReadyForProvisioning", "status": "True", "reason": "AttributesSetSuccessfully"}
		require.NoError(s.t, unstructured.SetNestedSlice(changed.Object, []any{condition}, "status", "conditions"))
		require.NoError(s.t, s.berlin.Client.Status().Patch(s.t.Context(), changed, client.MergeFrom(&b)))
	}
}

// A node autoscaler that does not accept a buffer in time is not relied on, and one that does needs no placeholder pods.
func testBuffers(t *testing.T, s *stage) {
	crd := &unstructured.Unstructured{}
	s.berlin.Create(t, "", strings.Replace(bufferCRD, "v1beta1, served: BETA", "v1alpha2, served: true", 1))
	s.headroom(`{}`)
	clustertest.Eventually(t, "the kind is known", func() error { // a look may have begun before it was
		if strategy := s.status().Status.Strategy; strategy != "CapacityBuffer" {
			s.offset.Add(int64(versionFor))
			return fmt.Errorf("the strategy is %q", strategy)
		}
		return nil
	})
	s.change(func(h *v1alpha1.Headroom) { h.Spec.Mode = v1alpha1.ModeEnforce })
	s.says(v1alpha1.HeadroomFilling)
	require.Len(t, s.buffers(), 2)
	require.Equal(t, 2, s.templates())
	for _, b := range s.buffers() {
		require.Equal(t, "autoscaling.x-k8s.io/v1alpha1", b.GetManagedFields()[0].APIVersion)
		spec := b.Object["spec"].(map[string]any)
		require.Len(t, spec, 2)
		require.Positive(t, spec["replicas"])
		require.Equal(t, map[string]any{"name": b.GetName()}, spec["podTemplateRef"])
	}
	require.Empty(t, s.placeholders())

	s.offset.Add(int64(bufferPatience))
	h := s.says(v1alpha1.HeadroomHeld)
	require.Equal(t, "Placeholder", h.Status.Strategy)
	require.Contains(t, h.Status.Clusters[0].Message, "no node autoscaler accepted")
	require.Empty(t, s.buffers())
	require.Zero(t, s.templates())

	require.NoError(t, s.hub.Client.Get(t.Context(), types.NamespacedName{Name: "room"}, h))
	s.change(func(h *v1alpha1.Headroom) { h.Spec.Strategy = v1alpha1.HeadroomCapacityBuffer })
	s.says(v1alpha1.HeadroomBufferNotProvisioned)
	require.NotEmpty(t, s.placeholders(), "what is there stays until something else is")

	crd.SetGroupVersionKind(crdKind)
	require.NoError(t, s.berlin.Client.Get(t.Context(), types.NamespacedName{Name: "capacitybuffers.autoscaling.x-k8s.io"}, crd))
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	require.NoError(t, err)
	versions[1].(map[string]any)["name"] = "v1beta1"
	newer := crd.DeepCopy()
	require.NoError(t, unstructured.SetNestedSlice(newer.Object, versions, "spec", "versions"))
	require.NoError(t, s.berlin.Client.Patch(t.Context(), newer, client.MergeFrom(crd)))
	s.accept()
	h = s.says(v1alpha1.HeadroomHeld)
	require.Equal(t, "CapacityBuffer", h.Status.Strategy)
	require.Nil(t, h.Status.Clusters[0].BufferSince)
	clustertest.Eventually(t, "no pods hold room", func() error {
		if on := s.placeholders(); len(on) > 0 {
			return fmt.Errorf("%v", on)
		}
		return nil
	})

	mine := s.buffers()[0]
	hubs := func(hub string) {
		patch := fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`, hubLabel, hub)
		require.NoError(t, s.berlin.Client.Patch(t.Context(), &mine, client.RawPatch(types.MergePatchType, patch)))
	}
	require.Equal(t, s.identity(), mine.GetLabels()[hubLabel])
	hubs("another")
	h = s.says(v1alpha1.HeadroomHeldByOtherHub)
	require.Contains(t, h.Status.Conditions[0].Message, "another hub (another) keeps a reserve there, such as CapacityBuffer "+mine.GetName())
	require.Contains(t, h.Status.Conditions[0].Message, "label podtemplates,capacitybuffers -l plimsoll.dev/hub=another plimsoll.dev/hub-")
	hubs("") // from before there was the label
	s.says(v1alpha1.HeadroomHeld)
	clustertest.Eventually(t, "it is taken over", func() error {
		for _, b := range s.buffers() {
			if b.GetLabels()[hubLabel] != s.identity() {
				return errors.New(b.GetName() + " is not")
			}
		}
		return nil
	})

	percent := int32(30)
	clustertest.Eventually(t, "the newer version is used", func() error {
		for _, b := range s.buffers() {
			for _, f := range b.GetManagedFields() {
				if f.APIVersion == "autoscaling.x-k8s.io/v1beta1" {
					return nil
				}
			}
		}
		// Only what changes is written, and by the version that the cluster was known to have then.
		if seen := s.status(); seen.Status.ObservedGeneration == seen.Generation {
			percent = 70 - percent
			s.offset.Add(int64(versionFor))
			s.change(func(h *v1alpha1.Headroom) { h.Spec.Percent = &percent })
		}
		return errors.New("not yet")
	})
	require.NoError(t, s.hub.Client.Delete(t.Context(), s.status()))
	clustertest.Eventually(t, "the buffers are gone", func() error {
		if left := len(s.buffers()) + s.templates(); left > 0 {
			return fmt.Errorf("%d are left", left)
		}
		return nil
	})
	require.NoError(t, s.berlin.Client.Delete(t.Context(), crd))
	s.offset.Add(int64(versionFor))
}
