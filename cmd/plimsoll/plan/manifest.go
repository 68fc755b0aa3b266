// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/objects"
	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/hpa"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Manifests are what YAML files say.
type Manifests struct {
	HPA       *hpa.Spec
	HPAName   string
	HPAAt     string // file:line
	Schedules []*schedule.Schedule
	Forecast  *forecast.Rule
	Requests  Resources // of the pods of a Deployment or StatefulSet
	Notes     []string
	targets   []targeted
	noMetrics bool // the HPA has none of its own
}

// targeted is a policy object and the HPA that it names.
type targeted struct{ object, hpa string }

// Read adds the objects of one file. Errors are one sentence that begins with file:line.
func (m *Manifests) Read(name string, text []byte) error {
	found, problems := objects.Read(name, text)
	if len(problems) > 0 {
		return problems[0]
	}
	if len(found) == 0 {
		return fmt.Errorf("%s: it has no Kubernetes object", name)
	}
	for _, object := range found {
		if err := m.add(object); err != nil {
			return fmt.Errorf("%s: %s", object.Place, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	return nil
}

func (m *Manifests) add(object objects.Object) error {
	switch object.GetKind() {
	case "HorizontalPodAutoscaler":
		return m.addHPA(object)
	case "ScaleSchedule":
		return m.addSchedule(object)
	case "ScaleForecast":
		return m.addForecast(object)
	case "Deployment", "StatefulSet", "ReplicaSet":
		return m.addWorkload(object)
	}
	m.Notes = append(m.Notes, fmt.Sprintf("%s %s is not used", object.GetKind(), object.GetName()))
	return nil
}

// into reads an object into its type. Unknown fields are errors: a mistyped one would be left out silently.
func into(object objects.Object, typed any) error {
	data, err := object.MarshalJSON()
	if err == nil {
		err = yaml.UnmarshalStrict(data, typed)
	}
	if err != nil {
		text := err.Error()
		for _, noise := range []string{"error unmarshaling JSON: ", "while decoding JSON: ", "json: "} {
			text = strings.TrimPrefix(text, noise)
		}
		return fmt.Errorf("the %s %s cannot be read: %s", object.GetKind(), object.GetName(), text)
	}
	return nil
}

func (m *Manifests) addHPA(object objects.Object) error {
	if version := object.GetAPIVersion(); version != "autoscaling/v2" {
		return fmt.Errorf("the HPA %s has the apiVersion %q: change it to autoscaling/v2 (v2beta1 and v2beta2 are not served since Kubernetes 1.26)", object.GetName(), version)
	}
	if m.HPA != nil {
		return errors.New("it is the second HPA: give one")
	}
	var typed autoscalingv2.HorizontalPodAutoscaler
	if err := into(object, &typed); err != nil {
		return err
	}
	spec, err := specOf(&typed)
	if err == nil {
		err = spec.Validate()
	}
	if err != nil {
		return fmt.Errorf("the HPA %s: %w", typed.Name, err)
	}
	m.HPA, m.HPAName, m.HPAAt = &spec, typed.Name, object.Place.String()
	m.noMetrics = len(typed.Spec.Metrics) == 0
	if m.noMetrics {
		m.Notes = append(m.Notes, fmt.Sprintf("the HPA %s has no metrics, so it has what the API server fills in: a utilization of 80 %% of the cpu request", typed.Name))
	}
	return nil
}

func (m *Manifests) addSchedule(object objects.Object) error {
	var typed v1alpha1.ScaleSchedule
	if err := into(object, &typed); err != nil {
		return err
	}
	rule, err := typed.Compile(nil)
	if err != nil {
		return fmt.Errorf("the ScaleSchedule %s: %w", typed.Name, err)
	}
	m.Schedules = append(m.Schedules, rule)
	if ref := typed.Spec.TargetRef; ref != nil {
		m.targets = append(m.targets, targeted{"ScaleSchedule " + typed.Name, ref.Name})
	}
	return nil
}

func (m *Manifests) addForecast(object objects.Object) error {
	if m.Forecast != nil {
		return errors.New("it is the second ScaleForecast: give one")
	}
	var typed v1alpha1.ScaleForecast
	if err := into(object, &typed); err != nil {
		return err
	}
	rule, err := typed.Compile()
	if err != nil {
		return fmt.Errorf("the ScaleForecast %s: %w", typed.Name, err)
	}
	m.Forecast = &rule
	m.targets = append(m.targets, targeted{"ScaleForecast " + typed.Name, typed.Spec.TargetRef.Name})
	return nil
}

// notes are what the files say and what does not fit together.
func (m *Manifests) notes() []string {
	notes := slices.Clone(m.Notes)
	for _, t := range m.targets {
		if m.HPA != nil && t.hpa != m.HPAName {
			notes = append(notes, fmt.Sprintf("%s is for the HPA %s, and is applied to %s here", t.object, t.hpa, m.HPAName))
		}
	}
	return notes
}

func (m *Manifests) addWorkload(object objects.Object) error {
	data, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	var typed struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(data, &typed); err != nil {
		return fmt.Errorf("the %s %s cannot be read: %w", object.GetKind(), object.GetName(), err)
	}
	m.Requests = RequestsOf(typed.Spec.Template.Spec)
	return nil
}

// RequestsOf adds up what a pod's containers request.
func RequestsOf(pod corev1.PodSpec) Resources {
	var r Resources
	for _, c := range pod.Containers {
		r.CPU += c.Resources.Requests.Cpu().AsApproximateFloat64()
		r.Memory += c.Resources.Requests.Memory().AsApproximateFloat64() / (1 << 30)
	}
	return r
}

// specOf turns an HPA into the form in which it is simulated.
func specOf(object *autoscalingv2.HorizontalPodAutoscaler) (hpa.Spec, error) {
	spec := hpa.Spec{MinReplicas: 1, MaxReplicas: object.Spec.MaxReplicas}
	if n := object.Spec.MinReplicas; n != nil {
		spec.MinReplicas = *n
	}
	for i, m := range object.Spec.Metrics {
		metric, err := metricOf(m)
		if err != nil {
			return spec, fmt.Errorf("metrics[%d]: %w", i, err)
		}
		spec.Metrics = append(spec.Metrics, metric)
	}
	if len(spec.Metrics) == 0 {
		// What the API server fills in.
		spec.Metrics = []hpa.Metric{{Type: hpa.ResourceMetric, Name: hpa.CPU, Target: hpa.Utilization, Goal: 80}}
	}
	if b := object.Spec.Behavior; b != nil {
		spec.Behavior = &hpa.Behavior{ScaleUp: rulesOf(b.ScaleUp), ScaleDown: rulesOf(b.ScaleDown)}
	}
	return spec, nil
}

func metricOf(m autoscalingv2.MetricSpec) (hpa.Metric, error) {
	out := hpa.Metric{Type: hpa.MetricType(m.Type)}
	var target autoscalingv2.MetricTarget
	switch {
	case m.Type == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
		out.Name, target = m.Pods.Metric.Name, m.Pods.Target
	case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil:
		out.Name, target = m.Object.Metric.Name, m.Object.Target
	case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
		out.Name, target = m.External.Metric.Name, m.External.Target
	case m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
		out.Name, target = string(m.Resource.Name), m.Resource.Target
	case m.Type == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
		out.Name, target = string(m.ContainerResource.Name), m.ContainerResource.Target
		out.Container = m.ContainerResource.Container
	default:
		return out, fmt.Errorf("the type %q has no source of the same name beside it", m.Type)
	}
	out.Target = hpa.TargetType(target.Type)
	switch {
	case out.Target == hpa.Value && target.Value != nil:
		out.Goal = target.Value.MilliValue()
	case out.Target == hpa.AverageValue && target.AverageValue != nil:
		out.Goal = target.AverageValue.MilliValue()
	case out.Target == hpa.Utilization && target.AverageUtilization != nil:
		out.Goal = int64(*target.AverageUtilization)
	default:
		return out, fmt.Errorf("the target of type %q has no number of that kind", target.Type)
	}
	return out, nil
}

func rulesOf(r *autoscalingv2.HPAScalingRules) hpa.Rules {
	var out hpa.Rules
	if r == nil {
		return out
	}
	if w := r.StabilizationWindowSeconds; w != nil {
		d := time.Duration(*w) * time.Second
		out.Stabilization = &d
	}
	if s := r.SelectPolicy; s != nil {
		out.Select = hpa.Select(*s)
	}
	if t := r.Tolerance; t != nil {
		v := t.AsApproximateFloat64()
		out.Tolerance = &v
	}
	for _, p := range r.Policies {
		out.Policies = append(out.Policies, hpa.Policy{
			Type: hpa.PolicyType(p.Type), Value: p.Value, Period: time.Duration(p.PeriodSeconds) * time.Second,
		})
	}
	return out
}
