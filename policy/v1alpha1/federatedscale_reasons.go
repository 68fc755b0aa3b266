// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The reasons of a FederatedScale's Ready condition, of which the most urgent that holds is shown. The set is closed:
// alerts and scripts may rely on it. Ready is True with the first, Unknown with the next seven (it is on its way), and
// False with the others.
const (
	FederatedDivided = "Divided"

	FederatedObserving       = "Observing"
	FederatedAdopting        = "Adopting"
	FederatedWaitingForReady = "WaitingForReady"
	FederatedReturning       = "Returning"
	FederatedFailingBack     = "FailingBack"
	FederatedDrained         = "Drained"
	FederatedPaused          = "Paused"

	FederatedMinimumRaised     = "MinimumRaised"
	FederatedFailoverWaits     = "FailoverWaits"
	FederatedFailoverNever     = "FailoverNever"
	FederatedFailedOver        = "FailedOver"
	FederatedScaleDownFrozen   = "ScaleDownFrozen"
	FederatedHubSuspectsItself = "HubSuspectsItself"
	FederatedCapped            = "Capped"
	FederatedUnplaced          = "Unplaced"
	FederatedWriteFailed       = "WriteFailed"
	FederatedNoClusters        = "NoClusters"
	FederatedNoTarget          = "NoTarget"
	FederatedOwnedByHPA        = "OwnedByHPA"
	FederatedReverted          = "Reverted"
	FederatedTargetRefused     = "TargetRefused"
	FederatedTargetTaken       = "TargetTaken"
	FederatedWrongMetricType   = "WrongMetricType"
	FederatedInvalid           = "Invalid"
)

// FederatedReasons lists the closed set, in the order in which a reader meets them.
func FederatedReasons() []string {
	return []string{
		FederatedDivided,
		FederatedObserving, FederatedAdopting, FederatedWaitingForReady, FederatedReturning, FederatedFailingBack, FederatedDrained, FederatedPaused,
		FederatedMinimumRaised, FederatedFailoverWaits, FederatedFailoverNever, FederatedFailedOver, FederatedScaleDownFrozen,
		FederatedHubSuspectsItself, FederatedCapped, FederatedUnplaced, FederatedWriteFailed, FederatedNoClusters, FederatedNoTarget,
		FederatedOwnedByHPA, FederatedReverted, FederatedTargetRefused, FederatedTargetTaken, FederatedWrongMetricType, FederatedInvalid,
	}
}

// FederatedMeaning says in a sentence or two what a reason means and what to do about it; "" for another word.
func FederatedMeaning(reason string) string {
	switch reason {
	case FederatedDivided:
		return "Every cluster has its share, and it is Ready."
	case FederatedObserving:
		return "mode is Observe: the status shows what would be written. Set mode: Enforce once you agree with it."
	case FederatedAdopting:
		return "More replicas were found than asked for. They stay until as many are asked for, or fewer than at first, or ten minutes have passed and the HPA reads its metrics: an HPA begins with its minReplicas."
	case FederatedWaitingForReady:
		return "A cluster keeps more than its share until the replicas are Ready elsewhere."
	case FederatedReturning:
		return "A cluster that had failed is Healthy again, and has to stay so for failover.returnAfter."
	case FederatedFailingBack:
		return "A cluster that had failed gets its share back, a quarter at a time."
	case FederatedDrained:
		return "A cluster is taken out by an operator (MemberCluster spec.drain)."
	case FederatedPaused:
		return "The object, the namespace, or the target in a member has the annotation plimsoll.dev/paused: nothing is written there."
	case FederatedMinimumRaised:
		return "The clusters' minimums need more replicas than were asked for. Let the HPA's minReplicas be at least their sum."
	case FederatedNoClusters:
		return "There is no MemberCluster, or none of those in spec.clusters exists."
	case FederatedNoTarget:
		return "A cluster has no workload of the target's name in this namespace. Create it there; the message names the cluster."
	case FederatedOwnedByHPA:
		return "An HPA scales the workload in a member, so its replicas are not touched there. Remove that HPA, or use divide: Bounds with it."
	case FederatedReverted:
		return "Somebody else writes minReplicas of the HPA in a member back, and Plimsoll has stopped rewriting it for ten minutes. Let GitOps tools ignore it there; the message names the field manager."
	case FederatedTargetRefused:
		return "The HPA in a member belongs to a controller such as KEDA's, which sets its bounds itself, or has an annotation of Plimsoll's that cannot be read. The message says which."
	case FederatedTargetTaken:
		return "An older FederatedScale with mode: Enforce divides the same target over some of the same clusters, so this one writes nothing. The message names it: delete one of them, or name other clusters."
	case FederatedWrongMetricType:
		return "The hub's HPA has a metric that needs pods in the hub. Use External or Object metrics with AverageValue."
	case FederatedInvalid:
		return "The spec has a mistake that the API server could not see. The message names the field; nothing is changed."
	default:
		return federatedTrouble(reason)
	}
}

func federatedTrouble(reason string) string {
	switch reason {
	case FederatedFailoverWaits:
		return "A cluster has failed; its replicas move when failover.after has passed, unless it answers again by then."
	case FederatedFailoverNever:
		return "A cluster has failed; its replicas stay where they are, as failover.mode is Never."
	case FederatedFailedOver:
		return "A cluster has failed; its replicas are with the others."
	case FederatedScaleDownFrozen:
		return "A cluster is silent, so its part of the demand may be missing: fewer replicas are not acted on."
	case FederatedHubSuspectsItself:
		return "Most clusters stopped answering at once, which is rather the hub's own network. Survivors are raised, nothing is lowered."
	case FederatedCapped:
		return "A cluster refused pods or left them waiting, so it gets no more for a while; the others take them."
	case FederatedUnplaced:
		return "No cluster takes the rest of the replicas. Raise maxReplicas or quotas, or add nodes; the message has the number."
	case FederatedWriteFailed:
		return "A cluster's API server refused the write, or did not answer. The message has its words."
	default:
		return ""
	}
}
