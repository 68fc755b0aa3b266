// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/binary"
	"maps"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// isNarrow reports whether the request names an object or a selector, so that more than it may be allowed.
func isNarrow(a authorizer.Attributes) bool {
	if !a.IsResourceRequest() {
		return false
	}
	if a.GetName() != "" {
		return true
	}
	// Requirements count even where a part of the selector cannot be parsed, as in the API server's own review.
	fields, _ := a.GetFieldSelector()
	labels, _ := a.GetLabelSelector()
	return len(fields) > 0 || len(labels) > 0
}

// key is everything that a decision depends on: who, and what. Each part is preceded by its length, so that no two
// requests share a key by their punctuation. Without exact it leaves out name and selectors.
func key(a authorizer.Attributes, exact bool) string {
	var room [512]byte
	k := keyWriter(room[:0])
	k.user(a.GetUser())
	if !a.IsResourceRequest() {
		k.text("path")
		k.text(a.GetVerb())
		k.text(a.GetPath())
		return string(k)
	}
	k.text("resource")
	k.text(a.GetVerb())
	k.text(a.GetNamespace())
	k.text(a.GetAPIGroup())
	k.text(a.GetAPIVersion())
	k.text(a.GetResource())
	k.text(a.GetSubresource())
	if !exact {
		return string(k)
	}
	k.text("exact")
	k.text(a.GetName())
	fields, labels := selectors(a)
	k.count(len(fields))
	for _, f := range fields {
		k.requirement(f.Key, string(f.Operator), f.Values)
	}
	k.count(len(labels))
	for _, l := range labels {
		k.requirement(l.Key, string(l.Operator), l.Values)
	}
	return string(k)
}

type keyWriter []byte

func (k *keyWriter) count(n int) { *k = binary.AppendUvarint(*k, uint64(n)) }

func (k *keyWriter) text(s string) {
	k.count(len(s))
	*k = append(*k, s...)
}

func (k *keyWriter) texts(list []string) {
	k.count(len(list))
	for _, s := range list {
		k.text(s)
	}
}

func (k *keyWriter) requirement(key, operator string, values []string) {
	k.text(key)
	k.text(operator)
	k.texts(sorted(values))
}

func (k *keyWriter) user(u user.Info) {
	if u == nil {
		k.count(0)
		return
	}
	k.count(1)
	k.text(u.GetName())
	k.text(u.GetUID())
	k.texts(sorted(u.GetGroups()))
	extra := u.GetExtra()
	k.count(len(extra))
	if len(extra) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		k.text(name)
		k.texts(sorted(extra[name]))
	}
}

// sorted returns the list in order; a copy if it is not.
func sorted(list []string) []string {
	if slices.IsSorted(list) {
		return list
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// review is the question as the API server takes it.
func review(a authorizer.Attributes, exact bool) *authorizationv1.SubjectAccessReview {
	r := &authorizationv1.SubjectAccessReview{}
	if u := a.GetUser(); u != nil {
		r.Spec.User, r.Spec.UID, r.Spec.Groups = u.GetName(), u.GetUID(), u.GetGroups()
		for name, values := range u.GetExtra() {
			if r.Spec.Extra == nil {
				r.Spec.Extra = map[string]authorizationv1.ExtraValue{}
			}
			r.Spec.Extra[name] = values
		}
	}
	if !a.IsResourceRequest() {
		r.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Path: a.GetPath(), Verb: a.GetVerb()}
		return r
	}
	r.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
		Namespace: a.GetNamespace(), Verb: a.GetVerb(), Group: a.GetAPIGroup(), Version: a.GetAPIVersion(),
		Resource: a.GetResource(), Subresource: a.GetSubresource(),
	}
	if !exact {
		return r
	}
	r.Spec.ResourceAttributes.Name = a.GetName()
	fields, labels := selectors(a)
	if len(fields) > 0 {
		r.Spec.ResourceAttributes.FieldSelector = &authorizationv1.FieldSelectorAttributes{Requirements: fields}
	}
	if len(labels) > 0 {
		r.Spec.ResourceAttributes.LabelSelector = &authorizationv1.LabelSelectorAttributes{Requirements: labels}
	}
	return r
}

// selectors are the request's selectors as a review states them. Requirements that a review cannot state are left out: the
// question is then about more than the request, which can only refuse more.
func selectors(a authorizer.Attributes) ([]metav1.FieldSelectorRequirement, []metav1.LabelSelectorRequirement) {
	var fields []metav1.FieldSelectorRequirement
	parsedFields, _ := a.GetFieldSelector()
	for _, f := range parsedFields {
		r := metav1.FieldSelectorRequirement{Key: f.Field, Values: []string{f.Value}}
		switch f.Operator {
		case selection.Equals, selection.DoubleEquals, selection.In:
			r.Operator = metav1.FieldSelectorOpIn
		case selection.NotEquals, selection.NotIn:
			r.Operator = metav1.FieldSelectorOpNotIn
		default:
			continue
		}
		fields = append(fields, r)
	}
	var labels []metav1.LabelSelectorRequirement
	parsedLabels, _ := a.GetLabelSelector()
	for _, l := range parsedLabels {
		r := metav1.LabelSelectorRequirement{Key: l.Key(), Values: l.ValuesUnsorted()}
		switch l.Operator() {
		case selection.Equals, selection.DoubleEquals, selection.In:
			r.Operator = metav1.LabelSelectorOpIn
		case selection.NotEquals, selection.NotIn:
			r.Operator = metav1.LabelSelectorOpNotIn
		case selection.Exists:
			r.Operator, r.Values = metav1.LabelSelectorOpExists, nil
		case selection.DoesNotExist:
			r.Operator, r.Values = metav1.LabelSelectorOpDoesNotExist, nil
		default:
			continue
		}
		labels = append(labels, r)
	}
	return fields, labels
}
