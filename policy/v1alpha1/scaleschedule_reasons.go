// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The reasons of a ScaleSchedule's Ready condition. The set is closed: alerts and scripts may rely on it. Ready is
// True with the first six, and False with the others.
const (
	ScheduleActive    = "Active"
	ScheduleIdle      = "Idle"
	ScheduleSuspended = "Suspended"
	ScheduleWaiting   = "Waiting"
	ScheduleOverruled = "Overruled"
	ScheduleRestoring = "Restoring"

	ScheduleInvalid         = "Invalid"
	ScheduleNoTarget        = "NoTarget"
	ScheduleTargetRefused   = "TargetRefused"
	ScheduleDemandUnknown   = "DemandUnknown"
	SchedulePaused          = "Paused"
	ScheduleFloorCapped     = "FloorCapped"
	ScheduleFloorNotReached = "FloorNotReached"
	ScheduleReverted        = "Reverted"
	ScheduleWriteFailed     = "WriteFailed"
)

// ScheduleReasons lists the closed set, in the order in which a reader meets them.
func ScheduleReasons() []string {
	return []string{
		ScheduleActive, ScheduleIdle, ScheduleSuspended, ScheduleWaiting, ScheduleOverruled, ScheduleRestoring,
		ScheduleInvalid, ScheduleNoTarget, ScheduleTargetRefused, ScheduleDemandUnknown, SchedulePaused,
		ScheduleFloorCapped, ScheduleFloorNotReached, ScheduleReverted, ScheduleWriteFailed,
	}
}

// ScheduleMeaning says in a sentence or two what a reason means and what to do about it; "" for another word.
func ScheduleMeaning(reason string) string {
	switch reason {
	case ScheduleActive:
		return "A window is on or ramps, and the targets have its bounds."
	case ScheduleIdle:
		return "No window is on; the next transition is in status.next."
	case ScheduleSuspended:
		return "spec.suspend is true, so the schedule asks for nothing."
	case ScheduleWaiting:
		return "A ramp waits until the targets of `after` are Ready or its timeout has passed."
	case ScheduleOverruled:
		return "A window is on, but another schedule, a forecast or an override decides the bounds; the message names it."
	case ScheduleRestoring:
		return "The window is over; floor and maximum go back to the HPA's own in steps."
	case ScheduleInvalid:
		return "The spec has a mistake that the API server could not see, such as an unknown time zone. The message names the field; " +
			"`plimsoll lint` finds it before it is applied."
	case ScheduleNoTarget:
		return "No object of the namespace has the kind and name of the target, or no HPA its labels."
	case ScheduleTargetRefused:
		return "The HPA belongs to another controller, such as KEDA's: change the bounds there. Or the target is a workload that an HPA scales: name the HPA. " +
			"The message names the owner."
	default:
		return scheduleTrouble(reason)
	}
}

func scheduleTrouble(reason string) string {
	switch reason {
	case ScheduleDemandUnknown:
		return "A window states a demand, but the target is no HPA with a single metric of an AverageValue target to divide it by. Use minReplicas."
	case SchedulePaused:
		return "The HPA or the namespace has the annotation plimsoll.dev/paused, so its bounds stay where they are."
	case ScheduleFloorCapped:
		return "The floor is above the HPA's maxReplicas and was capped there. Set the window's maxReplicas to allow more."
	case ScheduleFloorNotReached:
		return "The HPA has the floor, but pods are pending or a quota is used up, so fewer are Ready."
	case ScheduleReverted:
		return "Somebody else writes the target's numbers back, and Plimsoll has stopped rewriting them. Let GitOps tools ignore minReplicas and maxReplicas (replicas of a workload); the message names the field manager."
	case ScheduleWriteFailed:
		return "The API server refused to change the target, or what Plimsoll keeps in its annotations cannot be read. The message has the words."
	default:
		return ""
	}
}
