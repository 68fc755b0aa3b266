// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The reasons of a Headroom's Ready condition, and of each of its clusters; the condition has the most urgent of them.
// The set is closed: alerts and scripts may rely on it. Ready is True with the first two, Unknown with the next three,
// and False with the others.
const (
	HeadroomHeld      = "Held"
	HeadroomPeakAhead = "PeakAhead"

	HeadroomObserving = "Observing"
	HeadroomFilling   = "Filling"
	HeadroomPaused    = "Paused"

	HeadroomShort                = "Short"
	HeadroomNodeGroupsAtMaximum  = "NodeGroupsAtMaximum"
	HeadroomNodeGroupFailed      = "NodeGroupFailed"
	HeadroomBufferNotProvisioned = "BufferNotProvisioned"
	HeadroomClusterUnknown       = "ClusterUnknown"
	HeadroomHeldByOtherHub       = "HeldByOtherHub"
	HeadroomWriteFailed          = "WriteFailed"
	HeadroomNoClusters           = "NoClusters"
	HeadroomInvalid              = "Invalid"
)

// HeadroomReasons lists the closed set, in the order in which a reader meets them.
func HeadroomReasons() []string {
	return []string{
		HeadroomHeld, HeadroomPeakAhead, HeadroomObserving, HeadroomFilling, HeadroomPaused,
		HeadroomShort, HeadroomNodeGroupsAtMaximum, HeadroomNodeGroupFailed, HeadroomBufferNotProvisioned, HeadroomClusterUnknown, HeadroomHeldByOtherHub, HeadroomWriteFailed, HeadroomNoClusters, HeadroomInvalid,
	}
}

// HeadroomMeaning says in a sentence or two what a reason means and what to do about it; "" for another word.
func HeadroomMeaning(reason string) string {
	switch reason {
	case HeadroomHeld:
		return "The reserve is there, in every cluster."
	case HeadroomPeakAhead:
		return "The reserve is there, and larger than the percentage because a schedule or a forecast has announced a peak."
	case HeadroomObserving:
		return "mode is Observe: the status shows what would be reserved. Set mode: Enforce once you agree with it."
	case HeadroomFilling:
		return "The reserve is being made: after a change, after a surge has taken it, or while pods wait for nodes that are on their way."
	case HeadroomPaused:
		return "The object has the annotation plimsoll.dev/paused: nothing is written."
	case HeadroomShort:
		return "The nodes there are do not hold the whole reserve, and nothing adds nodes. Add nodes, or lower percent; the message has the amount."
	case HeadroomNodeGroupsAtMaximum:
		return "The node groups are at their maximum. Raise it, or lower percent."
	case HeadroomNodeGroupFailed:
		return "The server of node groups refused or did not answer. The message has its words; it is asked again."
	case HeadroomBufferNotProvisioned:
		return "strategy is CapacityBuffer, but no node autoscaler has accepted the buffer in 5 minutes. Enable it there, or use strategy: Auto."
	case HeadroomClusterUnknown:
		return "A cluster is not Healthy, so what it has is not known. Its reserve is left as it is."
	case HeadroomHeldByOtherHub:
		return "Another hub keeps a reserve in a cluster, so nothing is written there. Let one hub only have a Headroom for it; if that hub is gone, take its objects over: the message has the command."
	case HeadroomWriteFailed:
		return "A cluster's API server refused the write. The message has its words."
	case HeadroomNoClusters:
		return "There is no MemberCluster, or none of those in spec.clusters exists."
	case HeadroomInvalid:
		return "The spec has a mistake that the API server could not see. The message names the field; nothing is changed."
	default:
		return ""
	}
}
