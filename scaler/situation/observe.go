// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Kind is the kind of what has bounds.
const Kind = "HorizontalPodAutoscaler"

// Observer observes HPAs.
type Observer struct {
	// Reader needs HPAs, ScaleSchedules, ScaleForecasts, Pods and Namespaces: get and list.
	Reader client.Reader
	// Indexed says that Reader is a cache with Indexes; without them every look lists the namespace.
	Indexed bool
	// Compiled keeps compiled schedules between looks, and Zones only their time zones; both may be nil.
	Compiled *Compiled
	Zones    *schedule.Zones
	// Now is the clock by which targets of `after` are judged; nil: time.Now.
	Now func() time.Time
}

// Observe observes one HPA through any reader, such as a client of the command line. NotFound errors pass through.
func Observe(ctx context.Context, c client.Reader, key types.NamespacedName) (*Situation, error) {
	return Observer{Reader: c}.Observe(ctx, key)
}

// Observe observes one HPA. NotFound errors pass through.
func (o Observer) Observe(ctx context.Context, key types.NamespacedName) (*Situation, error) {
	s, err := o.target(ctx, key)
	if err != nil {
		return nil, err
	}
	if s.Forecasts, err = o.forecasts(ctx, s.HPA); err != nil {
		return nil, err
	}
	if s.PausedBy, err = o.pausedBy(ctx, s); err != nil {
		return nil, err
	}
	if owner := metav1.GetControllerOfNoCopy(s.HPA); owner != nil {
		s.Owner = owner.Kind + " " + owner.Name
	}
	s.compile(o.compiler())
	s.Ready, err = o.ready(ctx, s)
	return s, err
}

// target observes the HPA, its schedules and its pods.
func (o Observer) target(ctx context.Context, key types.NamespacedName) (*Situation, error) {
	hpa := new(autoscalingv2.HorizontalPodAutoscaler)
	if err := o.Reader.Get(ctx, key, hpa); err != nil {
		return nil, err
	}
	s := &Situation{HPA: hpa, Replicas: hpa.Status.CurrentReplicas}
	s.readAnnotations()
	var err error
	if s.Schedules, err = o.schedules(ctx, hpa); err != nil {
		return nil, err
	}
	if s.Pods, err = o.pods(ctx, hpa); err != nil {
		return nil, err
	}
	if s.Replicas == 0 { // the HPA controller has not looked yet, or the workload is at 0
		s.Replicas = s.Pods.Total
	}
	return s, nil
}

func (o Observer) schedules(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) ([]v1alpha1.ScaleSchedule, error) {
	var found []v1alpha1.ScaleSchedule
	for _, value := range o.indexValues(hpa.Name, bySelector) {
		var list v1alpha1.ScaleScheduleList
		if err := o.list(ctx, &list, hpa.Namespace, ScheduleTargetIndex, value); err != nil {
			return nil, fmt.Errorf("cannot list the ScaleSchedules of namespace %s: %w", hpa.Namespace, err)
		}
		for i := range list.Items {
			if Means(&list.Items[i], hpa) && list.Items[i].DeletionTimestamp.IsZero() {
				found = append(found, list.Items[i])
			}
		}
	}
	slices.SortFunc(found, func(a, b v1alpha1.ScaleSchedule) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

func (o Observer) forecasts(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) ([]v1alpha1.ScaleForecast, error) {
	var list v1alpha1.ScaleForecastList
	if err := o.list(ctx, &list, hpa.Namespace, ForecastTargetIndex, hpa.Name); err != nil {
		return nil, fmt.Errorf("cannot list the ScaleForecasts of namespace %s: %w", hpa.Namespace, err)
	}
	var found []v1alpha1.ScaleForecast
	for i := range list.Items {
		if list.Items[i].Spec.TargetRef.Name == hpa.Name && list.Items[i].DeletionTimestamp.IsZero() {
			found = append(found, list.Items[i])
		}
	}
	slices.SortFunc(found, func(a, b v1alpha1.ScaleForecast) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

func (o Observer) pods(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler) (Pods, error) {
	workload := Workload{Kind: hpa.Spec.ScaleTargetRef.Kind, Name: hpa.Spec.ScaleTargetRef.Name}
	var list corev1.PodList
	if err := o.list(ctx, &list, hpa.Namespace, PodWorkloadIndex, workload.Kind+"/"+workload.Name); err != nil {
		return Pods{}, fmt.Errorf("cannot list the pods of namespace %s: %w", hpa.Namespace, err)
	}
	pods := slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return !slices.Contains(workloadsOf(&pod), workload) })
	return measure(pods), nil
}

// list lists a namespace's objects, through the index where there is one.
func (o Observer) list(ctx context.Context, list client.ObjectList, namespace, index, value string) error {
	options := []client.ListOption{client.InNamespace(namespace)}
	if o.Indexed {
		options = append(options, client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy)
	}
	return o.Reader.List(ctx, list, options...)
}

// compiler compiles schedules with what may be kept of them.
func (o Observer) compiler() func(*v1alpha1.ScaleSchedule) (*schedule.Schedule, error) {
	if o.Compiled != nil {
		return o.Compiled.compile
	}
	return func(s *v1alpha1.ScaleSchedule) (*schedule.Schedule, error) { return s.Compile(o.Zones) }
}

func (o Observer) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// indexValues are the values to ask an index for; without indexes one list has all.
func (o Observer) indexValues(values ...string) []string {
	if o.Indexed {
		return values
	}
	return values[:1]
}

// readAnnotations reads the record and the override of an HPA.
func (s *Situation) readAnnotations() { s.readWith(record.Parse) }

// readWith reads the record, in the way of an HPA or of a workload without one, and the override.
func (s *Situation) readWith(parse func(map[string]string) (record.Record, error)) {
	var err error
	s.Record, err = parse(s.HPA.Annotations)
	live := LiveBounds(s.HPA)
	switch {
	case err != nil:
		s.Unreadable = true
		s.Problems = append(s.Problems, err.Error())
	case s.Record.State.Applied == nil && s.HPA.Annotations[record.BaseAnnotation] != "" && s.Record.Base != live:
		s.Problems = append(s.Problems, fmt.Sprintf(
			"annotation %s says %d..%d, but nothing says that the bounds %d..%d are Plimsoll's, so they count as the HPA's own; if they are not, set them",
			record.BaseAnnotation, s.Record.Base.Min, s.Record.Base.Max, live.Min, live.Max))
	case s.Record.Empty() && s.written():
		s.Problems = append(s.Problems, fmt.Sprintf(
			"the annotations %s and %s were removed while Plimsoll held bounds, so %d..%d count as the HPA's own; if they are not, set them",
			record.BaseAnnotation, record.AppliedAnnotation, live.Min, live.Max))
	}
	if s.override, err = record.ParseOverride(s.HPA.Annotations); err != nil {
		s.override = nil
		s.Problems = append(s.Problems, err.Error())
	}
}

// written says whether the bounds that the HPA has were written by Plimsoll.
func (s *Situation) written() bool {
	return slices.ContainsFunc(s.HPA.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
		if e.Manager != record.Manager || e.FieldsV1 == nil {
			return false
		}
		fields := e.FieldsV1.GetRawString()
		return strings.Contains(fields, `"f:minReplicas"`) || strings.Contains(fields, `"f:maxReplicas"`)
	})
}

// pausedBy names what pauses the HPA. A namespace that cannot be found pauses nothing.
func (o Observer) pausedBy(ctx context.Context, s *Situation) (string, error) {
	hpa := s.HPA
	if hpa.Annotations[record.PausedAnnotation] == "true" {
		return Kind + " " + hpa.Name, nil
	}
	var namespace metav1.PartialObjectMetadata
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := o.Reader.Get(ctx, types.NamespacedName{Name: hpa.Namespace}, &namespace)
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case apierrors.IsForbidden(err): // a user of the command line may not see namespaces
		s.Problems = append(s.Problems, "whether namespace "+hpa.Namespace+" is paused is not known: "+err.Error())
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot read namespace %s to see whether it is paused: %w", hpa.Namespace, err)
	case namespace.Annotations[record.PausedAnnotation] == "true":
		return "Namespace " + hpa.Namespace, nil
	}
	return "", nil
}

// reached says whether another HPA has as many Ready pods as its own bounds and its own windows, when their ramps are
// over, ask for. What it has is not enough to judge by: its windows may begin at this very moment.
func (o Observer) reached(ctx context.Context, key types.NamespacedName) (bool, error) {
	other, err := o.target(ctx, key)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	obs := other.Observations()
	obs.AssumeReady = true
	live := LiveBounds(other.HPA)
	floor := live.Min
	ceiling := live.Max
	other.compile(o.compiler())
	decision := schedule.Evaluate(other.rules, obs, o.now())
	for i := range decision.Active {
		a := &decision.Active[i]
		if a.Full != nil && a.Phase != schedule.RampDown {
			floor = max(floor, *a.Full)
		}
		if a.Max != nil {
			ceiling = max(ceiling, *a.Max)
		}
	}
	has := other.Pods.Ready
	if other.Pods.Total == 0 {
		has = other.Replicas // a workload whose pods are not known by their owner
	}
	return has >= min(floor, ceiling), nil
}
