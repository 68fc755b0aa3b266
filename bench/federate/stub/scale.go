// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"io"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mostBody is more than any scale has.
const mostBody = 1 << 20

func (c *Cluster) getScale(w http.ResponseWriter, r *http.Request, at place) {
	d, ok := c.store.get("deployments", at.key()).(*appsv1.Deployment)
	if !ok {
		c.refuse(w, r, at.notFound())
		return
	}
	c.answer(w, r, http.StatusOK, scaleOf(d))
}

func (p place) key() types.NamespacedName {
	return types.NamespacedName{Namespace: p.namespace, Name: p.name}
}

// scaleOf is a Deployment's scale.
func scaleOf(d *appsv1.Deployment) *autoscalingv1.Scale {
	return &autoscalingv1.Scale{
		TypeMeta: metav1.TypeMeta{Kind: "Scale", APIVersion: autoscalingv1.SchemeGroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.Namespace, Name: d.Name, UID: d.UID, ResourceVersion: d.ResourceVersion, CreationTimestamp: d.CreationTimestamp,
		},
		Spec:   autoscalingv1.ScaleSpec{Replicas: *d.Spec.Replicas},
		Status: autoscalingv1.ScaleStatus{Replicas: d.Status.Replicas, Selector: metav1.FormatLabelSelector(d.Spec.Selector)},
	}
}

// putScale sets the replicas, if the object is the one that the client has seen.
func (c *Cluster) putScale(w http.ResponseWriter, r *http.Request, at place) {
	body, err := io.ReadAll(io.LimitReader(r.Body, mostBody))
	if err != nil {
		c.refuse(w, r, bad("the body cannot be read: %v", err))
		return
	}
	object, _, err := codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		c.refuse(w, r, bad("the body cannot be read: %v", err))
		return
	}
	scale, ok := object.(*autoscalingv1.Scale)
	if !ok || scale.Name != at.name || scale.Namespace != at.namespace {
		c.refuse(w, r, bad("the body is not the scale of %s/%s", at.namespace, at.name))
		return
	}
	var problem error
	wrote := false
	now := time.Now()
	left := c.store.update("deployments", at.key(), func(object client.Object) bool {
		d := object.(*appsv1.Deployment)
		if problem = refusal(at, scale, d); problem != nil || *d.Spec.Replicas == scale.Spec.Replicas {
			return false
		}
		wrote = true
		d.Spec.Replicas = &scale.Spec.Replicas
		d.Generation++
		own(d, r.URL.Query().Get("fieldManager"), now)
		return true
	})
	d, there := left.(*appsv1.Deployment)
	switch {
	case !there:
		c.refuse(w, r, at.notFound())
		return
	case problem != nil:
		c.refuse(w, r, problem)
		return
	}
	if wrote {
		c.pods.wake(at.key())
		if c.options.Scaled != nil {
			c.options.Scaled(at.key(), scale.Spec.Replicas, now)
		}
	}
	c.answer(w, r, http.StatusOK, scaleOf(d))
}

// refusal is why a scale cannot be written, nil if it can.
func refusal(at place, scale *autoscalingv1.Scale, d *appsv1.Deployment) error {
	switch {
	case scale.UID != "" && scale.UID != d.UID || scale.ResourceVersion != "" && scale.ResourceVersion != d.ResourceVersion:
		return apierrors.NewConflict(at.kind.groupResource(), at.name, errModified)
	case scale.Spec.Replicas < 0:
		why := field.Invalid(field.NewPath("spec", "replicas"), scale.Spec.Replicas, "must be greater than or equal to 0")
		return apierrors.NewInvalid(schema.GroupKind{Group: autoscalingv1.GroupName, Kind: "Scale"}, at.name, field.ErrorList{why})
	}
	return nil
}

type conflict string

func (c conflict) Error() string { return string(c) }

// errModified is an API server's.
const errModified conflict = "the object has been modified; please apply your changes to the latest version and try again"

// own notes whose the replicas are.
func own(d *appsv1.Deployment, manager string, now time.Time) {
	at := metav1.NewTime(now.Truncate(time.Second))
	for i := range d.ManagedFields {
		if m := &d.ManagedFields[i]; m.Subresource == "scale" && m.Manager == manager {
			m.Time = &at
			return
		}
	}
	d.ManagedFields = append(d.ManagedFields, metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: appsv1.SchemeGroupVersion.String(), Time: &at,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`), Subresource: "scale",
	})
}
