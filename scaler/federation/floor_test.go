// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// annotated is an HPA with the annotation of a floor.
func annotated(text string) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{record.FederatedAnnotation: text}}}
	hpa.Spec.MinReplicas = new(int32(7))
	return hpa
}

// A floor that cannot be read is no reason to forget the user's own number, nor to write another.
func TestFloorsThatAreNotWritten(t *testing.T) {
	owned := annotated("")
	owned.OwnerReferences = []metav1.OwnerReference{{Kind: "ScaledObject", Name: "shop", Controller: new(true)}}
	for _, test := range []struct {
		hpa  *autoscalingv2.HorizontalPodAutoscaler
		want string
	}{
		{annotated("nonsense"), "cannot be read, so the HPA's own minReplicas is unknown"},
		{annotated("{}"), "cannot be read"},
		{annotated(`{"hub":"another","scale":"shop","base":2,"applied":7}`), "another hub (another) divides HPA shop"},
		{annotated(`{"hub":"this","scale":"shop","base":-1,"applied":7}`), "cannot be read"},
		{owned, "HPA shop belongs to ScaledObject shop, which sets its bounds"},
	} {
		one := &sight{memo: &memberMemo{}, target: &target{hpa: test.hpa, replicas: 7, annotations: test.hpa.Annotations}, seen: true}
		one.target.judgeFloor("this", time.Now())
		reason, message := one.leftAlone()
		require.Equal(t, v1alpha1.FederatedTargetRefused, reason)
		require.Contains(t, message, test.want)
		m := one.divided(&scene{rule: v1alpha1.Federation{Bounds: true}})
		require.Equal(t, []int64{7, 7}, []int64{*m.Min, *m.Max}, "what it has is its share")
	}
}

// testFloors has others write the HPAs: each number of theirs comes back when no share is to stand there any more, in steps,
// and theirs is the field then.
func testFloors(p *play) {
	p.deploy(1, "berlin", "paris", "rome")
	for name := range p.members {
		p.apply(name, 2)
	}
	p.create("replicas: 24, divide: Bounds")
	p.wants("the HPAs follow their floors", counts{"berlin": 12, "paris": 8, "rome": 4})
	require.Equal(p.t, int64(2), p.kept("berlin").Base)
	require.ErrorContains(p.t, p.tryApply("berlin", 2), "conflict", "the field is the hub's")

	for range 3 { // a tool that does not give in
		p.setFloor("berlin", 2)
		p.floorBecomes("berlin", 12)
	}
	p.setFloor("berlin", 2)
	p.noted("berlin", v1alpha1.FederatedReverted)
	p.pass(11 * time.Minute)
	p.floorBecomes("berlin", 12)

	p.setFloor("paris", 3) // a person
	p.floorBecomes("paris", 8)
	require.Equal(p.t, int64(3), p.kept("paris").Base)

	p.annotate("rome", record.PausedAnnotation, "true")
	p.noted("rome", v1alpha1.FederatedPaused)
	p.scaleTo(12)
	p.floorBecomes("berlin", 5)
	require.Equal(p.t, int32(4), p.floor("rome"), "hands off")
	p.annotate("rome", record.PausedAnnotation, "")
	p.floorBecomes("rome", 2)
	p.scaleTo(24)
	p.floorBecomes("berlin", 12)
	p.floorBecomes("rome", 4)

	p.annotate("rome", record.PausedAnnotation, "true")
	require.NoError(p.t, p.hub.Client.Delete(p.t.Context(), p.get()))
	p.goesBack("berlin")
	require.Equal(p.t, int32(12), p.floor("berlin"), "nothing sinks at once")
	p.stop() // whoever comes next goes on
	p.start()
	p.sinks("berlin", 10, 9, 8, 7, 6, 5, 4, 3, 2)
	require.Equal(p.t, int32(4), p.floor("rome"), "hands off")
	p.annotate("rome", record.PausedAnnotation, "")
	p.goesBack("rome")
	p.sinks("rome", 3, 2)
	for name, base := range (counts{"berlin": 2, "paris": 3, "rome": 2}) {
		clustertest.Eventually(p.t, "nothing is kept in "+name, func() error {
			if kept := p.kept(name); kept != nil {
				return fmt.Errorf("%+v", kept)
			}
			return nil
		})
		require.Equal(p.t, base, p.floor(name))
	}
	require.ErrorContains(p.t, p.tryApply("berlin", 4), `conflict with "tool"`, "who wrote it last has it")
	require.NoError(p.t, p.tryApply("rome", 4), "the field is its owner's again")
	require.Equal(p.t, int32(4), p.floor("rome"))
}

// goesBack waits until an HPA is known to be on its way back.
func (p *play) goesBack(name string) {
	p.t.Helper()
	clustertest.Eventually(p.t, name+" is on its way back", func() error {
		if kept := p.kept(name); kept == nil || kept.Lowered.IsZero() {
			return fmt.Errorf("it is not: %+v", kept)
		}
		return nil
	})
}

// sinks lets minutes pass, in each of which minReplicas becomes one of some numbers.
func (p *play) sinks(name string, steps ...int32) {
	p.t.Helper()
	for _, next := range steps {
		p.offset.Add(int64(time.Minute + time.Second))
		p.annotate(name, "looked", fmt.Sprint(next))
		p.floorBecomes(name, next)
	}
}

const applied = `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: shop},
	spec: {minReplicas: %d, maxReplicas: %d, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}}}`

// tryApply applies a member's HPA on the server's side, as a GitOps tool does, without force.
func (p *play) tryApply(name string, floor int) error {
	object := &unstructured.Unstructured{}
	require.NoError(p.t, yaml.Unmarshal(fmt.Appendf(nil, applied, floor, 4*nodes[name]), &object.Object))
	object.SetNamespace(p.namespace)
	return p.members[name].Client.Apply(p.t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("argocd"))
}

func (p *play) apply(name string, floor int) { require.NoError(p.t, p.tryApply(name, floor)) }

func (p *play) patchHPA(name, patch string) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: p.meta()}
	require.NoError(p.t, p.members[name].Client.Patch(p.t.Context(), hpa, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner("tool")))
}

func (p *play) setFloor(name string, to int) {
	p.patchHPA(name, fmt.Sprintf(`{"spec":{"minReplicas":%d}}`, to))
}

// annotate sets an annotation of a member's HPA; "" removes it.
func (p *play) annotate(name, annotation, value string) {
	text := fmt.Sprintf("%q", value)
	if value == "" {
		text = "null"
	}
	p.patchHPA(name, fmt.Sprintf(`{"metadata":{"annotations":{%q:%s}}}`, annotation, text))
}

// kept is what is kept on a member's HPA; nil: nothing.
func (p *play) kept(name string) *divide.Floor {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	require.NoError(p.t, p.members[name].Client.Get(p.t.Context(), p.key(), hpa))
	share, err := record.ParseShare(hpa.Annotations)
	require.NoError(p.t, err)
	return share.Floor
}

func (p *play) floorBecomes(name string, want int32) {
	p.t.Helper()
	clustertest.Eventually(p.t, fmt.Sprintf("minReplicas in %s becomes %d", name, want), func() error {
		if n := p.floor(name); n != want {
			return fmt.Errorf("it is %d", n)
		}
		return nil
	})
}
