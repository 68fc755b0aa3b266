// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ScaleForecast raises the floor of a HorizontalPodAutoscaler before the demand comes: it forecasts the demand one
// lead time ahead, with a margin that covers the wanted share of what may come, and acts only while its own live
// accuracy is good. The HPA stays in charge: a forecast never lowers anything.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=plimsoll,shortName=sfc
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.targetRef.name`,description="The HPA"
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`,description="What the user allows"
// +kubebuilder:printcolumn:name="Effective",type=string,JSONPath=`.status.effective`,description="What it does: Enforcing, Observing or Disarmed"
// +kubebuilder:printcolumn:name="Floor",type=integer,JSONPath=`.status.floor`,description="Replicas that it asks for, or would ask for"
// +kubebuilder:printcolumn:name="Lead",type=string,JSONPath=`.status.leadTime`,description="How far ahead it looks"
// +kubebuilder:printcolumn:name="Coverage",type=string,JSONPath=`.status.accuracy.coverage`,description="Share of the demand's values that were at or under the forecast's bound lately"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
type ScaleForecast struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what to forecast, and how safe to be.
	// +required
	Spec ScaleForecastSpec `json:"spec"`
	// status says what is forecast, how good that was lately, and whether it acts. The scaler writes it.
	// +optional
	Status ScaleForecastStatus `json:"status,omitzero"`
}

// ScaleForecastList is a list of ScaleForecast.
//
// +kubebuilder:object:root=true
type ScaleForecastList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ScaleForecast `json:"items"`
}

// ForecastMode is what the user allows a forecast to do.
//
// +kubebuilder:validation:Enum=Observe;Enforce
type ForecastMode string

const (
	// ForecastObserve shows what would be done.
	ForecastObserve ForecastMode = "Observe"
	// ForecastEnforce raises the floor while the forecast is trusted.
	ForecastEnforce ForecastMode = "Enforce"
)

// ScaleForecastSpec says what to forecast, and how safe to be.
//
// +kubebuilder:validation:XValidation:rule="[self.interval, self.maxLeadTime].all(d, d.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$')) && (!has(self.leadTime) || self.leadTime.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$'))",message="interval, leadTime and maxLeadTime are durations such as 30s, 10m or 1h30m"
// +kubebuilder:validation:XValidation:rule="duration(self.interval) >= duration('1s') && duration(self.interval) <= duration('1h')",message="interval must be between 1s and 1h"
// +kubebuilder:validation:XValidation:rule="duration(self.maxLeadTime) >= duration('1s') && duration(self.maxLeadTime) <= duration('6h')",message="maxLeadTime must be between 1s and 6h: no bound that far ahead is worth its replicas"
// +kubebuilder:validation:XValidation:rule="!has(self.leadTime) || (duration(self.leadTime) >= duration('1s') && duration(self.leadTime) <= duration(self.maxLeadTime))",message="leadTime must be between 1s and maxLeadTime"
// +kubebuilder:validation:XValidation:rule="has(self.season) || duration(self.interval) >= duration('30s')",message="an interval under 30s is too fine to remember a week of it; raise it to 30s or more, or set season to the short day that the demand has"
type ScaleForecastSpec struct {
	// targetRef names the HPA whose floor is raised.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.kind == 'HorizontalPodAutoscaler'",message="a forecast raises the floor of a HorizontalPodAutoscaler; name the HPA that scales this workload"
	TargetRef TargetReference `json:"targetRef"`

	// query is PromQL for the demand of the whole workload, as one series: online users, requests a second. Not its
	// replicas, and nothing that is divided by them. Every selector gets the namespace of this object, as in a
	// MetricRule. Default: derived from the HPA's one metric with an AverageValue target.
	// Example: sum(online_users)
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	Query string `json:"query,omitempty"`

	// quantile is the share of what may come that the floor shall cover, from 0.5 to 0.9999, in quotes: "0.95" leaves
	// one value in twenty to the reactive HPA and the headroom. Default: "0.95".
	// +optional
	// +default="0.95"
	// +kubebuilder:validation:MaxLength=6
	// +kubebuilder:validation:Pattern=`^0\.[5-9][0-9]{0,3}$`
	Quantile string `json:"quantile,omitempty"`

	// leadTime is how long the workload takes from a decision to Ready pods, which is how far ahead the floor looks.
	// Absent: measured (the 90th percentile of this workload's own starts; 5m until one was measured).
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	LeadTime *metav1.Duration `json:"leadTime,omitempty"`
	// maxLeadTime limits a measured lead time. At most 6h. Default: 1h.
	// +optional
	// +default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	MaxLeadTime *metav1.Duration `json:"maxLeadTime,omitempty"`

	// mode: Observe shows in the status what would be done. Enforce raises the floor while the forecast is trusted:
	// enough outcomes are known, its bound covers what it promises, and reacting alone leaves more demand unserved.
	// Default: Observe.
	// +optional
	// +default="Observe"
	Mode ForecastMode `json:"mode,omitempty"`

	// maxIncreasePercent is by how much the floor may exceed the replicas that run now. Default: 100.
	// +optional
	// +default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxIncreasePercent int32 `json:"maxIncreasePercent,omitempty"`

	// interval is the distance of the values that the forecast learns from. Default: 5m.
	// +optional
	// +default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	Interval *metav1.Duration `json:"interval,omitempty"`
	// season gives the periods of the demand. Absent: found in its history, else a day and a week.
	// +optional
	Season *ForecastSeason `json:"season,omitempty"`
}

// ForecastSeason gives the periods of a demand.
//
// +kubebuilder:validation:XValidation:rule="self.day.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self.day) >= duration('10s') && duration(self.day) <= duration('168h')",message="day is a duration from 10s to 168h, such as 24h"
// +kubebuilder:validation:XValidation:rule="!has(self.week) || (self.week.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self.week) >= duration(self.day) && duration(self.week) <= duration('840h'))",message="week is a duration from that of day to 840h, such as 168h"
type ForecastSeason struct {
	// day is the shorter period. A demo may have a day of 4m.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	Day metav1.Duration `json:"day"`
	// week is the longer period. Default: seven times the day.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	Week *metav1.Duration `json:"week,omitempty"`
}
