// SPDX-License-Identifier: Apache-2.0

// Package rule holds MetricRule and ClusterMetricRule in the form the adapter works with: parsed, scoped to their
// namespace, and combined into the one query that yields values and sample times together.
package rule

import (
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Key names a rule. Namespace is "" for a ClusterMetricRule.
type Key struct{ Namespace, Name string }

// String is "ClusterMetricRule/name" or "MetricRule/namespace/name".
func (k Key) String() string {
	if k.Namespace == "" {
		return "ClusterMetricRule/" + k.Name
	}
	return "MetricRule/" + k.Namespace + "/" + k.Name
}

// Rule is one compiled rule; immutable.
type Rule struct {
	Key        Key
	Generation int64
	Created    time.Time // of two rules for one metric, the older is in force
	Metric     string
	Object     *Object // nil: an external metric
	Interval   time.Duration
	MaxAge     time.Duration
	HoldFor    time.Duration
	MaxSeries  int
	Members    bool   // the values are sums over the member clusters
	Query      string // as the user wrote it
	Guard      string // as the user wrote it, "" if none
	Expr       string // the combined query that is sent: values, sample times and guard, told apart by PartLabel
	Times      []Time // one per vector selector of Query
	AgeUnknown string // why the sample times cannot be known; "" if they can
	Refusal    error  // why the rule is not in force: its metric then answers with this error, and with nobody else's values
	GuardBool  bool   // the guard holds if its value is not 0 (else: if it has any result)
}

// Object says which Kubernetes object a series describes.
type Object struct {
	Resource       schema.GroupResource
	Kind           schema.GroupVersionKind // for the answer's describedObject
	Namespaced     bool                    // whether the resource is namespaced; HPAs ask for cluster-scoped ones under a namespace too
	NamespaceLabel string                  // "" if not Namespaced
	NameLabel      string
}

// Time is the sample-time part of one vector selector.
type Time struct {
	Part   string        // value of PartLabel
	Offset time.Duration // the selector's offset modifier: added to its sample time
}

// PartLabel tells the parts of a combined answer apart: PartValue, PartGuard, or the Part of a Time.
const (
	PartLabel = "__plimsoll_part__"
	PartValue = "v"
	PartGuard = "g"
)

// Same reports whether two compiled rules mean the same, so that the values of one may go on under the other.
func (r *Rule) Same(other *Rule) bool {
	a, b := *r, *other
	a.Generation, b.Generation = 0, 0 // a change of metadata or of an unused default is no change
	return reflect.DeepEqual(a, b)
}
