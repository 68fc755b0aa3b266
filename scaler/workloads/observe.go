// SPDX-License-Identifier: Apache-2.0

package workloads

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/scale"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// Key names a workload.
type Key struct {
	Namespace  string
	APIVersion string
	Kind       string
	Name       string
}

// KeyOf is the workload that a ScaleSchedule names; false: it names HPAs.
func KeyOf(s *v1alpha1.ScaleSchedule) (Key, bool) {
	if !s.Spec.TargetRef.IsWorkload() {
		return Key{}, false
	}
	ref := s.Spec.TargetRef.WithDefaults()
	return Key{Namespace: s.Namespace, APIVersion: ref.APIVersion, Kind: ref.Kind, Name: ref.Name}, true
}

// String returns "Deployment shop".
func (k Key) String() string { return k.Kind + " " + k.Name }

func (k Key) groupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(k.APIVersion, k.Kind)
}

// same says whether two keys name one object: the version of an API does not matter.
func (k Key) same(other Key) bool {
	return k.Namespace == other.Namespace && k.Name == other.Name && k.groupVersionKind().GroupKind() == other.groupVersionKind().GroupKind()
}

// Workload is what was observed of a workload, and around it.
type Workload struct {
	Key      Key
	Resource schema.GroupVersionResource
	Object   *metav1.PartialObjectMetadata
	Scale    *autoscalingv1.Scale
	// Around has its schedules, pods, record, override and pause. The HPA in it is the workload's stand-in.
	Around *situation.Situation
	// Refused says why its replicas must not be written: "HorizontalPodAutoscaler shop scales it"; "": they may be.
	Refused string
	// Previous is the number of replicas before the last write; nil: none was under way.
	Previous *int32
}

// Replicas is the number of replicas that is wanted of the workload now.
func (w *Workload) Replicas() int32 { return w.Scale.Spec.Replicas }

// Observer observes workloads.
type Observer struct {
	// Around observes schedules, HPAs, pods and namespaces; its Reader may be a cache.
	Around situation.Observer
	// Live reads the workload's metadata past any cache, so that workloads need not be watched.
	Live   client.Reader
	Scales scale.ScalesGetter
	Mapper meta.RESTMapper
}

// NoScaleError says that a target has no scale subresource, or that nobody knows its kind.
type NoScaleError struct{ Reason string }

// Error says why, and what to do.
func (e *NoScaleError) Error() string { return e.Reason }

// Observe observes one workload. NotFound errors pass through; a *NoScaleError says that it can never be a target.
func (o Observer) Observe(ctx context.Context, key Key) (*Workload, error) {
	schedules, err := o.schedules(ctx, key)
	if err != nil {
		return nil, err
	}
	w := &Workload{Key: key}
	if err := o.read(ctx, w); err != nil {
		return nil, err
	}
	w.Around, err = o.Around.Around(ctx, w.standIn(), schedules)
	if err != nil {
		return nil, fmt.Errorf("look around %s: %w", key, err)
	}
	if w.Object.Annotations[record.PausedAnnotation] == "true" {
		w.Around.PausedBy = key.String()
	}
	w.Previous = previous(w.Object.Annotations)
	w.Refused, err = o.refused(ctx, w)
	return w, err
}

// read reads the workload's metadata and its scale.
func (o Observer) read(ctx context.Context, w *Workload) error {
	gvk := w.Key.groupVersionKind()
	mapping, err := o.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return &NoScaleError{fmt.Sprintf("the API server knows no kind %s in %s; correct spec.targetRef", w.Key.Kind, w.Key.APIVersion)}
	}
	if err != nil {
		return fmt.Errorf("find the resource of %s in %s: %w", w.Key.Kind, w.Key.APIVersion, err)
	}
	w.Resource = mapping.Resource
	w.Object = &metav1.PartialObjectMetadata{}
	w.Object.SetGroupVersionKind(gvk)
	if err := o.Live.Get(ctx, types.NamespacedName{Namespace: w.Key.Namespace, Name: w.Key.Name}, w.Object); err != nil {
		return err
	}
	w.Scale, err = o.Scales.Scales(w.Key.Namespace).Get(ctx, w.Resource.GroupResource(), w.Key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err != nil && strings.Contains(err.Error(), "could not find scale subresource") {
		return &NoScaleError{fmt.Sprintf("%s has no scale subresource, so its replicas cannot be changed; name a workload that has one", w.Key)}
	}
	if err != nil {
		return fmt.Errorf("read the scale of %s: %w", w.Key, err)
	}
	return nil
}

// schedules are those that name the workload, by name.
func (o Observer) schedules(ctx context.Context, key Key) ([]v1alpha1.ScaleSchedule, error) {
	var list v1alpha1.ScaleScheduleList
	options := []client.ListOption{client.InNamespace(key.Namespace)}
	if o.Around.Indexed {
		options = append(options, client.MatchingFields{situation.ScheduleTargetIndex: situation.WorkloadValue(key.Kind, key.Name)})
	}
	if err := o.Around.Reader.List(ctx, &list, options...); err != nil {
		return nil, fmt.Errorf("list the ScaleSchedules of namespace %s: %w", key.Namespace, err)
	}
	found := slices.DeleteFunc(list.Items, func(s v1alpha1.ScaleSchedule) bool {
		named, isWorkload := KeyOf(&s)
		return !isWorkload || !named.same(key) || !s.DeletionTimestamp.IsZero()
	})
	slices.SortFunc(found, func(a, b v1alpha1.ScaleSchedule) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// standIn is the workload as if it had an HPA.
func (w *Workload) standIn() *autoscalingv2.HorizontalPodAutoscaler {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	hpa.Namespace, hpa.Name, hpa.Annotations = w.Key.Namespace, w.Key.Name, w.Object.Annotations
	hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: w.Key.APIVersion, Kind: w.Key.Kind, Name: w.Key.Name}
	replicas := w.Replicas()
	hpa.Spec.MinReplicas, hpa.Spec.MaxReplicas = &replicas, unbounded
	hpa.Status.CurrentReplicas = w.Scale.Status.Replicas
	return hpa
}

// refused says who else decides the workload's replicas.
func (o Observer) refused(ctx context.Context, w *Workload) (string, error) {
	if owner := metav1.GetControllerOfNoCopy(w.Object); owner != nil {
		return fmt.Sprintf("%s %s owns it; name that in spec.targetRef", owner.Kind, owner.Name), nil
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	options := []client.ListOption{client.InNamespace(w.Key.Namespace)}
	if o.Around.Indexed { // from a cache, and only read here: an HPA's status is large, and a namespace may have hundreds
		options = append(options, client.UnsafeDisableDeepCopy)
	}
	if err := o.Around.Reader.List(ctx, &hpas, options...); err != nil {
		return "", fmt.Errorf("list the HPAs of namespace %s: %w", w.Key.Namespace, err)
	}
	for i := range hpas.Items {
		if keyOfHPA(&hpas.Items[i]).same(w.Key) {
			return fmt.Sprintf("HorizontalPodAutoscaler %s scales it; name that HPA in spec.targetRef", hpas.Items[i].Name), nil
		}
	}
	return "", nil
}

// keyOfHPA is the workload that an HPA scales.
func keyOfHPA(hpa *autoscalingv2.HorizontalPodAutoscaler) Key {
	ref := hpa.Spec.ScaleTargetRef
	return Key{Namespace: hpa.Namespace, APIVersion: ref.APIVersion, Kind: ref.Kind, Name: ref.Name}
}

// previous reads PreviousAnnotation; nil where it is missing or no number.
func previous(annotations map[string]string) *int32 {
	n, err := strconv.ParseInt(annotations[PreviousAnnotation], 10, 32)
	if err != nil {
		return nil
	}
	replicas := int32(n)
	return &replicas
}
