// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/fit"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/capacity"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// unschedulable notes the placeholder pods that the scheduler finds no node for, until it is called.
func (s *stage) unschedulable() func() []string {
	ctx, cancel := context.WithCancel(s.t.Context())
	watch, err := s.berlin.Client.Watch(ctx, &corev1.PodList{}, client.InNamespace(capacity.HeadroomNamespace))
	require.NoError(s.t, err)
	var found []string
	var done sync.WaitGroup
	done.Go(func() {
		for event := range watch.ResultChan() {
			pod, is := event.Object.(*corev1.Pod)
			if !is && ctx.Err() != nil {
				return
			}
			if !is {
				found = append(found, fmt.Sprintf("the watch ended: %+v", event.Object))
				return
			}
			for _, c := range pod.Status.Conditions {
				if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
					found = append(found, pod.Name+": "+c.Message)
				}
			}
		}
	})
	return func() []string {
		cancel()
		watch.Stop()
		done.Wait()
		return found
	}
}

// holds waits until so many placeholder pods hold room for web, and the whole reserve is there.
func (s *stage) holds(web int32, image string) {
	s.t.Helper()
	clustertest.Eventually(s.t, fmt.Sprintf("%d pods hold room for web", web), func() error {
		d := &appsv1.Deployment{}
		if err := s.berlin.Client.Get(s.t.Context(), types.NamespacedName{Namespace: capacity.HeadroomNamespace, Name: nameOf("shop/web")}, d); err != nil {
			return err
		}
		is := d.Spec.Template.Spec.Containers[0].Image
		if *d.Spec.Replicas != web || d.Status.UpdatedReplicas != web || d.Status.ReadyReplicas != web || d.Status.ObservedGeneration != d.Generation || image != "" && is != image {
			return fmt.Errorf("%d of %d, %+v", *d.Spec.Replicas, web, d.Status)
		}
		return nil
	})
	s.says(v1alpha1.HeadroomHeld)
}

// Whatever becomes of a reserve that fits, no placeholder pod waits for room meanwhile: a node autoscaler would add nodes for
// it. web has 8 replicas of a cpu on 4 nodes of 5 cpu. The percentage asks for more memory than the next replicas of web
// need, so that the pods that fill it up change their size.
func testReshape(t *testing.T, s *stage) {
	s.patch("web", `{"spec":{"mode":"Enforce"}}`) // so that what is asked for counts
	s.headroom(`{mode: Enforce, percent: 30}`)
	s.holds(3, "")
	defer s.freeze(0)() // pods that are to go are waited for, however long they take
	waited := s.unschedulable()
	for range 2 {
		s.divide("web", 40) // for which the cpu of the filling has to go, as every node is full then
		s.holds(12, "")
		s.divide("web", 8)
		s.holds(3, "")
	}
	s.divide("web", 40)
	s.holds(12, "")
	for _, image := range []string{"registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.10"} {
		s.change(func(h *v1alpha1.Headroom) { h.Spec.Placeholder.Image = image })
		s.holds(12, image)
	}
	s.divide("web", 8)
	s.holds(3, "")
	require.Empty(t, waited())

	require.NoError(t, s.hub.Client.Delete(t.Context(), s.status()))
	clustertest.Eventually(t, "the reserve is gone", func() error {
		if on := s.placeholders(); len(on) > 0 {
			return fmt.Errorf("%v", on)
		}
		return nil
	})
}

// What is kept beyond what is wanted is no more than fits beside it.
func TestCrowd(t *testing.T) {
	node := reserve.Node{Allocatable: fit.Resources{"cpu": 10}, Pods: 100}
	b := func(workload string, cpu, count int64) reserve.Block {
		return reserve.Block{Workload: workload, Shape: fit.Shape{Requests: fit.Resources{"cpu": cpu}, Nodes: []int{0}}, Count: count}
	}
	for name, test := range map[string]struct {
		wanted     []reserve.Block
		kept, want []int64
	}{
		"nothing more":           {[]reserve.Block{b("a", 1, 4), b("", 2, 3)}, []int64{4, 3}, []int64{4, 3}},
		"more, and it fits":      {[]reserve.Block{b("a", 1, 4), b("", 2, 1)}, []int64{4, 3}, []int64{4, 3}},
		"some of it fits":        {[]reserve.Block{b("a", 1, 1)}, []int64{20}, []int64{1}},
		"in the way":             {[]reserve.Block{b("a", 1, 8), b("", 2, 0)}, []int64{8, 3}, []int64{8, 0}},
		"wanted and no room":     {[]reserve.Block{b("a", 1, 12)}, []int64{12}, []int64{12}},
		"more than wanted, full": {[]reserve.Block{b("a", 1, 12)}, []int64{15}, []int64{12}},
	} {
		t.Run(name, func(t *testing.T) {
			var kept []block
			for i, count := range test.kept {
				kept = append(kept, block{test.wanted[i], nameOf(test.wanted[i].Workload), count})
			}
			require.Equal(t, test.want, crowd([]reserve.Node{node}, test.wanted, kept))
		})
	}
}

// Pods that are to go are waited for, but not for ever.
func TestPatient(t *testing.T) {
	one := &sight{memo: newMemo(), now: noon}
	require.True(t, one.patient())
	one.now = noon.Add(yieldsWithin - 1)
	require.True(t, one.patient())
	one.now = noon.Add(yieldsWithin)
	require.False(t, one.patient())
	one.memo.yields = noon.Add(time.Hour)
	require.True(t, one.patient(), "a clock that was ahead")
}
