// SPDX-License-Identifier: Apache-2.0

package forecasts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// errNoDemand says that the demand cannot be derived from an HPA; what it wraps is a sentence for the user.
var errNoDemand = errors.New("set spec.query")

func noDemand(format string, args ...any) error {
	return fmt.Errorf("the demand cannot be derived: %s; %w", fmt.Sprintf(format, args...), errNoDemand)
}

// demand is a query, and how it may be shown: whoever reads a ScaleForecast need not be one who may read the query of a
// ClusterMetricRule.
type demand struct{ query, shown string }

// hidden says whether nothing of the query may be shown.
func (d demand) hidden() bool { return d.query != d.shown }

// demandOf derives the query of a workload's whole demand from the HPA's one metric with an AverageValue target, and from
// the rule that serves this metric. The error wraps errNoDemand where that cannot be done.
func demandOf(ctx context.Context, c client.Reader, hpa *autoscalingv2.HorizontalPodAutoscaler) (demand, error) {
	spec, err := averageMetric(hpa)
	if err != nil {
		return demand{}, err
	}
	rule, query, err := queryOf(ctx, c, hpa, spec)
	switch {
	case err != nil:
		return demand{}, err
	case rule.cluster:
		return demand{query: query, shown: "ClusterMetricRule " + rule.of.GetName()}, nil
	}
	return demand{query: query, shown: query}, nil
}

// queryOf is the query of a metric's whole demand, and the rule that it is made from.
func queryOf(ctx context.Context, c client.Reader, hpa *autoscalingv2.HorizontalPodAutoscaler, spec autoscalingv2.MetricSpec) (*served, string, error) {
	switch spec.Type {
	case autoscalingv2.ExternalMetricSourceType:
		rule, err := ruleFor(ctx, c, hpa.Namespace, spec.External.Metric.Name, "")
		if err != nil {
			return nil, "", err
		}
		query, err := total(rule.Query, nil, spec.External.Metric.Selector)
		return rule, query, err
	case autoscalingv2.ObjectMetricSourceType:
		object := spec.Object.DescribedObject
		rule, err := ruleFor(ctx, c, hpa.Namespace, spec.Object.Metric.Name, "object")
		if err != nil {
			return nil, "", err
		}
		query, err := total(rule.Query, map[string]string{rule.Object.NameLabel: object.Name}, spec.Object.Metric.Selector)
		return rule, query, err
	case autoscalingv2.PodsMetricSourceType:
		rule, err := ruleFor(ctx, c, hpa.Namespace, spec.Pods.Metric.Name, "pods")
		if err != nil {
			return nil, "", err
		}
		query, err := ofWorkload(rule, hpa)
		if err != nil {
			return nil, "", err
		}
		query, err = total(query, map[string]string{workloadLabel: hpa.Spec.ScaleTargetRef.Name}, spec.Pods.Metric.Selector)
		return rule, query, err
	}
	return nil, "", noDemand("HPA %s scales on %s, which no MetricRule serves", hpa.Name, strings.ToLower(string(spec.Type)))
}

// averageMetric is the HPA's one metric with an AverageValue target.
func averageMetric(hpa *autoscalingv2.HorizontalPodAutoscaler) (autoscalingv2.MetricSpec, error) {
	var found []autoscalingv2.MetricSpec
	for _, m := range hpa.Spec.Metrics {
		var target *autoscalingv2.MetricTarget
		switch {
		case m.Pods != nil:
			target = &m.Pods.Target
		case m.Object != nil:
			target = &m.Object.Target
		case m.External != nil:
			target = &m.External.Target
		case m.Resource != nil:
			target = &m.Resource.Target
		case m.ContainerResource != nil:
			target = &m.ContainerResource.Target
		}
		if target != nil && target.Type == autoscalingv2.AverageValueMetricType {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		return autoscalingv2.MetricSpec{}, noDemand("HPA %s has %d metrics with an AverageValue target, and one is needed", hpa.Name, len(found))
	}
	return found[0], nil
}

// served is a rule that serves a metric.
type served struct {
	*v1alpha1.MetricRuleSpec
	of      client.Object
	cluster bool // a ClusterMetricRule, whose query is not for every reader of a namespace
}

// or is the older one of two rules for one metric, as in the adapter: by creation, then by name.
func (s *served) or(rule client.Object, spec *v1alpha1.MetricRuleSpec, serves bool) *served {
	if !serves {
		return s
	}
	if s != nil {
		order := s.of.GetCreationTimestamp().Time.Compare(rule.GetCreationTimestamp().Time)
		if order < 0 || order == 0 && s.of.GetName() < rule.GetName() {
			return s
		}
	}
	return &served{MetricRuleSpec: spec, of: rule}
}

// ruleFor is the rule that serves a metric in a namespace: its own MetricRule wins over a ClusterMetricRule, and the older
// of two over the other. object is what the metric describes: "" an external metric, "pods", or "object" for anything.
func ruleFor(ctx context.Context, c client.Reader, namespace, metric, object string) (*served, error) {
	var own v1alpha1.MetricRuleList
	if err := c.List(ctx, &own, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list the MetricRules of namespace %s: %w", namespace, err)
	}
	var found *served
	for i := range own.Items {
		r := &own.Items[i]
		found = found.or(r, &r.Spec, serves(r.Name, &r.Spec, metric, object))
	}
	if found != nil {
		return found, nil
	}
	var shared v1alpha1.ClusterMetricRuleList
	if err := c.List(ctx, &shared, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list the ClusterMetricRules: %w", err)
	}
	for i := range shared.Items {
		r := &shared.Items[i]
		found = found.or(r, &r.Spec, serves(r.Name, &r.Spec, metric, object))
	}
	if found != nil {
		found.cluster = true
		return found, nil
	}
	return nil, noDemand("no MetricRule of the namespace and no ClusterMetricRule serves the metric %s", metric)
}

func serves(name string, spec *v1alpha1.MetricRuleSpec, metric, object string) bool {
	if spec.Metric != "" {
		name = spec.Metric
	}
	switch {
	case name != metric || (spec.Object == nil) != (object == ""):
		return false
	case object == "pods":
		return spec.Object.Resource == "pods"
	}
	return true
}

// workloadLabel is set on the series of a workload's pods.
const workloadLabel = "plimsoll_workload"

// ofWorkload marks the series of those pods that the HPA's workload owns, by the names that Kubernetes gives them.
func ofWorkload(rule *served, hpa *autoscalingv2.HorizontalPodAutoscaler) (string, error) {
	target := hpa.Spec.ScaleTargetRef
	// no part may hold a dash, so that the pods of shop-api are not taken for shop's
	names := map[string]string{
		"Deployment": "-[a-z0-9]{1,10}-[a-z0-9]{5}", "ReplicaSet": "-[a-z0-9]{5}", "StatefulSet": "-[0-9]+",
	}[target.Kind]
	if names == "" {
		return "", noDemand("the pods of a %s cannot be told by their names", target.Kind)
	}
	pattern := "(" + regexp.QuoteMeta(target.Name) + ")" + names
	return fmt.Sprintf("label_replace((%s%s), %q, %q, %q, %s)", rule.Query, ending(rule.Query), workloadLabel, "$1", rule.Object.NameLabel, strconv.Quote(pattern)), nil
}

// total is the sum of a query's series that have the given labels, and those of a selector.
func total(query string, labels map[string]string, selector *metav1.LabelSelector) (string, error) {
	want := maps.Clone(labels)
	if want == nil {
		want = map[string]string{}
	}
	if selector != nil {
		maps.Copy(want, selector.MatchLabels)
		if len(selector.MatchExpressions) > 0 {
			return "", noDemand("the metric's selector has expressions, which PromQL cannot apply to the result of a query")
		}
	}
	if len(want) == 0 {
		return "sum(" + query + ending(query) + ")", nil
	}
	// a constant series with those labels: PromQL has no other way to choose from the result of a query by labels
	constant := "vector(1)"
	names := slices.Sorted(maps.Keys(want))
	for _, name := range names {
		constant = fmt.Sprintf("label_replace(%s, %q, %s, \"\", \"\")", constant, name, strconv.Quote(strings.ReplaceAll(want[name], "$", "$$")))
	}
	return fmt.Sprintf("sum((%s%s) and on (%s) %s)", query, ending(query), strings.Join(names, ", "), constant), nil
}

// ending closes a comment at the end of a query, so that what is put behind it counts.
func ending(query string) string {
	if strings.Contains(query, "#") {
		return "\n"
	}
	return ""
}
