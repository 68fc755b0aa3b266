// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ScaleSchedule changes the bounds of HorizontalPodAutoscalers, or the replicas of a workload without one, at planned
// times: every evening, on working days, for one sale. The user's own numbers come back when its windows end.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=plimsoll,shortName=ssched
// +kubebuilder:printcolumn:name="Targets",type=integer,JSONPath=`.status.targets`,description="HPAs or workloads that it applies to"
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.active`,description="Windows that are on or ramp"
// +kubebuilder:printcolumn:name="Min",type=integer,JSONPath=`.status.minReplicas`,description="The floor it asks for now"
// +kubebuilder:printcolumn:name="Max",type=integer,JSONPath=`.status.maxReplicas`,description="The maximum it asks for now"
// +kubebuilder:printcolumn:name="Next",type=string,JSONPath=`.status.next`,description="What comes next, in the schedule's own time zone"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
type ScaleSchedule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which bounds hold when.
	// +required
	Spec ScaleScheduleSpec `json:"spec"`
	// status says what is on, what comes next, and whether it works. The scaler writes it.
	// +optional
	Status ScaleScheduleStatus `json:"status,omitzero"`
}

// ScaleScheduleList is a list of ScaleSchedule.
//
// +kubebuilder:object:root=true
type ScaleScheduleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ScaleSchedule `json:"items"`
}

// ScaleScheduleSpec says which bounds hold when.
//
// +kubebuilder:validation:XValidation:rule="has(self.targetRef) != has(self.targetSelector)",message="exactly one of targetRef (one HPA or workload) and targetSelector (all HPAs of the namespace with these labels) is required"
type ScaleScheduleSpec struct {
	// targetRef names one HPA, whose bounds are changed; or a workload with a scale subresource that no HPA scales, such
	// as {kind: Deployment, name: shop}: there the floor is the number of replicas, and the workload's own number comes
	// back at the end.
	// +optional
	TargetRef *TargetReference `json:"targetRef,omitempty"`
	// targetSelector selects HPAs of the namespace by their labels: one event for many HPAs. An empty selector, {},
	// selects all.
	// +optional
	TargetSelector *metav1.LabelSelector `json:"targetSelector,omitempty"`

	// timeZone is an IANA name, such as Asia/Shanghai. Cron schedules, dates, and times without an offset are wall
	// time there. A wall time that the clock skips moves to the next instant that exists; of one that it shows twice
	// the first counts.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`
	// +kubebuilder:validation:XValidation:rule="self.lowerAscii() != 'local'",message="timeZone Local means something else on every machine; write an IANA name such as Asia/Shanghai or UTC"
	TimeZone string `json:"timeZone"`

	// priority decides between windows that overlap, of this and other schedules: the highest wins; among equals, the
	// largest floor and the largest maximum. Overrides beat every schedule. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=-1000
	// +kubebuilder:validation:Maximum=1000
	Priority int32 `json:"priority,omitempty"`

	// suspend makes the schedule ask for nothing, as if all its windows had just ended.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// windows are the times, and what holds during each.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Windows []ScheduleWindow `json:"windows"`

	// exclude lists dates on which no window with a schedule or a calendar begins: 2026-10-01, 2026-10-01/2026-10-07
	// (both days belong to it), or 12-25 (every year). A window that began the day before goes on to its end.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=21
	// +kubebuilder:validation:items:Pattern=`^([0-9]{4}-[0-9]{2}-[0-9]{2}(/[0-9]{4}-[0-9]{2}-[0-9]{2})?|[0-9]{2}-[0-9]{2})$`
	Exclude []string `json:"exclude,omitempty"`
	// excludeCalendar is iCalendar text (RFC 5545, with RRULE and EXDATE), such as a calendar of public holidays. No
	// window with a schedule or a calendar begins during one of its events.
	// +optional
	// +kubebuilder:validation:MaxLength=131072
	ExcludeCalendar string `json:"excludeCalendar,omitempty"`
	// include lists make-up working days: 2026-02-14 counts as every day from Monday to Friday and no longer as the
	// Saturday that it is; "2026-02-14 as Monday" counts as that day. They win over exclude.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=24
	// +kubebuilder:validation:items:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}( as [A-Za-z]{3,9})?$`
	Include []string `json:"include,omitempty"`
	// includeCalendar is iCalendar text; the days of its events are make-up working days.
	// +optional
	// +kubebuilder:validation:MaxLength=131072
	IncludeCalendar string `json:"includeCalendar,omitempty"`
}

// ScheduleWindow is a rule for intervals of time, and what holds during them. An interval contains its start and not
// its end.
//
// +kubebuilder:validation:XValidation:rule="[has(self.schedule), has(self.start), has(self.calendar)].exists_one(x, x)",message="exactly one of schedule, start and calendar says when the window is"
// +kubebuilder:validation:XValidation:rule="!has(self.schedule) || (has(self.duration) && !has(self.end))",message="a window with a schedule needs a duration, such as 4h, and has no end"
// +kubebuilder:validation:XValidation:rule="!has(self.start) || has(self.end) != has(self.duration)",message="a window with a start has either an end or a duration"
// +kubebuilder:validation:XValidation:rule="!has(self.calendar) || (!has(self.end) && !has(self.duration))",message="the calendar's events have their own ends; remove end and duration"
// +kubebuilder:validation:XValidation:rule="[has(self.minReplicas), has(self.replicas), has(self.demand)].filter(x, x).size() <= 1",message="at most one of minReplicas, replicas and demand may be set"
// +kubebuilder:validation:XValidation:rule="has(self.minReplicas) || has(self.replicas) || has(self.demand) || has(self.maxReplicas)",message="the window changes nothing; set minReplicas, replicas, demand or maxReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || !has(self.maxReplicas)",message="replicas is the exact count, so it is the maximum too; remove maxReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",message="minReplicas is above maxReplicas"
// +kubebuilder:validation:XValidation:rule="!has(self.hardMax) || !self.hardMax || has(self.maxReplicas) || has(self.replicas)",message="hardMax says how maxReplicas holds; set maxReplicas or remove hardMax"
type ScheduleWindow struct {
	// name of the window; explanations and status refer to it.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	Name string `json:"name"`
	// reason says why, in the author's words. Explanations repeat it.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`

	// schedule is a cron expression of five fields, as in a CronJob: minute, hour, day of month, month, day of week.
	// Each time begins an interval of the stated duration.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Schedule string `json:"schedule,omitempty"`
	// duration is how long an interval lasts, in absolute time: 4h are 4 hours even when the clock is changed in
	// them. Whole seconds, at most 8784h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self) > duration('0s') && duration(self) <= duration('8784h')",message="duration is one such as 90s, 4h or 1h30m, more than 0s and at most 8784h"
	Duration *metav1.Duration `json:"duration,omitempty"`
	// start is the time of a one-off window, at which its floor is Ready: 2026-11-11, 2026-11-11T00:00 (wall time of
	// timeZone) or 2026-11-11T00:00:00+08:00.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$`
	Start string `json:"start,omitempty"`
	// end is the time at which a one-off window is over, written like start.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$`
	End string `json:"end,omitempty"`
	// calendar is iCalendar text (RFC 5545, with RRULE and EXDATE). Every event is an interval.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	Calendar string `json:"calendar,omitempty"`

	// minReplicas is the floor during the window. It may be below the HPA's own.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// replicas is the exact count: floor and maximum.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Replicas *int32 `json:"replicas,omitempty"`
	// demand is what is expected, in the unit of the HPA's metric, for example online users. The floor is demand
	// divided by the HPA's target for one replica, rounded up.
	// +optional
	Demand *resource.Quantity `json:"demand,omitempty"`
	// maxReplicas is the maximum during the window. Without it a floor above the HPA's own maximum is capped there.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxReplicas *int32 `json:"maxReplicas,omitempty"`
	// hardMax makes maxReplicas hold at once, even where that removes replicas that the HPA wants. Without it the
	// maximum follows the demand down.
	// +optional
	HardMax bool `json:"hardMax,omitempty"`

	// rampUp is how long before its full height the floor begins to rise, in equal steps. The ramp ends when the window
	// begins, and earlier by the measured time from a decision to Ready pods. At most 24h. Default: 0s.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self) <= duration('24h')",message="rampUp is a duration such as 30m, at most 24h"
	RampUp *metav1.Duration `json:"rampUp,omitempty"`
	// rampDown is how long the floor sinks after the end. At most 24h. Default: 15m.
	// +optional
	// +default="15m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self) <= duration('24h')",message="rampDown is a duration such as 15m, at most 24h"
	RampDown *metav1.Duration `json:"rampDown,omitempty"`
	// after makes the ramp wait until these targets are Ready with their own floors: the database's proxies before
	// the shop.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	After []ScheduleAfter `json:"after,omitempty"`
}

// ScheduleAfter names a target to wait for.
type ScheduleAfter struct {
	// kind of the target. Default: HorizontalPodAutoscaler.
	// +optional
	// +default="HorizontalPodAutoscaler"
	// +kubebuilder:validation:Enum=HorizontalPodAutoscaler
	Kind string `json:"kind,omitempty"`
	// name of the target, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// timeout is how long to wait, counted from the moment at which the ramp should begin; then it begins all the
	// same. At most 24h. Default: 10m.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(s|m|h))+$') && duration(self) > duration('0s') && duration(self) <= duration('24h')",message="timeout is a duration such as 10m, more than 0s and at most 24h"
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}
