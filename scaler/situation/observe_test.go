// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/clustertest"
)

// observed is what Observe finds of the HPA shop among objects.
func observed(t *testing.T, now time.Time, objects ...client.Object) *Situation {
	t.Helper()
	c := fake.NewClientBuilder().WithScheme(clustertest.Scheme(t)).WithObjects(objects...).Build()
	o := Observer{Reader: c, Now: func() time.Time { return now }}
	s, err := o.Observe(t.Context(), types.NamespacedName{Namespace: "shop", Name: "shop"})
	require.NoError(t, err)
	return s
}

// scaling is an HPA of a StatefulSet of its name, with bounds of 10 to 100.
func scaling(name string, replicas int32) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := newWorld(10, 100).hpa
	hpa.Name, hpa.Status.CurrentReplicas = name, replicas
	hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "StatefulSet", Name: name}
	return hpa
}

// pods are those of a StatefulSet, of which some are Ready.
func pods(of string, total, ready int) []client.Object {
	var all []client.Object
	yes := true
	for i := range total {
		pod := startedPod(0, time.Second)
		pod.Namespace, pod.Name = "shop", fmt.Sprint(of, "-", i)
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: "StatefulSet", Name: of, Controller: &yes}}
		if i >= ready {
			pod.Status.Conditions[1].Status = "False"
		}
		all = append(all, &pod)
	}
	return all
}

// A window waits for the floor that its target's own windows will have brought about, not for the one that it has now.
func TestWhatAWindowWaitsForIsReady(t *testing.T) {
	for _, test := range []struct {
		name         string
		total, ready int
		replicas     int32 // that the HPA controller saw
		after        time.Duration
		change       func(own *v1alpha1.ScaleSchedule)
		want         bool
	}{
		{name: "one less than its floor", total: 40, ready: 39, replicas: 40, want: false},
		{name: "its floor", total: 40, ready: 40, replicas: 40, want: true},
		{name: "pods, and none of them Ready", total: 40, ready: 0, replicas: 40, want: false},
		{name: "pods that are not known by their owner", replicas: 40, want: true},
		{name: "too few of such", replicas: 39, want: false},
		{name: "its window ramps down", total: 20, ready: 20, replicas: 20, after: 65 * time.Minute, want: true},
		{name: "its schedule is being deleted", total: 10, ready: 10, replicas: 10, want: true, change: func(own *v1alpha1.ScaleSchedule) {
			own.Finalizers, own.DeletionTimestamp = []string{"example.com/kept"}, &metav1.Time{Time: noon}
		}},
		{name: "a floor that its maximum caps", total: 100, ready: 100, replicas: 100, want: true, change: func(own *v1alpha1.ScaleSchedule) {
			own.Spec.Windows[0].MinReplicas = number(400)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(10, 100)
			w.window(func(v *v1alpha1.ScheduleWindow) {
				v.Duration, v.MinReplicas, v.After = minutes(300), number(40), []v1alpha1.ScheduleAfter{{Name: "payment"}}
			})
			w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas, v.RampDown = number(40), minutes(10) })
			own := &w.schedules[1]
			own.Spec.TargetRef.Name = "payment"
			if test.change != nil {
				test.change(own)
			}
			objects := append(pods("payment", test.total, test.ready), scaling("shop", 10), scaling("payment", test.replicas), &w.schedules[0], own)
			s := observed(t, noon.Add(test.after), objects...)
			require.Equal(t, map[schedule.Target]bool{{Kind: Kind, Name: "payment"}: test.want}, s.Ready)
		})
	}
}

// What is being deleted asks for nothing any more, however long a finalizer keeps it.
func TestWhatIsBeingDeletedDoesNotCount(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		w := newWorld(10, 100)
		w.window(func(v *v1alpha1.ScheduleWindow) { v.MinReplicas = number(40) })
		w.enforced(func(*v1alpha1.ScaleForecast) {})
		for _, object := range []client.Object{&w.schedules[0], &w.forecasts[0]} {
			object.SetNamespace("shop")
			object.SetFinalizers([]string{"example.com/kept"})
			if deleted {
				object.SetDeletionTimestamp(&metav1.Time{Time: noon})
			}
		}
		s := observed(t, noon, scaling("shop", 10), &w.schedules[0], &w.forecasts[0])
		require.Equal(t, deleted, len(s.Schedules) == 0)
		require.Equal(t, deleted, len(s.Forecasts) == 0)
	}
}

// The pods tell how many replicas there are as long as the HPA controller has not.
func TestReplicasThatTheHPAHasNotSeen(t *testing.T) {
	require.EqualValues(t, 3, observed(t, noon, append(pods("shop", 3, 1), scaling("shop", 0))...).Replicas)
	require.EqualValues(t, 5, observed(t, noon, append(pods("shop", 3, 1), scaling("shop", 5))...).Replicas)
}
