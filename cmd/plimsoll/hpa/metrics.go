// SPDX-License-Identifier: Apache-2.0

package hpa

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/plimsoll/plimsoll/adapter/explain"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/metric"
)

// askTimeout is how long one metric's explanation may take: the rest of the document is worth more than waiting.
const askTimeout = 5 * time.Second

// asker asks the adapter about an HPA's metrics.
type asker struct {
	raw       rest.Interface
	namespace string
	pods      map[string]bool // of the HPA's workload
}

// metrics explains every metric of the HPA.
func (a asker) metrics(ctx context.Context, h *autoscalingv2.HorizontalPodAutoscaler) []Metric {
	out := []Metric{}
	for i := range h.Spec.Metrics {
		m, question, selector := read(&h.Spec.Metrics[i], a.namespace)
		if i < len(h.Status.CurrentMetrics) && h.Status.CurrentMetrics[i].Type == h.Spec.Metrics[i].Type {
			m.Seen = seen(&h.Status.CurrentMetrics[i])
		}
		if question.Metric != "" {
			a.ask(ctx, &m, question, selector)
		}
		out = append(out, m)
	}
	return out
}

// ask asks the adapter; that it cannot be asked is said in the metric.
func (a asker) ask(ctx context.Context, m *Metric, q metric.Question, selector *metav1.LabelSelector) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := metric.Ask(ctx, a.raw, q)
	if err != nil {
		m.Unexplained = err.Error()
		return
	}
	matches := labels.Everything()
	if selector != nil && m.Type == string(autoscalingv2.ExternalMetricSourceType) {
		if matches, err = metav1.LabelSelectorAsSelector(selector); err != nil {
			m.Unexplained = fmt.Sprintf("the metric's selector cannot be read: %v", err)
			return
		}
	}
	var mine []explain.Value
	for _, v := range answer.Values {
		foreign := m.Type == string(autoscalingv2.PodsMetricSourceType) && len(a.pods) > 0 && !a.pods[v.Object]
		if !foreign && matches.Matches(labels.Set(v.Labels)) {
			mine = append(mine, v)
		}
	}
	m.Adapter = sample(answer, mine)
}

// sample sums up the values that are the HPA's own.
func sample(m *explain.Metric, values []explain.Value) *Sample {
	s := &Sample{
		Rule: ruleName(m.Rule), Query: strings.Join(strings.Fields(m.Query), " "), Source: m.Source, AgeUnknown: m.AgeUnknown,
		MaxAgeSeconds: (m.MaxAge.Duration + m.HoldFor.Duration).Seconds(), Truncated: m.Truncated > 0,
	}
	if m.LastEvaluation != nil {
		s.LastError = m.LastEvaluation.Error
	}
	for _, v := range values {
		number := float64(v.Value)
		if !v.Usable || math.IsNaN(number) || math.IsInf(number, 0) {
			s.Unusable++
			if s.Reason == "" {
				s.Reason = v.Reason
			}
			continue
		}
		if s.Values == 0 || v.AgeSeconds < s.NewestSeconds {
			s.NewestSeconds = v.AgeSeconds
		}
		s.OldestSeconds = max(s.OldestSeconds, v.AgeSeconds)
		s.Values++
		s.Sum += number
	}
	return s
}

func ruleName(r explain.Rule) string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

// read reads a metric of the HPA, and the question to ask the adapter; that of a resource metric is empty, because
// another server has it.
func read(m *autoscalingv2.MetricSpec, namespace string) (Metric, metric.Question, *metav1.LabelSelector) {
	out := Metric{Type: string(m.Type)}
	var q metric.Question
	var selector *metav1.LabelSelector
	switch {
	case m.Pods != nil:
		out.Name, out.Resource, selector = m.Pods.Metric.Name, "pods", m.Pods.Metric.Selector
		out.target(m.Pods.Target)
		out.PerPod = true
		q = metric.Question{Namespace: namespace, Metric: out.Name, Resource: out.Resource}
	case m.Object != nil:
		out.Name, out.Object, selector = m.Object.Metric.Name, m.Object.DescribedObject.Name, m.Object.Metric.Selector
		out.Resource = pluralOf(m.Object.DescribedObject)
		out.target(m.Object.Target)
		q = metric.Question{Namespace: namespace, Metric: out.Name, Resource: out.Resource, Object: out.Object}
	case m.External != nil:
		out.Name, selector = m.External.Metric.Name, m.External.Metric.Selector
		out.target(m.External.Target)
		q = metric.Question{Namespace: namespace, Metric: out.Name}
	case m.Resource != nil:
		out.Name = string(m.Resource.Name)
		out.target(m.Resource.Target)
	case m.ContainerResource != nil:
		out.Name = string(m.ContainerResource.Name) + " of container " + m.ContainerResource.Container
		out.target(m.ContainerResource.Target)
	}
	return out, q, selector
}

// pluralOf guesses the resource of a kind, with its group, as the adapter's rules name it.
func pluralOf(o autoscalingv2.CrossVersionObjectReference) string {
	version, err := schema.ParseGroupVersion(o.APIVersion)
	if err != nil {
		return "" // any
	}
	plural, _ := meta.UnsafeGuessKindToResource(version.WithKind(o.Kind))
	return plural.GroupResource().String()
}

func (m *Metric) target(t autoscalingv2.MetricTarget) {
	switch {
	case t.AverageUtilization != nil:
		m.Target, m.PerPod = fmt.Sprintf("%d%%", *t.AverageUtilization), true
	case t.AverageValue != nil:
		m.Target, m.PerPod = t.AverageValue.String(), true
	case t.Value != nil:
		m.Target = t.Value.String()
	}
}

// seen is what the HPA saw at its last sync.
func seen(m *autoscalingv2.MetricStatus) string {
	var v autoscalingv2.MetricValueStatus
	switch {
	case m.Pods != nil:
		v = m.Pods.Current
	case m.Object != nil:
		v = m.Object.Current
	case m.External != nil:
		v = m.External.Current
	case m.Resource != nil:
		v = m.Resource.Current
	case m.ContainerResource != nil:
		v = m.ContainerResource.Current
	}
	switch {
	case v.AverageUtilization != nil:
		return fmt.Sprintf("%d%%", *v.AverageUtilization)
	case v.AverageValue != nil:
		return v.AverageValue.String()
	case v.Value != nil:
		return v.Value.String()
	}
	return ""
}
