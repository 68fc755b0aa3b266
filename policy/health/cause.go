// SPDX-License-Identifier: Apache-2.0

package health

// Cause is why a member's state is what it is, or what a probe found. The set is closed.
type Cause string

const (
	// OK: nothing is wrong.
	OK Cause = "OK"

	// Unreachable, Unhealthy, Unauthorized, Untrusted and Invalid are what a probe finds.
	Unreachable  Cause = "Unreachable"
	Unhealthy    Cause = "Unhealthy"
	Unauthorized Cause = "Unauthorized"
	Untrusted    Cause = "Untrusted"
	Invalid      Cause = "Invalid"
	// NotProbed: there is no finding. A probe that could not be made for want of something in the hub says so too; it
	// counts neither for the member nor against it.
	NotProbed Cause = "NotProbed"

	// NodesNotReady and PodsNotReady are about a member that answers.
	NodesNotReady Cause = "NodesNotReady"
	PodsNotReady  Cause = "PodsNotReady"
	// Settling: nothing is wrong any more, for not long enough.
	Settling Cause = "Settling"
	// Duplicate: an older member is the same cluster, and keeps it.
	Duplicate Cause = "Duplicate"
	// Suspended: somebody asked to leave the member alone.
	Suspended Cause = "Suspended"
)

// Causes lists the closed set, in the order in which a reader meets them.
func Causes() []Cause {
	return []Cause{
		OK, Settling, NotProbed, Unreachable, Unhealthy, Unauthorized, Untrusted, Invalid, NodesNotReady, PodsNotReady, Duplicate, Suspended,
	}
}

// Fails is whether a cause shows that a cluster may be gone, so that it leads to Failed when it lasts.
func (c Cause) Fails() bool { return c == Unreachable || c == Unhealthy || c == NodesNotReady }

// Alarms is whether somebody has to do something about it: it does not pass by itself and is never failed over.
func (c Cause) Alarms() bool {
	return c == Unauthorized || c == Untrusted || c == Invalid || c == PodsNotReady || c == Duplicate
}

// probed is whether it is a finding of a probe.
func (c Cause) probed() bool {
	return c == OK || c == Unreachable || c == Unhealthy || c == Unauthorized || c == Untrusted || c == Invalid
}

// cutsOff is whether the hub may have caused it itself: by its network, a proxy, its clock or its identity.
func (c Cause) cutsOff() bool {
	return c == Unreachable || c == Unhealthy || c == Unauthorized || c == Untrusted || c == NotProbed
}

// Meaning says in a sentence or two what a cause means and what to do about it; "" for another word.
func (c Cause) Meaning() string {
	switch c {
	case OK:
		return "The API server answers that it is ready, and enough nodes are Ready where that is known."
	case Settling:
		return "The member is new or was not well, and nothing is wrong any more. It is Healthy once that has lasted for healthyAfter."
	case NotProbed:
		return "No probe has come back, because of the hub rather than the member. Look at the hub's log and limits if it stays so."
	case Unreachable:
		return "No answer comes from the API server: the connection is refused or reset, its name is not found, or time is up. It leads to Failed."
	case Unhealthy:
		return "The API server, or what is in front of it, answers that it is not ready. The message names the failed checks. It leads to Failed."
	case Unauthorized:
		return "The API server answers and refuses the credential. Renew the kubeconfig in the Secret, or bind system:public-info-viewer. It never leads to Failed."
	case Untrusted:
		return "The server's certificate is expired, for another name or of an unknown authority, or the server rejects the hub's. Renew the one or the other. It never leads to Failed."
	case Invalid:
		return "The kubeconfig cannot be used, or no Kubernetes API server is at its address. The message says what to change. It never leads to Failed."
	case NodesNotReady:
		return "The API server answers, but too few nodes are Ready. It leads to Failed."
	case PodsNotReady:
		return "Most nodes are Ready, but few of our pods are: look at their image and configuration. It never leads to Failed."
	case Duplicate:
		return "An older member is the same cluster, and keeps it: this one is not used. Remove one of the two, or correct its kubeconfig. It never leads to Failed."
	case Suspended:
		return "The member is suspended: it is not probed or changed, and keeps its replicas."
	}
	return ""
}
