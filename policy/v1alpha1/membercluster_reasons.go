// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The reasons of a MemberCluster's Ready condition. The set is closed: alerts and scripts may rely on it. Ready is True
// with the first three, Unknown with the next four, and False with the others.
const (
	MemberAnswers    = "Answers"
	MemberClockSkew  = "ClockSkew"
	MemberDraining   = "Draining"
	MemberStarting   = "Starting"
	MemberReturning  = "Returning"
	MemberSuspended  = "Suspended"
	MemberHubSuspect = "HubSuspect"

	MemberUnreachable       = "Unreachable"
	MemberUnhealthy         = "Unhealthy"
	MemberUnauthorized      = "Unauthorized"
	MemberUntrusted         = "Untrusted"
	MemberNodesNotReady     = "NodesNotReady"
	MemberPodsNotReady      = "PodsNotReady"
	MemberDuplicateCluster  = "DuplicateCluster"
	MemberNoKubeconfig      = "NoKubeconfig"
	MemberInvalidKubeconfig = "InvalidKubeconfig"
	MemberForbidden         = "Forbidden"
	MemberUnreadable        = "Unreadable"
)

// MemberReasons lists the closed set, in the order in which a reader meets them.
func MemberReasons() []string {
	return []string{
		MemberAnswers, MemberClockSkew, MemberDraining, MemberStarting, MemberReturning, MemberSuspended, MemberHubSuspect,
		MemberUnreachable, MemberUnhealthy, MemberUnauthorized, MemberUntrusted, MemberNodesNotReady, MemberPodsNotReady, MemberDuplicateCluster,
		MemberNoKubeconfig, MemberInvalidKubeconfig, MemberForbidden, MemberUnreadable,
	}
}

// MemberMeaning says in a sentence or two what a reason means and what to do about it; "" for another word.
func MemberMeaning(reason string) string {
	switch reason {
	case MemberAnswers:
		return "The API server is ready, and enough of the nodes are."
	case MemberClockSkew:
		return "The cluster works; its clock differs from the hub's by more than allowed. Mend its time service: certificates and leases depend on it."
	case MemberDraining:
		return "An operator takes the cluster out (spec.drain): its replicas move to the others."
	case MemberStarting:
		return "The hub has not asked the cluster often enough to judge it: it has to answer for spec.probe.healthyAfter."
	case MemberReturning:
		return "The cluster answers again, and has to do so for spec.probe.healthyAfter."
	case MemberSuspended:
		return "spec.suspend is true: the cluster is neither asked nor written, and nothing is lowered on its account."
	case MemberHubSuspect:
		return "Most clusters stopped answering at once, which is rather the hub's own network. Survivors are raised, nothing is lowered."
	case MemberNoKubeconfig:
		return "The namespace of the members' kubeconfigs has no Secret for this cluster. Create it; the message has its name."
	case MemberInvalidKubeconfig:
		return "The kubeconfig cannot be used, or asks for what is refused: exec plugins, file paths, unverified TLS. The message names the field."
	default:
		return memberTrouble(reason)
	}
}

func memberTrouble(reason string) string {
	switch reason {
	case MemberUnreachable:
		return "No connection, or no answer in time. After spec.probe.failedAfter the cluster is Failed and its replicas may move."
	case MemberUnhealthy:
		return "The API server answers that it is not ready. After spec.probe.failedAfter the cluster is Failed and its replicas may move."
	case MemberUnauthorized:
		return "The credential expired or was revoked. The cluster may be well: nothing moves. Renew the kubeconfig."
	case MemberUntrusted:
		return "The API server's certificate, or ours, is expired or not trusted. The cluster may be well: nothing moves. Renew the certificate or the kubeconfig."
	case MemberNodesNotReady:
		return "The API server answers, but too few of its nodes are Ready, so its pods serve nobody. After spec.probe.nodesAfter it is Failed."
	case MemberPodsNotReady:
		return "The nodes are Ready, but hardly any of the divided workloads' pods are. That is rather the workload than the cluster: nothing moves by itself."
	case MemberDuplicateCluster:
		return "An older MemberCluster is for the same cluster, and keeps it: this one is not used, and nothing moves. Delete one of the two, or correct its kubeconfig; the message names the other."
	case MemberForbidden:
		return "The API server is ready, but what is in the cluster may not be read: nothing moves. Apply manifests/member there; the message names what is missing."
	case MemberUnreadable:
		return "The API server says that it is ready, but lists of its nodes and pods do not come: nothing moves. Look at its load and at what is between it and the hub."
	default:
		return ""
	}
}
