// SPDX-License-Identifier: Apache-2.0

package headroom

import (
	"context"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/klog/v2"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/reserve"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// announcements are the schedules and forecasts of the hub, and the HPAs that scale FederatedScales.
type announcements struct {
	horizon   time.Duration // how far ahead peaks matter
	hpas      []autoscalingv2.HorizontalPodAutoscaler
	schedules []v1alpha1.ScaleSchedule
	forecasts []v1alpha1.ScaleForecast
}

const kindFederatedScale = "FederatedScale"

func (r *reconciler) announcements(ctx context.Context) (*announcements, error) {
	a := &announcements{horizon: v1alpha1.DefaultHeadroomLead}
	var headrooms v1alpha1.HeadroomList
	if err := r.list(ctx, &headrooms, "Headrooms"); err != nil {
		return nil, err
	}
	for i := range headrooms.Items {
		if lead := headrooms.Items[i].Spec.Lead; lead != nil {
			a.horizon = max(a.horizon, lead.Duration)
		}
	}
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	if err := r.list(ctx, &hpas, "HPAs"); err != nil {
		return nil, err
	}
	for i := range hpas.Items {
		if hpas.Items[i].Spec.ScaleTargetRef.Kind == kindFederatedScale {
			a.hpas = append(a.hpas, hpas.Items[i])
		}
	}
	var schedules v1alpha1.ScaleScheduleList
	if err := r.list(ctx, &schedules, "ScaleSchedules"); err != nil {
		return nil, err
	}
	var forecasts v1alpha1.ScaleForecastList
	if err := r.list(ctx, &forecasts, "ScaleForecasts"); err != nil {
		return nil, err
	}
	a.schedules, a.forecasts = schedules.Items, forecasts.Items
	return a, nil
}

// peaks are what schedules and forecasts have announced for a workload: for its FederatedScale, or the hub's HPA that
// scales it. Forecasts count that act: others are only shown.
func (r *reconciler) peaks(ctx context.Context, a *announcements, one *workload, now time.Time) []reserve.Peak {
	f := one.scale
	limit := int64(divide.MaxReplicas)
	obs := schedule.Observations{BaseMin: int32(min(one.replicas, divide.MaxReplicas)), BaseMax: divide.MaxReplicas}
	var hpa *autoscalingv2.HorizontalPodAutoscaler
	for i := range a.hpas {
		if h := &a.hpas[i]; h.Namespace == f.Namespace && h.Spec.ScaleTargetRef.Name == f.Name {
			hpa, limit = h, int64(h.Spec.MaxReplicas)
			obs.BaseMin, obs.BaseMax = situation.LiveBounds(h).Min, h.Spec.MaxReplicas
			if perReplica, err := situation.PerReplicaMilli(h); err == nil {
				obs.PerReplicaMilli = perReplica
			}
		}
	}
	var rules []*schedule.Schedule
	for i := range a.schedules {
		s := &a.schedules[i]
		if !s.DeletionTimestamp.IsZero() || !means(s, f, hpa) {
			continue
		}
		rule, err := s.Compile(r.zones)
		if err != nil {
			klog.FromContext(ctx).V(2).Info("A schedule that cannot be read announces no peak", "schedule", s.Namespace+"/"+s.Name, "err", err)
			continue
		}
		rules = append(rules, rule)
	}
	var peaks []reserve.Peak
	if len(rules) > 0 {
		coming := schedule.Preview(rules, obs, now, now.Add(a.horizon+time.Minute), mostDecisions)
		peaks = fromSchedules(coming, f.Namespace, limit)
	}
	for i := range a.forecasts {
		if c := &a.forecasts[i]; hpa != nil && c.Namespace == f.Namespace && c.Spec.TargetRef.Name == hpa.Name {
			peaks = append(peaks, fromForecast(c, limit)...)
		}
	}
	return peaks
}

// means says whether a schedule is about a FederatedScale or the HPA that scales it.
func means(s *v1alpha1.ScaleSchedule, f *v1alpha1.FederatedScale, hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	if s.Spec.TargetRef.IsWorkload() {
		return s.Namespace == f.Namespace && s.Spec.TargetRef.Kind == kindFederatedScale && s.Spec.TargetRef.Name == f.Name
	}
	return hpa != nil && situation.Means(s, hpa)
}

// mostDecisions bounds the steps of ramps that are looked at.
const mostDecisions = 500

// fromSchedules are the floors that schedules will ask for. One above the maximum counts as far as the maximum.
func fromSchedules(coming []schedule.Decision, namespace string, limit int64) []reserve.Peak {
	var peaks []reserve.Peak
	for _, d := range coming {
		if d.Min == nil || d.MinBy < 0 || d.MinBy >= len(d.Active) {
			continue
		}
		most := limit
		if d.Max != nil {
			most = int64(*d.Max)
		}
		by := d.Active[d.MinBy]
		peaks = append(peaks, reserve.Peak{
			Replicas: min(int64(*d.Min), most), From: d.At, Until: d.Next,
			By: fmt.Sprintf("ScaleSchedule %s/%s window %s", namespace, by.Schedule, by.Window),
		})
	}
	return peaks
}

// fromForecast are the points of a forecast's outlook, each from the point before it to the next.
func fromForecast(f *v1alpha1.ScaleForecast, limit int64) []reserve.Peak {
	if f.Status.Effective != v1alpha1.ForecastEnforcing || f.Status.Target != "" && f.Status.Target != f.Spec.TargetRef.Name {
		return nil
	}
	interval := v1alpha1.DefaultForecastInterval
	if f.Spec.Interval != nil {
		interval = f.Spec.Interval.Duration
	}
	var peaks []reserve.Peak
	for i, p := range f.Status.Outlook {
		if p.Replicas == nil {
			continue
		}
		peak := reserve.Peak{
			Replicas: min(int64(*p.Replicas), limit), From: p.Time.Add(-interval), Until: p.Time.Add(interval),
			By: fmt.Sprintf("ScaleForecast %s/%s", f.Namespace, f.Name),
		}
		if i > 0 {
			peak.From = f.Status.Outlook[i-1].Time.Time
		}
		if i+1 < len(f.Status.Outlook) {
			peak.Until = f.Status.Outlook[i+1].Time.Time
		}
		peaks = append(peaks, peak)
	}
	return peaks
}
