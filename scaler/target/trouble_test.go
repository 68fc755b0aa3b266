// SPDX-License-Identifier: Apache-2.0

package target

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// One shortage is told once, however the floor and the pods move in it.
func TestShortageIsToldOnce(t *testing.T) {
	recorder := events.NewFakeRecorder(100)
	r := &reconciler{events: recorder, told: map[types.NamespacedName]map[string]string{}}
	for _, step := range []struct {
		floor, ready, unschedulable int32
		told                        int
	}{
		{10, 10, 0, 0}, {12, 10, 0, 0}, {12, 10, 2, 1}, {14, 10, 4, 0}, {16, 10, 0, 0}, {16, 11, 5, 0}, {16, 16, 0, 0}, {20, 16, 4, 1},
	} {
		s := &situation.Situation{
			HPA:  &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "shop"}},
			Pods: situation.Pods{Ready: step.ready, Unschedulable: step.unschedulable},
		}
		s.HPA.Spec.MinReplicas, s.HPA.Spec.MaxReplicas = &step.floor, 100
		s.Record.State.Applied = &bounds.Bounds{Min: step.floor, Max: 100}
		r.tell(s, ofShortage(s))
		require.Len(t, recorder.Events, step.told, "%+v", step)
		for range step.told {
			require.Contains(t, <-recorder.Events, "no node has place for")
		}
	}
}

// A failure that is over because nothing is to be written any more is told as over.
func TestEndOfAFailureIsTold(t *testing.T) {
	name := types.NamespacedName{Namespace: "a", Name: "shop"}
	errRefused := errors.New("refused")
	failing := map[types.NamespacedName]error{name: errRefused}
	r := &reconciler{metrics: newMetrics(), wrote: func(hpa types.NamespacedName, err error) { failing[hpa] = err }}
	s := &situation.Situation{HPA: &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "shop"}}}
	_, err := r.act(t.Context(), s, &situation.Outcome{Leave: "paused by Namespace a"}, start)
	require.NoError(t, err)
	require.NoError(t, failing[name])
	failing[name] = errRefused
	r.forget(name)
	require.NoError(t, failing[name])
}
