// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The defaults of a TargetReference.
const (
	DefaultTargetAPIVersion = "autoscaling/v2"
	DefaultTargetKind       = "HorizontalPodAutoscaler"
)

// TargetReference names the object of the same namespace whose bounds are changed.
type TargetReference struct {
	// apiVersion of the target. Default: autoscaling/v2.
	// +optional
	// +default="autoscaling/v2"
	// +kubebuilder:validation:Enum=autoscaling/v2;autoscaling/v1
	APIVersion string `json:"apiVersion,omitempty"`
	// kind of the target. Default: HorizontalPodAutoscaler.
	// +optional
	// +default="HorizontalPodAutoscaler"
	// +kubebuilder:validation:Enum=HorizontalPodAutoscaler
	Kind string `json:"kind,omitempty"`
	// name of the target.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
