// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/cmd/stack/stacktest"
	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

func (s *scene) key() types.NamespacedName { return types.NamespacedName{Namespace: s.ns, Name: app} }

func (s *scene) readHPA() (*autoscalingv2.HorizontalPodAutoscaler, error) {
	hpa := new(autoscalingv2.HorizontalPodAutoscaler)
	return hpa, s.client.Get(context.Background(), s.key(), hpa)
}

func (s *scene) hpa(t *testing.T) *autoscalingv2.HorizontalPodAutoscaler {
	t.Helper()
	hpa, err := s.readHPA()
	require.NoError(t, err)
	return hpa
}

func (s *scene) readDeployment() (*appsv1.Deployment, error) {
	d := new(appsv1.Deployment)
	return d, s.client.Get(context.Background(), s.key(), d)
}

func (s *scene) replicas() (int32, error) {
	d, err := s.readDeployment()
	if err != nil {
		return 0, err
	}
	return *d.Spec.Replicas, nil
}

// scaledTo waits for a number of replicas.
func (s *scene) scaledTo(t *testing.T, want int32) {
	t.Helper()
	stacktest.Eventually(t, fmt.Sprintf("%d replicas", want), func() error {
		got, err := s.replicas()
		if err == nil && got != want {
			err = fmt.Errorf("it has %d", got)
		}
		return err
	})
}

// bounds waits for bounds of the HPA.
func (s *scene) bounds(t *testing.T, lowest, highest int32) {
	t.Helper()
	want := bounds.Bounds{Min: lowest, Max: highest}
	stacktest.Eventually(t, fmt.Sprintf("bounds %d..%d", lowest, highest), func() error {
		hpa, err := s.readHPA()
		if err != nil {
			return err
		}
		if live := situation.LiveBounds(hpa); live != want {
			return fmt.Errorf("they are %d..%d; kept: %v", live.Min, live.Max, kept(hpa))
		}
		return nil
	})
}

func kept(hpa *autoscalingv2.HorizontalPodAutoscaler) map[string]string {
	found := map[string]string{}
	for _, name := range []string{record.BaseAnnotation, record.AppliedAnnotation, record.OverrideAnnotation, record.PausedAnnotation} {
		if text, ok := hpa.Annotations[name]; ok {
			found[name] = text
		}
	}
	return found
}

// restored waits until the user's own bounds are back, nothing of Plimsoll is left on the HPA, and its fields belong to
// whom they belonged to before.
func (s *scene) restored(t *testing.T) {
	t.Helper()
	stacktest.Eventually(t, "the user's own bounds and their ownership", func() error {
		hpa, err := s.readHPA()
		if err != nil {
			return err
		}
		live, owners := situation.LiveBounds(hpa), ownersOf(hpa)
		switch {
		case live != s.base:
			return fmt.Errorf("bounds are %d..%d, not %d..%d; kept: %v", live.Min, live.Max, s.base.Min, s.base.Max, kept(hpa))
		case len(kept(hpa)) > 0:
			return fmt.Errorf("still kept: %v", kept(hpa))
		case !slices.Equal(owners, s.owners):
			return fmt.Errorf("the fields belong to %v, not to %v", owners, s.owners)
		}
		return nil
	})
}

// ownersOf says to whom minReplicas and maxReplicas belong, as "minReplicas team Apply", sorted.
func ownersOf(hpa *autoscalingv2.HorizontalPodAutoscaler) []string {
	var owners []string
	for _, entry := range hpa.ManagedFields {
		var fields struct {
			Spec map[string]any `json:"f:spec"`
		}
		if entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		for _, field := range []string{"minReplicas", "maxReplicas"} {
			if _, owns := fields.Spec["f:"+field]; owns {
				owners = append(owners, field+" "+entry.Manager+" "+string(entry.Operation))
			}
		}
	}
	slices.Sort(owners)
	return owners
}

// schedule reads a ScaleSchedule's status.
func (s *scene) schedule(name string) (*v1alpha1.ScaleSchedule, error) {
	schedule := new(v1alpha1.ScaleSchedule)
	return schedule, s.client.Get(context.Background(), types.NamespacedName{Namespace: s.ns, Name: name}, schedule)
}

// says waits for a schedule's reason.
func (s *scene) says(t *testing.T, name, reason string) *v1alpha1.ScaleSchedule {
	t.Helper()
	var found *v1alpha1.ScaleSchedule
	stacktest.Eventually(t, "reason "+reason+" of ScaleSchedule "+name, func() error {
		var err error
		if found, err = s.schedule(name); err != nil {
			return err
		}
		for _, c := range found.Status.Conditions {
			if c.Type == v1alpha1.ConditionReady && c.Reason == reason && found.Status.ObservedGeneration == found.Generation {
				return nil
			}
		}
		return fmt.Errorf("its status is %+v", found.Status)
	})
	return found
}

// event waits for an event on the HPA whose note has all the words.
func (s *scene) event(t *testing.T, reason string, words ...string) {
	t.Helper()
	stacktest.Eventually(t, fmt.Sprintf("event %s with %q", reason, words), func() error {
		var all []string
		var list corev1.EventList
		if err := s.client.List(context.Background(), &list, client.InNamespace(s.ns)); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.InvolvedObject.Kind != situation.Kind || e.InvolvedObject.Name != app {
				continue
			}
			missing := slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(e.Message, word) })
			if e.Reason == reason && !missing {
				return nil
			}
			all = append(all, e.Reason+": "+e.Message)
		}
		return fmt.Errorf("the events are:\n%s", strings.Join(all, "\n"))
	})
}

// annotate sets an annotation of the HPA as a person does; "" takes it away.
func (s *scene) annotate(t *testing.T, name, value string) {
	t.Helper()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: app}}
	s.annotateObject(t, hpa, name, value)
}

func (s *scene) annotateObject(t *testing.T, object client.Object, name, value string) {
	t.Helper()
	var set any
	if value != "" {
		set = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{name: set}}})
	require.NoError(t, err)
	require.NoError(t, s.client.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("kubectl-annotate")))
}

// describe shows what a failed test's namespace was like.
func (s *scene) describe(t *testing.T) {
	if hpa, err := s.readHPA(); err == nil {
		has, _ := s.replicas()
		t.Logf("%s: HPA %+v, kept %v, owners %v, %d replicas; %s", s.ns, situation.LiveBounds(hpa), kept(hpa), ownersOf(hpa), has, stacktest.Says(hpa))
	}
	var schedules v1alpha1.ScaleScheduleList
	_ = s.client.List(context.Background(), &schedules, client.InNamespace(s.ns))
	for _, schedule := range schedules.Items {
		t.Logf("%s: ScaleSchedule %s: %+v", s.ns, schedule.Name, schedule.Status)
	}
	var forecasts v1alpha1.ScaleForecastList
	_ = s.client.List(context.Background(), &forecasts, client.InNamespace(s.ns))
	for _, forecast := range forecasts.Items {
		t.Logf("%s: ScaleForecast %s: %+v", s.ns, forecast.Name, forecast.Status)
	}
}

// floorBetween waits for a minReplicas in a range.
func (s *scene) floorBetween(t *testing.T, lowest, highest int32) {
	t.Helper()
	stacktest.Eventually(t, fmt.Sprintf("a floor from %d to %d", lowest, highest), func() error {
		hpa, err := s.readHPA()
		if err != nil {
			return err
		}
		if floor := situation.LiveBounds(hpa).Min; floor < lowest || floor > highest {
			return fmt.Errorf("it is %d", floor)
		}
		return nil
	})
}
