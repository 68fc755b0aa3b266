// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/members"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// target is what is divided, as it was read in one member: a workload, or with divide: Bounds the member's own HPA.
type target struct {
	uid      types.UID
	version  string
	replicas int64     // spec.replicas, or minReplicas
	work     *workload // whose pods count; nil: the HPA's workload is not there

	annotations map[string]string

	// What follows is an HPA's.
	most *int64 // maxReplicas
	hpa  *autoscalingv2.HorizontalPodAutoscaler
	// held: the member's own scaler holds the HPA's bounds for now, and keeps others in an annotation.
	held  bool
	own   int64 // minReplicas without what the member's own scaler has put there
	share record.Share
	// refused is why it may not be written; contested is who writes it back, so that it is left alone until then.
	refused, contested string
	until              time.Time
}

// paused: somebody does not want the target to be touched in this member.
func (t *target) paused() bool { return t.annotations[record.PausedAnnotation] == "true" }

// workload is the object whose pods count.
type workload struct {
	kind, name string
	wanted     int64                   // spec.replicas
	template   *corev1.PodTemplateSpec // nil: the kind's is not known
	ready      *int64                  // status.readyReplicas; nil: not known
	failing    bool                    // its pods are rejected at the moment
	selector   labels.Selector         // of kinds whose pods are not known by their owners; else nil
}

// anonymous: its pods cannot be told from others.
func (w *workload) anonymous() bool { return w.selector != nil && w.ready != nil }

// errNoKind says that a member does not know the target's kind, or that it has no scale.
type errNoKind struct{ reason string }

func (e *errNoKind) Error() string { return e.reason }

// reader reads a member: its caches, or past them what is there now.
type reader struct {
	member *members.Member
	live   bool
}

// target reads what is divided. NotFound errors pass through.
func (r reader) target(ctx context.Context, ref v1alpha1.MemberTarget, namespace string) (*target, error) {
	key := types.NamespacedName{Namespace: namespace, Name: ref.Name}
	if ref.Kind == v1alpha1.DefaultTargetKind {
		return r.hpa(ctx, key)
	}
	work, object, err := r.workload(ctx, schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind), key)
	if err != nil {
		return nil, err
	}
	return &target{uid: object.GetUID(), version: object.GetResourceVersion(), replicas: work.wanted, work: work, annotations: object.GetAnnotations()}, nil
}

func (r reader) hpa(ctx context.Context, key types.NamespacedName) (*target, error) {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := r.get(ctx, autoscalingv2.SchemeGroupVersion.WithKind(v1alpha1.DefaultTargetKind), key, hpa); err != nil {
		return nil, err
	}
	t := &target{
		uid: hpa.UID, version: hpa.ResourceVersion, replicas: floorNow(hpa), hpa: hpa, most: new(int64(hpa.Spec.MaxReplicas)),
		held: hpa.Annotations[record.BaseAnnotation] != "", annotations: hpa.Annotations,
	}
	ref := hpa.Spec.ScaleTargetRef
	if !isCached(ref.Kind, ref.APIVersion) {
		t.work = &workload{kind: ref.Kind, name: ref.Name} // its pods are known by their owners; that is enough
		return t, nil
	}
	work, _, err := r.workload(ctx, schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind), types.NamespacedName{Namespace: key.Namespace, Name: ref.Name})
	if isMissing(err) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	t.work = work
	return t, nil
}

// isMissing says that something is not there, as far as the member is concerned.
func isMissing(err error) bool {
	_, noKind := err.(*errNoKind) //nolint:errorlint // never wrapped
	return noKind || apierrors.IsNotFound(err)
}

// workload reads a workload of any kind.
func (r reader) workload(ctx context.Context, kind schema.GroupVersionKind, key types.NamespacedName) (*workload, client.Object, error) {
	switch kind.GroupKind() {
	case appsv1.SchemeGroupVersion.WithKind("Deployment").GroupKind():
		d := &appsv1.Deployment{}
		err := r.get(ctx, appsv1.SchemeGroupVersion.WithKind("Deployment"), key, d)
		return ofDeployment(d), d, err
	case appsv1.SchemeGroupVersion.WithKind(kindStatefulSet).GroupKind():
		s := &appsv1.StatefulSet{}
		err := r.get(ctx, appsv1.SchemeGroupVersion.WithKind(kindStatefulSet), key, s)
		return ofStatefulSet(s), s, err
	}
	return r.scaled(ctx, kind, key)
}

const kindStatefulSet = "StatefulSet"

func ofDeployment(d *appsv1.Deployment) *workload {
	w := &workload{kind: "Deployment", name: d.Name, wanted: orOne(d.Spec.Replicas), template: &d.Spec.Template, ready: new(int64(d.Status.ReadyReplicas))}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			w.failing = true
		}
	}
	return w
}

func ofStatefulSet(s *appsv1.StatefulSet) *workload {
	return &workload{kind: kindStatefulSet, name: s.Name, wanted: orOne(s.Spec.Replicas), template: &s.Spec.Template, ready: new(int64(s.Status.ReadyReplicas))}
}

func orOne(replicas *int32) int64 {
	if replicas == nil {
		return 1
	}
	return int64(*replicas)
}

// scaled reads the scale of a workload of another kind; there is no cache of these.
func (r reader) scaled(ctx context.Context, kind schema.GroupVersionKind, key types.NamespacedName) (*workload, client.Object, error) {
	scale, err := getScale(ctx, r.member, kind, key)
	if err != nil {
		return nil, nil, err
	}
	w := &workload{kind: kind.Kind, name: key.Name, wanted: int64(scale.Spec.Replicas)}
	if w.selector, err = labels.Parse(scale.Status.Selector); err != nil || scale.Status.Selector == "" {
		w.selector = labels.Nothing()
		w.ready = new(int64(scale.Status.Replicas)) // nothing better is known
	}
	return w, scale, nil
}

// getScale reads a scale past any cache.
func getScale(ctx context.Context, member *members.Member, kind schema.GroupVersionKind, key types.NamespacedName) (*autoscalingv1.Scale, error) {
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(autoscalingv1.SchemeGroupVersion.WithKind("Scale"))
	err := member.SubResource("scale").Get(ctx, namedObject(kind, key), raw)
	switch {
	case meta.IsNoMatchError(err):
		return nil, &errNoKind{fmt.Sprintf("its API server knows no kind %s in %s", kind.Kind, kind.GroupVersion())}
	case apierrors.IsNotFound(err) && strings.Contains(err.Error(), "could not find the requested resource"):
		return nil, &errNoKind{fmt.Sprintf("a %s has no scale subresource there", kind.Kind)}
	case err != nil:
		return nil, err
	}
	scale := &autoscalingv1.Scale{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, scale); err != nil {
		return nil, fmt.Errorf("read the scale of %s %s: %w", kind.Kind, key, err)
	}
	return scale, nil
}

func namedObject(kind schema.GroupVersionKind, key types.NamespacedName) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	return object
}

// get reads an object of a kind that is cached. Past the cache it is listed, by its name: the right to get is not needed.
func (r reader) get(ctx context.Context, kind schema.GroupVersionKind, key types.NamespacedName, into client.Object) error {
	if !r.live {
		return r.member.Get(ctx, key, into)
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	err := r.member.List(ctx, list, client.InNamespace(key.Namespace), client.MatchingFields{metav1.ObjectNameField: key.Name})
	if err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return apierrors.NewNotFound(schema.GroupResource{Group: kind.Group, Resource: kind.Kind}, key.Name)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[0].Object, into); err != nil {
		return fmt.Errorf("read %s %s: %w", kind.Kind, key, err)
	}
	return nil
}
