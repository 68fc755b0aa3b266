// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/hpa"
	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// Manifests are what YAML files say.
type Manifests struct {
	HPA       *hpa.Spec
	HPAName   string
	Schedules []*schedule.Schedule
	Forecast  *forecast.Rule
	Requests  Resources // of the pods of a Deployment or StatefulSet
	Notes     []string
}

// Read adds the objects of one file. Errors name the file and the object.
func (m *Manifests) Read(name string, in io.Reader) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(in))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(bytes.TrimSpace(document)) > 0 {
			err = m.add(document)
		}
		if err != nil {
			return fmt.Errorf("%s, document %d: %w", name, number, err)
		}
	}
}

func (m *Manifests) add(document []byte) error {
	var meta struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &meta); err != nil {
		return fmt.Errorf("it is not YAML of a Kubernetes object: %w", err)
	}
	switch meta.Kind {
	case "HorizontalPodAutoscaler":
		return m.addHPA(meta.APIVersion, document)
	case "ScaleSchedule":
		return m.addSchedule(document)
	case "ScaleForecast":
		return m.addForecast(document)
	case "Deployment", "StatefulSet", "ReplicaSet":
		return m.addWorkload(document)
	case "":
		return errors.New("it has no kind")
	}
	m.Notes = append(m.Notes, fmt.Sprintf("%s %s is not used", meta.Kind, meta.Name))
	return nil
}

func (m *Manifests) addHPA(version string, document []byte) error {
	if version != "autoscaling/v2" {
		return fmt.Errorf("the HPA has the apiVersion %q: change it to autoscaling/v2 (v2beta1 and v2beta2 are not served since Kubernetes 1.26)", version)
	}
	if m.HPA != nil {
		return errors.New("it is the second HPA: give one")
	}
	var object autoscalingv2.HorizontalPodAutoscaler
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return fmt.Errorf("the HPA cannot be read: %w", err)
	}
	spec, err := specOf(&object)
	if err == nil {
		err = spec.Validate()
	}
	if err != nil {
		return fmt.Errorf("the HPA %s: %w", object.Name, err)
	}
	m.HPA, m.HPAName = &spec, object.Name
	return nil
}

func (m *Manifests) addSchedule(document []byte) error {
	var object v1alpha1.ScaleSchedule
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return fmt.Errorf("the ScaleSchedule cannot be read: %w", err)
	}
	rule, err := object.Compile(nil)
	if err != nil {
		return fmt.Errorf("the ScaleSchedule %s: %s", object.Name, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	m.Schedules = append(m.Schedules, rule)
	return nil
}

func (m *Manifests) addForecast(document []byte) error {
	if m.Forecast != nil {
		return errors.New("it is the second ScaleForecast: give one")
	}
	var object v1alpha1.ScaleForecast
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return fmt.Errorf("the ScaleForecast cannot be read: %w", err)
	}
	rule, err := object.Compile()
	if err != nil {
		return fmt.Errorf("the ScaleForecast %s: %w", object.Name, err)
	}
	m.Forecast = &rule
	return nil
}

func (m *Manifests) addWorkload(document []byte) error {
	var object struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(document, &object); err != nil {
		return fmt.Errorf("the workload cannot be read: %w", err)
	}
	m.Requests = RequestsOf(object.Spec.Template.Spec)
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
