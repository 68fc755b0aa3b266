// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/plimsoll/plimsoll/adapter/api"
	"github.com/plimsoll/plimsoll/adapter/demand"
	"github.com/plimsoll/plimsoll/adapter/evaluate"
	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/adapter/rule"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// valuesExplained bounds the values of one document; the rest is counted.
const valuesExplained = 500

// explainer writes the document that says where a metric's numbers come from.
type explainer struct {
	store  *snapshot.Store
	demand *demand.Set
	now    func() time.Time
}

// serve answers .../namespaces/<namespace>/metrics/<metric>/explain?resource=&name=.
func (x *explainer) serve(namespace, metric string, w http.ResponseWriter, r *http.Request) {
	resource, name := r.URL.Query().Get("resource"), r.URL.Query().Get("name")
	catalog := x.store.Catalog()
	e := inForce(catalog, namespace, metric, resource)
	w.Header().Set("Content-Type", "application/json")
	if e == nil {
		writeStatus(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("no MetricRule in namespace %s and no ClusterMetricRule defines metric %s%s",
			namespace, metric, api.NearText(metric, known(catalog, namespace))))
		return
	}
	document := x.document(catalog, e, namespace, name)
	if err := json.NewEncoder(w).Encode(document); err != nil {
		return // the client has gone
	}
}

// known are the metrics that a reader in the namespace can have.
func known(c *snapshot.Catalog, namespace string) []string {
	var names []string
	for _, e := range c.Entries() {
		if ns := e.Rule.Key.Namespace; ns == "" || ns == namespace {
			names = append(names, e.Rule.Metric)
		}
	}
	return names
}

func writeStatus(w http.ResponseWriter, code int32, reason metav1.StatusReason, message string) {
	w.WriteHeader(int(code))
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Reason: reason, Code: code, Message: message,
	})
}

// inForce finds the entry that answers for the metric in the namespace. Without a resource pods come first, then any other
// resource, then external metrics.
func inForce(c *snapshot.Catalog, namespace, metric, resource string) *snapshot.Entry {
	if resource != "" {
		return c.Custom(namespace, schema.ParseGroupResource(resource), metric)
	}
	if e := c.Custom(namespace, schema.GroupResource{Resource: "pods"}, metric); e != nil {
		return e
	}
	for _, e := range c.Entries() {
		if e.Rule.Metric == metric && e.Rule.Object != nil {
			if found := c.Custom(namespace, e.Rule.Object.Resource, metric); found != nil {
				return found
			}
		}
	}
	return c.External(namespace, metric)
}

func (x *explainer) document(c *snapshot.Catalog, e *snapshot.Entry, namespace, name string) *explain.Metric {
	r := e.Rule
	m := &explain.Metric{
		Metric: r.Metric, Namespace: namespace, Rule: ruleOf(r), Hidden: hidden(c, e),
		Query: r.Query, Guard: r.Guard, Expr: r.Expr, AgeUnknown: r.AgeUnknown,
		Interval: metav1.Duration{Duration: r.Interval}, MaxAge: metav1.Duration{Duration: r.MaxAge}, HoldFor: metav1.Duration{Duration: r.HoldFor},
	}
	if o := r.Object; o != nil {
		m.Object = &explain.ObjectKind{Resource: o.Resource.String(), Kind: o.Kind.Kind, NamespaceLabel: o.NamespaceLabel, NameLabel: o.NameLabel}
	}
	x.history(m, e)
	for _, hpa := range x.demand.Readers(c, r.Key) {
		if hpa.Namespace == namespace {
			m.Readers = append(m.Readers, explain.Reader{Kind: "HorizontalPodAutoscaler", Namespace: hpa.Namespace, Name: hpa.Name})
		}
	}
	x.values(m, e, namespace, name)
	return m
}

func ruleOf(r *rule.Rule) explain.Rule {
	kind := "MetricRule"
	if r.Key.Namespace == "" {
		kind = "ClusterMetricRule"
	}
	return explain.Rule{Kind: kind, Namespace: r.Key.Namespace, Name: r.Key.Name, Generation: r.Generation}
}

// hidden names the ClusterMetricRule that a namespace's own rule wins over.
func hidden(c *snapshot.Catalog, e *snapshot.Entry) []explain.Rule {
	if e.Rule.Key.Namespace == "" {
		return nil
	}
	behind := c.External("", e.Rule.Metric)
	if e.Rule.Object != nil {
		behind = c.Custom("", e.Rule.Object.Resource, e.Rule.Metric)
	}
	if behind == nil {
		return nil
	}
	return []explain.Rule{ruleOf(behind.Rule)}
}

func (x *explainer) history(m *explain.Metric, e *snapshot.Entry) {
	if last := e.Outcome(); last != nil {
		m.Source = last.Source
		m.LastEvaluation = &explain.Evaluation{Time: last.Time.UTC(), Duration: metav1.Duration{Duration: last.Duration}}
		if last.Err != nil {
			m.LastEvaluation.Error = last.Err.Error()
		}
	}
	for _, f := range e.Failures() {
		m.LastErrors = append(m.LastErrors, explain.Failure{Time: f.Time.UTC(), Cause: evaluate.Cause(f.Err), Message: f.Err.Error()})
	}
	if read := e.LastRead(); !read.IsZero() {
		utc := read.UTC()
		m.LastRead = &utc
	}
}

// values fills in the values that readers of the namespace can see.
func (x *explainer) values(m *explain.Metric, e *snapshot.Entry, namespace, name string) {
	t := e.Table()
	if t == nil {
		return
	}
	rows, now := t.Rows(), x.now()
	switch o := e.Rule.Object; {
	case o != nil && o.Namespaced:
		rows = t.InNamespace(namespace)
	case o != nil && o.Resource.String() == "namespaces":
		rows = t.Find(snapshot.Object{Name: namespace}) // the reader's own, as when it is read
	}
	m.Series = t.Series
	previous := snapshot.Object{}
	for i := range rows {
		if i == 0 || rows[i].Object != previous || e.Rule.Object == nil {
			m.Objects++
		}
		previous = rows[i].Object
		if name != "" && rows[i].Object.Name != name {
			continue
		}
		if len(m.Values) == valuesExplained {
			m.Truncated++
			continue
		}
		m.Values = append(m.Values, value(e, &rows[i], now))
	}
}

func value(e *snapshot.Entry, r *snapshot.Row, now time.Time) explain.Value {
	v := explain.Value{
		Object: r.Object.Name, Value: explain.Number(r.Value), SampleTime: r.Time.UTC(), AgeSeconds: now.Sub(r.Time).Seconds(), Usable: e.Usable(r, now),
	}
	for _, l := range r.Labels {
		if v.Labels == nil {
			v.Labels = map[string]string{}
		}
		v.Labels[l.Name] = l.Value
	}
	switch err := e.Why(r, now); {
	case err != nil:
		v.Reason = err.Error()
	case r.Held || now.Sub(r.Time) > e.Rule.MaxAge:
		v.Reason = "held: measured at " + r.Time.UTC().Format("15:04:05") + ", nothing newer since"
	}
	return v
}
