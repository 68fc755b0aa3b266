// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/shop"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/override"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// planner does for the second shop what its people would do: it knows the sale, and hears of the TV show shortly before.
type planner struct {
	day    shop.Day
	target report.Target
	began  time.Time // of the first day
}

// scheduleOf is the sale of a day, with the users that its people want to be ready for.
func (p planner) scheduleOf(number int) *v1alpha1.ScaleSchedule {
	from, to := p.day.Sale()
	midnight := p.began.Add(time.Duration(number) * p.day.Length)
	expected := resource.NewQuantity(int64(1.2*p.day.Peak), resource.DecimalSI) // a fifth to spare, as people plan
	return &v1alpha1.ScaleSchedule{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ScaleSchedule"},
		ObjectMeta: metav1.ObjectMeta{Name: scheduleName, Namespace: plannedNamespace},
		Spec: v1alpha1.ScaleScheduleSpec{
			TargetRef: &v1alpha1.TargetReference{Name: name}, TimeZone: "UTC",
			Windows: []v1alpha1.ScheduleWindow{{
				Name: fmt.Sprintf("evening-%d", number+1), Reason: "evening sale", Demand: expected,
				Start:    midnight.Add(from).UTC().Format(time.RFC3339),
				Duration: &metav1.Duration{Duration: to - from},
				RampUp:   &metav1.Duration{Duration: (p.day.Length / 30).Round(time.Second)},
				RampDown: &metav1.Duration{Duration: (p.day.Length / 10).Round(time.Second)},
			}},
		},
	}
}

// forecast learns what is usual, from the shop's earlier days. How long a pod takes it measures itself.
func (p planner) forecast() *v1alpha1.ScaleForecast {
	return &v1alpha1.ScaleForecast{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ScaleForecast"},
		ObjectMeta: metav1.ObjectMeta{Name: forecastName, Namespace: plannedNamespace},
		Spec: v1alpha1.ScaleForecastSpec{
			TargetRef: v1alpha1.TargetReference{Name: name}, Query: "sum(" + metric + ")", Mode: v1alpha1.ForecastEnforce,
			Interval:    &metav1.Duration{Duration: intervalOf(p.day.Length)},
			MaxLeadTime: &metav1.Duration{Duration: (p.day.Length / 5).Round(time.Second)},
			Season:      &v1alpha1.ForecastSeason{Day: metav1.Duration{Duration: p.day.Length}},
		},
	}
}

// intervalOf is the distance of the forecast's points: a hundredth of the day or less, in whole seconds of which the day
// is a multiple.
func intervalOf(day time.Duration) time.Duration {
	for step := (day / 100).Truncate(time.Second); step > time.Second; step -= time.Second {
		if day%step == 0 {
			return step
		}
	}
	return time.Second
}

// notice is how long before the TV show names the shop its people hear of it.
func (p planner) notice() time.Duration { return p.target.Startup + 2*syncPeriod }

// override prepares for the TV show of a day: half as many users again as are there now.
func (p planner) override(users int, number int) record.Override {
	from, to := p.day.Mention()
	midnight := p.began.Add(time.Duration(number) * p.day.Length)
	least := int32(math.Ceil(1.6 * float64(users) / p.target.PerPod))
	return record.Override{
		Min: &least, Since: midnight.Add(from - p.notice()).UTC().Truncate(time.Second),
		Until: midnight.Add(to).UTC().Truncate(time.Second), Reason: "a TV show is about to name the shop", Author: "demo",
	}
}

// writeOverride writes an override as `plimsoll override` does.
func writeOverride(ctx context.Context, c client.Client, o record.Override) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("override the HPA: %w", err)
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := c.Get(ctx, types.NamespacedName{Namespace: plannedNamespace, Name: name}, hpa); err != nil {
		return fmt.Errorf("override the HPA: %w", err)
	}
	hpa.ResourceVersion = "" // the HPA controller writes its status at any time
	if err := override.Annotate(ctx, c, hpa, map[string]string{record.OverrideAnnotation: o.Format()}); err != nil {
		return fmt.Errorf("override the HPA: %w", err)
	}
	return nil
}

// command is what a person would have typed for an override.
func command(o record.Override) string {
	return fmt.Sprintf("plimsoll override hpa/%s -n %s --min %d --for %s", name, plannedNamespace, *o.Min, o.Until.Sub(o.Since))
}

// text is an object's YAML, without what only an API server knows.
func text(object any) (string, error) {
	data, err := yaml.Marshal(object)
	if err != nil {
		return "", fmt.Errorf("write an object of the demo: %w", err)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line != "status: {}\n" && line != "  creationTimestamp: null\n" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, ""), nil
}
