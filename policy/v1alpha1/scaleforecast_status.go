// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ForecastEffect is what a forecast does at present.
//
// +kubebuilder:validation:Enum=Enforcing;Observing;Disarmed
type ForecastEffect string

const (
	// ForecastEnforcing: its floor counts.
	ForecastEnforcing ForecastEffect = "Enforcing"
	// ForecastObserving: it is trusted, but its mode is Observe, so its floor is only shown.
	ForecastObserving ForecastEffect = "Observing"
	// ForecastDisarmed: it is not trusted (yet, or any more), so its floor does not count in any mode.
	ForecastDisarmed ForecastEffect = "Disarmed"
)

// ScaleForecastStatus says what is forecast, how good that was lately, and whether it acts.
type ScaleForecastStatus struct {
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
	// target is the name of the HPA that this status speaks of. While it is not the spec's, floor counts for nobody.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Target string `json:"target,omitempty"`
	// effective is what the forecast does: Enforcing, Observing (trusted, but mode is Observe) or Disarmed (not
	// trusted).
	// +optional
	Effective ForecastEffect `json:"effective,omitempty"`
	// floor is how many replicas the forecast asks for, or would ask for if it were enforced.
	// +optional
	Floor *int32 `json:"floor,omitempty"`
	// leadTime is how far ahead it looks now, for the table: 10m.
	// +optional
	LeadTime string `json:"leadTime,omitempty"`
	// leadTimeFrom says where the lead time comes from.
	// +optional
	// +kubebuilder:validation:Enum=Spec;Measured;Default
	LeadTimeFrom string `json:"leadTimeFrom,omitempty"`
	// query is what is asked, after defaults and scoping to the namespace.
	// +optional
	Query string `json:"query,omitempty"`
	// lastValueTime is when the newest value of the demand was measured.
	// +optional
	LastValueTime *metav1.Time `json:"lastValueTime,omitempty"`
	// season is the period in use, for people: 24h, 168h.
	// +optional
	Season string `json:"season,omitempty"`
	// accuracy is how good the forecast was lately, over about three days.
	// +optional
	Accuracy *ForecastAccuracy `json:"accuracy,omitempty"`
	// trust says whether the forecast is trusted and why.
	// +optional
	Trust *ForecastTrust `json:"trust,omitempty"`
	// outlook is the forecast of the next hours.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Outlook []ForecastPoint `json:"outlook,omitempty"`
}

// ForecastAccuracy is how good a forecast was lately, at its lead time. The numbers are decimals, such as 0.948.
type ForecastAccuracy struct {
	// outcomes is how many forecasts could be compared with what came.
	Outcomes int32 `json:"outcomes"`
	// coverage is the share of values at or under the forecast's bound; to compare with spec.quantile.
	Coverage string `json:"coverage"`
	// error is the mean error as a share of the demand.
	Error string `json:"error"`
	// errorReactive is the same for the value at the time of the forecast, which is what a reactive HPA knows.
	ErrorReactive string `json:"errorReactive"`
	// shortfall is the share of the demand above the bound.
	Shortfall string `json:"shortfall"`
	// shortfallReactive is the share of the demand above the value at the time of the forecast.
	ShortfallReactive string `json:"shortfallReactive"`
	// spare is by how much the bound exceeded the demand, as a share of the demand.
	Spare string `json:"spare"`
}

// ForecastTrust says whether a forecast is trusted and why.
type ForecastTrust struct {
	// state: Armed or Disarmed.
	// +kubebuilder:validation:Enum=Armed;Disarmed
	State string `json:"state"`
	// reason: Trusted, Learning, CoverageLow, NoGain, TooWide or Probation.
	// +kubebuilder:validation:Enum=Trusted;Learning;CoverageLow;NoGain;TooWide;Probation
	Reason string `json:"reason"`
	// since is when the state last changed.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// message says it in a sentence with its figures.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}

// ForecastPoint is the forecast for one time.
type ForecastPoint struct {
	// time of the forecast demand.
	Time metav1.Time `json:"time"`
	// expected demand, in the unit of the query.
	Expected string `json:"expected"`
	// upper is the bound that covers the wanted share of what may come.
	Upper string `json:"upper"`
	// replicas that the bound takes; none while one replica's share of the demand is unknown.
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
}
