// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"net/http"
	"strconv"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// wanted is the question of a list or watch: of which namespace, with which labels, and of which name.
func wanted(r *http.Request, at place) (func(client.Object) bool, error) {
	query := r.URL.Query()
	byLabel, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return nil, bad("labelSelector: %v", err)
	}
	byField, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		return nil, bad("fieldSelector: %v", err)
	}
	for _, requirement := range byField.Requirements() {
		if requirement.Field != metav1.ObjectNameField && requirement.Field != "metadata.namespace" {
			return nil, bad("field label not supported: %s", requirement.Field)
		}
	}
	return func(object client.Object) bool {
		return (at.namespace == "" || at.namespace == object.GetNamespace()) && byLabel.Matches(labels.Set(object.GetLabels())) &&
			byField.Matches(fields.Set{metav1.ObjectNameField: object.GetName(), "metadata.namespace": object.GetNamespace()})
	}, nil
}

// list answers with all objects that are wanted, however few were asked for at a time.
func (c *Cluster) list(w http.ResponseWriter, r *http.Request, at place) {
	which, err := wanted(r, at)
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	objects, version := c.store.list(at.kind.resource, which)
	list, err := newList(at.kind.GroupVersionKind, objects, version)
	if err != nil {
		c.refuse(w, r, err)
		return
	}
	c.answer(w, r, http.StatusOK, list)
}

func newList(kind schema.GroupVersionKind, objects []client.Object, version int64) (runtime.Object, error) {
	listKind := kind.GroupVersion().WithKind(kind.Kind + "List")
	list, err := clientgoscheme.Scheme.New(listKind)
	if err != nil {
		return nil, err
	}
	items := make([]runtime.Object, len(objects))
	for i, object := range objects {
		items[i] = object.DeepCopyObject()
		items[i].GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{}) // it is in the list's kind
	}
	if err := meta.SetList(list, items); err != nil {
		return nil, err
	}
	list.GetObjectKind().SetGroupVersionKind(listKind)
	accessor, err := meta.ListAccessor(list)
	if err != nil {
		return nil, err
	}
	accessor.SetResourceVersion(strconv.FormatInt(version, 10))
	return list, nil
}
