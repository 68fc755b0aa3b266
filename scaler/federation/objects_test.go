// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// onePod is a template of pods that request cpu.
func onePod(cpu string) *corev1.PodTemplateSpec {
	requests := corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}
	return &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Resources: requests}}}}
}

// What is found stays until another number is asked for; what only observes, or is paused, writes nothing.
func testNoSurprise(p *play) {
	p.deploy(3, "berlin", "paris", "rome")
	p.create("mode: Observe")
	p.eventually("goals", func() error {
		f := p.get()
		if goals := []int32{row(f, "berlin").Goal, row(f, "paris").Goal, row(f, "rome").Goal}; !slices.Equal(goals, []int32{4, 3, 2}) {
			return fmt.Errorf("they are %d", goals)
		}
		return nil
	})
	require.Nil(p.t, row(p.reason(v1alpha1.FederatedObserving), "berlin").Written)
	p.patch(`{"metadata":{"annotations":{"plimsoll.dev/paused":"true"}},"spec":{"mode":"Enforce"}}`)
	p.reason(v1alpha1.FederatedPaused)
	p.wants("as it was", counts{"berlin": 3, "paris": 3, "rome": 3})
	p.patch(`{"metadata":{"annotations":{"plimsoll.dev/paused":null}}}`)
	p.wants("nine are found and divided", counts{"berlin": 4, "paris": 3, "rome": 2})
	p.reason(v1alpha1.FederatedAdopting)
	p.scaleTo(10)
	p.wants("as many were asked for", counts{"berlin": 5, "paris": 3, "rome": 2})
	p.scaleTo(6)
	p.wants("six were asked for", counts{"berlin": 3, "paris": 2, "rome": 1})
	p.reason(v1alpha1.FederatedDivided)
	p.patch(`{"spec":{"clusters":[{"name":"berlin"},{"name":"berlin2"}]}}`)
	p.reason(v1alpha1.FederatedNoClusters)
	p.wants("nothing is taken from those that are not named any more", counts{"berlin": 6, "paris": 2, "rome": 1})
}

// The end of an object changes no replicas.
func testDeleted(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 12")
	p.wants("shares", counts{"berlin": 6, "paris": 4, "rome": 2})
	member := &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "paris"}}
	require.NoError(p.t, p.hub.Client.Delete(p.t.Context(), member))
	p.eventually("it is known", func() error {
		if message := row(p.get(), "paris").Message; message == "" {
			return fmt.Errorf("no message")
		}
		return nil
	})
	p.wants("the shares stay", counts{"berlin": 6, "paris": 4, "rome": 2})
	p.scaleTo(13)
	p.wants("another number is divided without it", counts{"berlin": 10, "paris": 4, "rome": 3})
	require.NoError(p.t, p.hub.Client.Create(p.t.Context(), &v1alpha1.MemberCluster{ObjectMeta: metav1.ObjectMeta{Name: "paris"}}))
	p.judge(p.t, "paris", v1alpha1.MemberHealthy)
	p.wants("with it again", counts{"berlin": 7, "paris": 4, "rome": 2})
	require.NoError(p.t, p.hub.Client.Delete(p.t.Context(), p.get()))
	p.stop() // whatever it does at the end is done
	p.start()
	p.wantsAll("without a FederatedScale", counts{"berlin": 7, "paris": 4, "rome": 2})
}

// With divide: Bounds the members' own HPAs get their shares as minReplicas, within their maxReplicas.
func testBounds(p *play) {
	p.deploy(1, "berlin", "paris", "rome")
	for name, most := range map[string]int{"berlin": 20, "paris": 3, "rome": 20} {
		p.members[name].Create(p.t, p.namespace, fmt.Sprintf(`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: shop},
			spec: {minReplicas: 1, maxReplicas: %d, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}}}`, most))
	}
	p.create("replicas: 12, divide: Bounds")
	p.wants("the HPAs follow their floors", counts{"berlin": 7, "paris": 3, "rome": 2})
	require.Equal(p.t, int32(7), p.floor("berlin"))
	f := p.reason(v1alpha1.FederatedDivided)
	require.Equal(p.t, int32(12), f.Status.Replicas)

	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: p.meta()}
	held := fmt.Sprintf(`{"metadata":{"annotations":{%q:"{\"min\":7,\"max\":20}"}}}`, record.BaseAnnotation)
	require.NoError(p.t, p.members["berlin"].Client.Patch(p.t.Context(), hpa, client.RawPatch(types.MergePatchType, []byte(held))))
	p.scaleTo(1)
	p.eventually("the others sink to 1", func() error {
		if n := p.floor("paris") + p.floor("rome"); n != 2 {
			return fmt.Errorf("%d in paris and rome", n)
		}
		return nil
	})
	require.Equal(p.t, int32(7), p.floor("berlin"), "what the member's own scaler holds is not lowered")
	hpa = &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: p.meta()}
	free := fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, record.BaseAnnotation)
	require.NoError(p.t, p.members["berlin"].Client.Patch(p.t.Context(), hpa, client.RawPatch(types.MergePatchType, []byte(free))))
	p.eventually("then it sinks", func() error {
		if n := p.floor("berlin"); n != 1 {
			return fmt.Errorf("%d in berlin", n)
		}
		return nil
	})
}

func (p *play) floor(name string) int32 {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	require.NoError(p.t, p.members[name].Client.Get(p.t.Context(), p.key(), hpa))
	return *hpa.Spec.MinReplicas
}

func testOtherKinds(p *play) {
	for _, c := range p.all() {
		c.Create(p.t, p.namespace, `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: shop}, spec: {replicas: 0, serviceName: shop, selector: {matchLabels: {app: shop}},
			template: {metadata: {labels: {app: shop}}, spec: {containers: [{name: shop, image: shop, resources: {requests: {cpu: "1"}}}]}}}}`)
		c.Create(p.t, "", rollouts)
		c.Create(p.t, p.namespace, `{apiVersion: example.com/v1, kind: Rollout, metadata: {name: shop}, spec: {size: 0}}`)
	}
	p.create("replicas: 6, targetRef: {kind: StatefulSet}")
	p.reason(v1alpha1.FederatedDivided)
	f := p.get()
	require.Equal(p.t, []int32{3, 2, 1}, []int32{row(f, "berlin").Ready, row(f, "paris").Ready, row(f, "rome").Ready})

	p.hub.Create(p.t, p.namespace, `{apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, metadata: {name: other},
		spec: {mode: Enforce, replicas: 3, targetRef: {apiVersion: example.com/v1, kind: Rollout, name: shop}}}`)
	p.eventually("another kind", func() error {
		for name, c := range p.members {
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Rollout"})
			require.NoError(p.t, c.Client.Get(p.t.Context(), p.key(), object))
			if size, _, _ := unstructured.NestedInt64(object.Object, "spec", "size"); size != 1 {
				return fmt.Errorf("%d in %s", size, name)
			}
		}
		return nil
	})
	require.NoError(p.t, p.hub.Client.Delete(p.t.Context(), &v1alpha1.FederatedScale{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "other"}}))
}

const rollouts = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts, singular: rollout}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
`

// An HPA of the hub with a metric that needs pods says so, and cannot lower anything.
func testHubHPA(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 6")
	p.wants("shares", counts{"berlin": 3, "paris": 2, "rome": 1})
	p.hub.Create(p.t, p.namespace, `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: shop}, spec: {minReplicas: 3, maxReplicas: 30,
		scaleTargetRef: {apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, name: shop}}}`)
	f := p.reason(v1alpha1.FederatedWrongMetricType)
	require.Contains(p.t, f.Status.Notes[0].Message, "cpu of type Resource")
	p.scaleTo(3)
	p.eventually("the lower number is known", func() error {
		if f := p.get(); f.Status.ObservedGeneration != f.Generation || f.Status.Divided != 6 {
			return fmt.Errorf("%d are divided", f.Status.Divided)
		}
		return nil
	})
	p.wants("fewer are not acted on", counts{"berlin": 3, "paris": 2, "rome": 1})
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: p.meta()}
	require.NoError(p.t, p.hub.Client.Patch(p.t.Context(), hpa, client.RawPatch(types.MergePatchType, []byte(
		`{"spec":{"metrics":[{"type":"External","external":{"metric":{"name":"users"},"target":{"type":"AverageValue","averageValue":"10"}}}]}}`))))
	p.wants("now they are", counts{"berlin": 1, "paris": 1, "rome": 1})
	p.reason(v1alpha1.FederatedDivided)
}

// A ScaleSchedule may name a FederatedScale as it may any workload with a scale.
func testSchedule(p *play) {
	p.deploy(0, "berlin", "paris", "rome")
	p.create("replicas: 3")
	p.wants("shares", counts{"berlin": 1, "paris": 1, "rome": 1})
	start, end := p.now().Add(-time.Minute).UTC(), p.now().Add(time.Hour).UTC()
	p.hub.Create(p.t, p.namespace, fmt.Sprintf(`{apiVersion: plimsoll.dev/v1alpha1, kind: ScaleSchedule, metadata: {name: sale}, spec: {timeZone: UTC,
		targetRef: {apiVersion: plimsoll.dev/v1alpha1, kind: FederatedScale, name: shop}, windows: [{name: sale, start: %q, end: %q, minReplicas: 12, rampDown: 0s}]}}`,
		start.Format("2006-01-02T15:04"), end.Format("2006-01-02T15:04")))
	p.wants("the window's number", counts{"berlin": 6, "paris": 4, "rome": 2})
}
