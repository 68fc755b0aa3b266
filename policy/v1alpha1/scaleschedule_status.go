// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ScaleScheduleStatus says what is on, what comes next, and whether it works.
type ScaleScheduleStatus struct {
	// conditions holds one condition, Ready. Its reason is one of a closed set; its message says what is wrong,
	// where, and what to do.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// targets is how many HPAs or workloads the schedule applies to.
	// +optional
	Targets int32 `json:"targets,omitempty"`
	// active names the windows that are on or ramp, for the table: evening,singles-day.
	// +optional
	Active string `json:"active,omitempty"`
	// minReplicas is the largest floor that the schedule asks for now; none while no window sets one.
	// +optional
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// maxReplicas is the largest maximum that the schedule asks for now; none while no window sets one.
	// +optional
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
	// next is the next transition for the table, in local time: 2026-11-23 19:00 Asia/Shanghai evening On.
	// +optional
	Next string `json:"next,omitempty"`
	// activeWindows are the intervals that matter now.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	ActiveWindows []ActiveWindow `json:"activeWindows,omitempty"`
	// nextTransitions are the next few times at which a window changes its phase: the next one, if it is within 48
	// hours, and those of the day after it. If there is none, it holds the start of the next interval.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	NextTransitions []WindowTransition `json:"nextTransitions,omitempty"`
}

// WindowPhase is where a moment lies in the life of an interval.
//
// +kubebuilder:validation:Enum=Waiting;RampUp;Lead;On;RampDown;Off
type WindowPhase string

// ActiveWindow is one interval of a window that matters now.
type ActiveWindow struct {
	// name of the window.
	Name string `json:"name"`
	// phase: Waiting for targets of `after`, RampUp, Lead (the floor is full so that the pods are Ready by the start),
	// On, or RampDown.
	Phase WindowPhase `json:"phase"`
	// start of the interval.
	Start metav1.Time `json:"start"`
	// end of the interval, which does not belong to it.
	End metav1.Time `json:"end"`
	// minReplicas is the floor now, ramps included.
	// +optional
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// maxReplicas is the maximum now.
	// +optional
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
	// released says that a ramp with `after` has begun, so that it does not wait again.
	// +optional
	Released bool `json:"released,omitempty"`
	// message says who won and why.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// WindowTransition is a moment at which a window changes its phase.
type WindowTransition struct {
	// time of the transition.
	Time metav1.Time `json:"time"`
	// window is its name.
	Window string `json:"window"`
	// phase that begins; Off when the window and its ramps are over.
	Phase WindowPhase `json:"phase"`
	// minReplicas that the schedule asks for from then on.
	// +optional
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// maxReplicas that the schedule asks for from then on.
	// +optional
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
}
