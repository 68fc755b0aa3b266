// SPDX-License-Identifier: Apache-2.0

// Package catalog keeps the snapshot's catalog equal to the MetricRules and ClusterMetricRules in the cluster, and writes
// into each rule's status whether it works. Every replica of the adapter does both; there is no leader.
package catalog

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// object is a MetricRule or a ClusterMetricRule, which differ in scope and defaults only.
type object struct {
	meta   metav1.ObjectMeta
	spec   v1alpha1.MetricRuleSpec // with defaults
	status v1alpha1.MetricRuleStatus
}

func (o *object) key() rule.Key { return rule.Key{Namespace: o.meta.Namespace, Name: o.meta.Name} }

// refusal is why a rule is not in force.
type refusal struct {
	reason string // of the Ready condition
	err    error
}

// compile turns an object into a rule. The mapper finds the resource's kind and scope. A refused rule still holds its metric's
// name: nobody else's values are given out under it.
func compile(o *object, mapper meta.RESTMapper) (*rule.Rule, *refusal) {
	r := rule.Rule{
		Key: o.key(), Generation: o.meta.Generation, Created: o.meta.CreationTimestamp.Time,
		Metric: o.spec.Metric, Query: o.spec.Query, Guard: o.spec.Guard,
		Interval: o.spec.Interval.Duration, MaxAge: o.spec.MaxAge.Duration, HoldFor: o.spec.HoldFor.Duration,
		MaxSeries: int(o.spec.MaxSeries), Members: o.spec.Members == v1alpha1.MembersSum,
	}
	if o.spec.Object != nil {
		r.Object = &rule.Object{Resource: schema.ParseGroupResource(o.spec.Object.Resource), NameLabel: o.spec.Object.NameLabel}
	}
	compiled, no := compileFully(o, r, mapper)
	if no != nil {
		r.Refusal = no.err
		return &r, no
	}
	return compiled, nil
}

func compileFully(o *object, r rule.Rule, mapper meta.RESTMapper) (*rule.Rule, *refusal) {
	if r.Interval <= 0 || r.MaxAge <= 0 {
		return nil, &refusal{v1alpha1.ReasonParseError, errors.New("interval and maxAge must be longer than 0s")}
	}
	if o.spec.Object != nil {
		described, err := resolve(o.spec.Object, mapper)
		if err != nil {
			return nil, &refusal{v1alpha1.ReasonUnknownResource, err}
		}
		if r.Key.Namespace != "" && !described.Namespaced && described.Resource.Resource != "namespaces" {
			return nil, &refusal{v1alpha1.ReasonOtherNamespace, fmt.Errorf(
				"%s belong to no namespace, and a MetricRule describes objects of its own namespace only; use a ClusterMetricRule", described.Resource)}
		}
		r.Object = described
	}
	compiled, err := rule.Compile(r)
	if err != nil {
		return nil, &refusal{v1alpha1.ReasonParseError, err}
	}
	return compiled, nil
}

// resolve finds kind and scope of spec.object.resource.
func resolve(o *v1alpha1.MetricObject, mapper meta.RESTMapper) (*rule.Object, error) {
	resource := schema.ParseGroupResource(o.Resource)
	kind, err := mapper.KindFor(resource.WithVersion(""))
	if err != nil {
		return nil, fmt.Errorf("object.resource %q is not known to the API server; write the plural and the group, such as pods or deployments.apps: %w", o.Resource, err)
	}
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, fmt.Errorf("object.resource %q: %w", o.Resource, err)
	}
	described := &rule.Object{
		Resource: mapping.Resource.GroupResource(), Kind: kind,
		Namespaced: mapping.Scope.Name() == meta.RESTScopeNameNamespace, NameLabel: o.NameLabel,
	}
	if described.Namespaced {
		described.NamespaceLabel = o.NamespaceLabel
	}
	return described, nil
}
