// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/objects"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// source is one object of a file.
type source struct{ objects.Object }

func (s source) name() string { return s.GetKind() + " " + s.GetName() }

func (s source) namespace() string {
	if ns := s.GetNamespace(); ns != "" {
		return ns
	}
	return "default"
}

// toSchedule turns an object that the checks of the API server have passed into its type.
func toSchedule(object *unstructured.Unstructured) (*v1alpha1.ScaleSchedule, error) {
	typed := &v1alpha1.ScaleSchedule{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, fmt.Errorf("it is not a ScaleSchedule: %w", err)
	}
	return typed, nil
}

// toHPA reads an HPA. The fields that lint needs are the same in autoscaling/v1, but for the metrics.
func toHPA(object *unstructured.Unstructured) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	version := object.GroupVersionKind().Version
	if version != "v2" && version != "v1" {
		return nil, fmt.Errorf("autoscaling/%s is not served by current clusters; write autoscaling/v2", version)
	}
	typed := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
		return nil, fmt.Errorf("it is not an HPA: %w", err)
	}
	return typed, nil
}
