// SPDX-License-Identifier: Apache-2.0

// Package explain is the document that says where one metric's numbers come from. The adapter serves it at
// /apis/query.plimsoll.dev/v1alpha1/namespaces/<namespace>/metrics/<metric>/explain, with the optional query
// parameters resource (plural, with its group after a dot if it has one; "" is any) and name (one object of it);
// `plimsoll explain metric` shows it. Beside it is the list of the member clusters' demand. It imports nothing of the adapter, so that clients stay small.
package explain

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Metric explains one metric as a reader in Namespace would get it. Times are in UTC with fractions of a second;
// durations are Go duration strings such as "10s".
type Metric struct {
	Metric    string `json:"metric"`
	Namespace string `json:"namespace"` // the reader's namespace

	Rule   Rule   `json:"rule"`             // the rule in force
	Hidden []Rule `json:"hidden,omitempty"` // rules for the same metric that the rule in force wins over
	Query  string `json:"query"`            // PromQL as the user wrote it
	Guard  string `json:"guard,omitempty"`  // PromQL that must be true, as the user wrote it
	Expr   string `json:"expr"`             // PromQL as it is sent: scoped, with sample times and guard

	Object   *ObjectKind     `json:"object,omitempty"` // absent: an external metric
	Interval metav1.Duration `json:"interval"`
	MaxAge   metav1.Duration `json:"maxAge"`
	HoldFor  metav1.Duration `json:"holdFor"`

	Source         string      `json:"source"`                   // where the values come from, without credentials
	LastEvaluation *Evaluation `json:"lastEvaluation,omitempty"` // absent: never evaluated
	LastErrors     []Failure   `json:"lastErrors,omitempty"`     // newest first

	Series     int    `json:"series"`               // of the last good evaluation, in every namespace the rule describes
	Objects    int    `json:"objects"`              // objects with a value in Namespace (cluster-scoped objects: in all)
	AgeUnknown string `json:"ageUnknown,omitempty"` // why the sample times cannot be known; "" if they can

	Readers  []Reader   `json:"readers,omitempty"`  // who names this metric, as far as Namespace goes
	LastRead *time.Time `json:"lastRead,omitempty"` // absent: not read since the adapter started

	// Values of Namespace, sorted by object and then labels; only those of the object that was asked for, if one was.
	Values []Value `json:"values,omitempty"`
	// Truncated is how many further values were left out to bound the answer's size.
	Truncated int `json:"truncated,omitempty"`
}

// Rule names a MetricRule or a ClusterMetricRule.
type Rule struct {
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
}

// ObjectKind is the kind of object that a series describes, and the labels that name the object.
type ObjectKind struct {
	Resource       string `json:"resource"` // plural: "pods", "ingresses.networking.k8s.io"
	Kind           string `json:"kind"`
	NamespaceLabel string `json:"namespaceLabel,omitempty"`
	NameLabel      string `json:"nameLabel,omitempty"`
}

// Evaluation is how the rule's last evaluation went.
type Evaluation struct {
	Time     time.Time       `json:"time"` // when it began
	Duration metav1.Duration `json:"duration"`
	Error    string          `json:"error,omitempty"` // "": it succeeded
}

// Failure is one failed evaluation.
type Failure struct {
	Time    time.Time `json:"time"`
	Cause   string    `json:"cause"`   // a reason of the rule's Ready condition: "SourceUnreachable"
	Message string    `json:"message"` // one sentence
}

// Reader is an object that names the metric.
type Reader struct {
	Kind      string `json:"kind"` // HorizontalPodAutoscaler
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Value is one value, or why there is none to use.
type Value struct {
	Object     string            `json:"object,omitempty"` // name; "" for external metrics
	Value      Number            `json:"value"`
	SampleTime time.Time         `json:"sampleTime"`       // when it was measured
	AgeSeconds float64           `json:"ageSeconds"`       // when the document was made
	Labels     map[string]string `json:"labels,omitempty"` // the series' further labels
	Usable     bool              `json:"usable"`           // whether a reader gets it
	Reason     string            `json:"reason,omitempty"` // why not usable, or on what terms: "held since 14:03:07"
}

// Number is a float64 whose JSON form also has the values that JSON numbers lack, as the strings "NaN", "+Inf" and
// "-Inf", as Prometheus writes them.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return json.Marshal(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return json.Marshal(v)
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(data []byte) error {
	var v float64
	err := json.Unmarshal(data, &v)
	if err != nil {
		var text string
		if json.Unmarshal(data, &text) == nil {
			v, err = strconv.ParseFloat(text, 64)
		}
	}
	if err != nil {
		return fmt.Errorf("the value %s is neither a number nor NaN, +Inf or -Inf", data)
	}
	*n = Number(v)
	return nil
}
