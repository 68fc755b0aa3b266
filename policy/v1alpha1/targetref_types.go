// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The defaults of a TargetReference, and the apiVersion of the workloads that need none.
const (
	DefaultTargetAPIVersion   = "autoscaling/v2"
	DefaultTargetKind         = "HorizontalPodAutoscaler"
	DefaultWorkloadAPIVersion = "apps/v1"
)

// TargetReference names an object of the same namespace: an HPA, whose bounds are changed, or a workload with a scale
// subresource that no HPA scales, whose replicas are.
//
// +kubebuilder:validation:XValidation:rule="self.kind != 'HorizontalPodAutoscaler' || !has(self.apiVersion) || self.apiVersion in ['autoscaling/v2', 'autoscaling/v1']",message="a HorizontalPodAutoscaler has the apiVersion autoscaling/v2 or autoscaling/v1; correct apiVersion or remove it"
// +kubebuilder:validation:XValidation:rule="has(self.apiVersion) || self.kind in ['HorizontalPodAutoscaler', 'Deployment', 'StatefulSet']",message="this kind needs its apiVersion, such as argoproj.io/v1alpha1 for a Rollout"
type TargetReference struct {
	// apiVersion of the target. Default: autoscaling/v2 for a HorizontalPodAutoscaler, apps/v1 for a Deployment or
	// StatefulSet; other kinds need it.
	// +optional
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?v[a-z0-9]+$`
	APIVersion string `json:"apiVersion,omitempty"`
	// kind of the target: HorizontalPodAutoscaler, Deployment, StatefulSet, or another kind with a scale subresource.
	// Default: HorizontalPodAutoscaler.
	// +optional
	// +default="HorizontalPodAutoscaler"
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	Kind string `json:"kind,omitempty"`
	// name of the target.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// WithDefaults returns the reference with every field filled in, as the API server and the scaler do.
func (r TargetReference) WithDefaults() TargetReference {
	if r.Kind == "" {
		r.Kind = DefaultTargetKind
	}
	switch {
	case r.APIVersion != "":
	case r.Kind == DefaultTargetKind:
		r.APIVersion = DefaultTargetAPIVersion
	default:
		r.APIVersion = DefaultWorkloadAPIVersion
	}
	return r
}

// IsHPA says whether the target is a HorizontalPodAutoscaler. A nil reference is none.
func (r *TargetReference) IsHPA() bool {
	return r != nil && (r.Kind == "" || r.Kind == DefaultTargetKind)
}

// IsWorkload says whether the target is a workload whose replicas are changed without an HPA. A nil reference is none.
func (r *TargetReference) IsWorkload() bool { return r != nil && !r.IsHPA() }
