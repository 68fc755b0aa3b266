// SPDX-License-Identifier: Apache-2.0

package scaler

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// collectWithin is how long a scrape waits for caches that are not filled yet; a filled one answers at once.
const collectWithin = time.Second

// conditions shows the Ready condition of every object of the scaler's kinds as a metric, read from the cache when it is
// scraped. Leader and standby show the same.
type conditions struct {
	reader client.Reader
	desc   *prometheus.Desc
}

func newConditions(reader client.Reader) *conditions {
	return &conditions{reader: reader, desc: prometheus.NewDesc("plimsoll_condition",
		"1 for the Ready condition of an object, with its status and reason, and what it may do (mode). effective is what a forecast does, and the state of a MemberCluster.",
		[]string{"kind", "namespace", "name", "status", "reason", "mode", "effective"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *conditions) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements prometheus.Collector. Before the caches are filled there is nothing.
func (c *conditions) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectWithin) // a scrape has no context of its own
	defer cancel()
	var schedules v1alpha1.ScaleScheduleList
	var forecasts v1alpha1.ScaleForecastList
	var members v1alpha1.MemberClusterList
	var scales v1alpha1.FederatedScaleList
	var headrooms v1alpha1.HeadroomList
	for _, list := range []client.ObjectList{&schedules, &forecasts, &members, &scales, &headrooms} {
		if err := c.reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			klog.FromContext(ctx).V(2).Info("Conditions cannot be shown yet", "err", err)
			return
		}
	}
	for i := range schedules.Items {
		one := &schedules.Items[i]
		c.show(out, one.Status.Conditions, "ScaleSchedule", one.Namespace, one.Name, "", "")
	}
	for i := range forecasts.Items {
		one := &forecasts.Items[i]
		c.show(out, one.Status.Conditions, "ScaleForecast", one.Namespace, one.Name, string(one.Spec.Mode), string(one.Status.Effective))
	}
	for i := range members.Items {
		one := &members.Items[i]
		c.show(out, one.Status.Conditions, "MemberCluster", "", one.Name, "", string(one.Status.State))
	}
	for i := range scales.Items {
		one := &scales.Items[i]
		c.show(out, one.Status.Conditions, "FederatedScale", one.Namespace, one.Name, string(one.Spec.Mode), "")
	}
	for i := range headrooms.Items {
		one := &headrooms.Items[i]
		c.show(out, one.Status.Conditions, "Headroom", "", one.Name, string(one.Spec.Mode), "")
	}
}

// show sends one row: its labels are kind, namespace, name, mode and effective.
func (c *conditions) show(out chan<- prometheus.Metric, all []metav1.Condition, words ...string) {
	ready := meta.FindStatusCondition(all, v1alpha1.ConditionReady)
	if ready == nil {
		return
	}
	labels := []string{words[0], words[1], words[2], string(ready.Status), ready.Reason, words[3], words[4]}
	out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, 1, labels...)
}
