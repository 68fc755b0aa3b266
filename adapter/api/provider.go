// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/plimsoll/plimsoll/adapter/objects"
	"github.com/plimsoll/plimsoll/adapter/snapshot"
)

// libraryProvider answers the handlers of custom-metrics-apiserver.
type libraryProvider struct {
	reader    *reader
	metrics   *Metrics
	discovery *directory
}

var (
	_ provider.CustomMetricsProvider   = &libraryProvider{}
	_ provider.ExternalMetricsProvider = &libraryProvider{}
)

// GetMetricByName is a read of one object.
func (p *libraryProvider) GetMetricByName(ctx context.Context, name types.NamespacedName, info provider.CustomMetricInfo, matching labels.Selector) (*custom_metrics.MetricValue, error) {
	list, err := p.custom(ctx, &customRead{
		namespace: name.Namespace, resource: info.GroupResource, metric: info.Metric, name: name.Name, matching: orNil(matching),
	})
	if err != nil {
		return nil, err
	}
	return &list.Items[0], nil
}

// GetMetricBySelector is a read of several objects.
func (p *libraryProvider) GetMetricBySelector(ctx context.Context, namespace string, selector labels.Selector, info provider.CustomMetricInfo, matching labels.Selector) (*custom_metrics.MetricValueList, error) {
	return p.custom(ctx, &customRead{
		namespace: namespace, resource: info.GroupResource, metric: info.Metric, selector: objects.NewSelector(selector), matching: orNil(matching),
	})
}

func (p *libraryProvider) custom(ctx context.Context, q *customRead) (*custom_metrics.MetricValueList, error) {
	started := time.Now()
	var a answer
	err := p.reader.custom(ctx, q, &a)
	p.metrics.library(customKind(q), err, time.Since(started))
	if err != nil {
		return nil, err
	}
	list := &custom_metrics.MetricValueList{Items: make([]custom_metrics.MetricValue, len(a.rows))}
	selector := selectorOf(q.matching)
	for i, row := range a.rows {
		list.Items[i] = custom_metrics.MetricValue{
			DescribedObject: describedObject(a.entry, row),
			Metric:          custom_metrics.MetricIdentifier{Name: q.metric, Selector: selector},
			Timestamp:       metav1.Time{Time: row.Time},
			Value:           quantityOf(row.Value),
		}
	}
	return list, nil
}

// GetExternalMetric is a read of an external metric.
func (p *libraryProvider) GetExternalMetric(ctx context.Context, namespace string, matching labels.Selector, info provider.ExternalMetricInfo) (*external_metrics.ExternalMetricValueList, error) {
	started := time.Now()
	var a answer
	err := p.reader.external(ctx, namespace, info.Metric, orNil(matching), &a)
	p.metrics.library(kindExternal, err, time.Since(started))
	if err != nil {
		return nil, err
	}
	list := &external_metrics.ExternalMetricValueList{Items: make([]external_metrics.ExternalMetricValue, len(a.rows))}
	for i, row := range a.rows {
		list.Items[i] = external_metrics.ExternalMetricValue{
			MetricName:   info.Metric,
			MetricLabels: labelMap(row),
			Timestamp:    metav1.Time{Time: row.Time},
			Value:        quantityOf(row.Value),
		}
	}
	return list, nil
}

// ListAllMetrics names every custom metric once.
func (p *libraryProvider) ListAllMetrics() []provider.CustomMetricInfo { return p.discovery.custom() }

// ListAllExternalMetrics names every external metric once.
func (p *libraryProvider) ListAllExternalMetrics() []provider.ExternalMetricInfo {
	return p.discovery.external()
}

func describedObject(e *snapshot.Entry, row *snapshot.Row) custom_metrics.ObjectReference {
	apiVersion, kind := e.Rule.Object.Kind.ToAPIVersionAndKind()
	return custom_metrics.ObjectReference{APIVersion: apiVersion, Kind: kind, Namespace: row.Object.Namespace, Name: row.Object.Name}
}

func labelMap(row *snapshot.Row) map[string]string {
	out := make(map[string]string, len(row.Labels))
	for _, l := range row.Labels {
		out[l.Name] = l.Value
	}
	return out
}

// orNil turns the selector that matches everything into nil.
func orNil(s labels.Selector) labels.Selector {
	if s == nil || s.Empty() {
		return nil
	}
	return s
}

// selectorOf is the selector as the answer repeats it; nil for none, and for operators that the type cannot express.
func selectorOf(matching labels.Selector) *metav1.LabelSelector {
	if matching == nil {
		return nil
	}
	out, err := metav1.ParseToLabelSelector(matching.String())
	if err != nil {
		return nil
	}
	return out
}
