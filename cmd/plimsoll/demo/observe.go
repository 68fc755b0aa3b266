// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	metricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/shop"
	policyhpa "github.com/plimsoll/plimsoll/policy/hpa"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// observation is a sample, and what the HPA said when it was taken.
type observation struct {
	report.Sample
	said    string
	saidAge time.Duration
	problem bool // the HPA cannot do its work
	active  bool // the HPA reads its metric, or follows its bounds, which needs none
}

// valuesPath is where an HPA reads the metric of its pods.
func valuesPath(namespace string) string {
	return "/apis/custom.metrics.k8s.io/v1beta2/namespaces/" + namespace + "/pods/*/" + metric
}

// observer looks at one shop.
type observer struct {
	client    kubernetes.Interface
	namespace string
	shop      *shop.Shop
	pods      *shop.Pods
}

// observe looks at the shop and at the cluster the way a person with kubectl would.
func (w observer) observe(ctx context.Context, at time.Duration) (observation, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	state := w.shop.State()
	o := observation{Sample: report.Sample{
		At: at, Users: state.Users, Waiting: state.Waiting, Ready: len(w.pods.Serving()), Pods: w.pods.Count(),
	}}
	hpa, err := w.client.AutoscalingV2().HorizontalPodAutoscalers(w.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return o, fmt.Errorf("read the HPA: %w", err)
	}
	events, err := w.client.CoreV1().Events(w.namespace).List(ctx, metav1.ListOptions{FieldSelector: fields.SelectorFromSet(fields.Set{
		"involvedObject.kind": "HorizontalPodAutoscaler", "involvedObject.name": name}).String()})
	if err != nil {
		return o, fmt.Errorf("read the HPA's events: %w", err)
	}
	o.Wanted, o.Floor = int(hpa.Status.DesiredReplicas), int(situation.LiveBounds(hpa).Min)
	// A record that cannot be read names nobody; the scaler complains of it in events.
	if kept, err := record.Parse(hpa.Annotations); err == nil && kept.State.Applied != nil {
		o.FloorBy = kept.State.FloorBy
	}
	o.hear(hpa, events.Items, time.Now())
	o.Age, o.HasValue = valueAge(ctx, w.client, w.namespace)
	return o, nil
}

// hear notes what the HPA says: that it cannot work, else its last event, else its conditions.
func (o *observation) hear(hpa *autoscalingv2.HorizontalPodAutoscaler, events []corev1.Event, now time.Time) {
	conditions := map[autoscalingv2.HorizontalPodAutoscalerConditionType]autoscalingv2.HorizontalPodAutoscalerCondition{}
	for _, c := range hpa.Status.Conditions {
		conditions[c.Type] = c
	}
	o.active = conditions[autoscalingv2.ScalingActive].Status == corev1.ConditionTrue || conditions[autoscalingv2.AbleToScale].Reason == policyhpa.ReasonSucceededRescale
	for _, t := range []autoscalingv2.HorizontalPodAutoscalerConditionType{autoscalingv2.AbleToScale, autoscalingv2.ScalingActive} {
		if c := conditions[t]; c.Status == corev1.ConditionFalse {
			o.said, o.problem, o.saidAge = c.Message, true, now.Sub(c.LastTransitionTime.Time)
			return
		}
	}
	if c, ok := conditions[autoscalingv2.AbleToScale]; ok {
		o.said = c.Message
	}
	normal := slices.DeleteFunc(slices.Clone(events), func(e corev1.Event) bool { return e.Type != corev1.EventTypeNormal })
	if len(normal) > 0 {
		last := slices.MaxFunc(normal, func(a, b corev1.Event) int { return eventTime(&a).Compare(eventTime(&b)) })
		o.said, o.saidAge = strings.TrimPrefix(last.Message, combined), now.Sub(eventTime(&last))
	}
}

// combined is what the event recorder writes before a message once there are many like it.
const combined = "(combined from similar events): "

func eventTime(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	default:
		return e.EventTime.Time
	}
}

// valueAge reads the metric as the HPA does, and returns the age of the oldest value; the API's times are whole
// seconds.
func valueAge(ctx context.Context, client kubernetes.Interface, namespace string) (time.Duration, bool) {
	body, err := client.Discovery().RESTClient().Get().AbsPath(valuesPath(namespace)).Do(ctx).Raw()
	if err != nil {
		return 0, false // the view says that there is no value; the HPA says why
	}
	var list metricsv1beta2.MetricValueList
	if json.Unmarshal(body, &list) != nil || len(list.Items) == 0 {
		return 0, false
	}
	oldest := slices.MinFunc(list.Items, func(a, b metricsv1beta2.MetricValue) int { return a.Timestamp.Compare(b.Timestamp.Time) })
	return max(0, time.Since(oldest.Timestamp.Time)), true
}
