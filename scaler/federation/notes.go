// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// mostNotes are as many as the API takes.
const mostNotes = 64

// complete adds the notes and the condition to a status.
func (s *scene) complete(plan *divide.Plan, status *v1alpha1.FederatedScaleStatus) {
	status.Notes = s.notes(plan)
	if len(status.Notes) > mostNotes {
		status.Notes = status.Notes[:mostNotes]
	}
	reason, message := s.reason(status)
	setReady(status, reason, message, s.now)
}

// notes are what is going on: first of the whole, then by cluster.
func (s *scene) notes(plan *divide.Plan) []v1alpha1.FederatedNote {
	var whole, by []v1alpha1.FederatedNote
	if s.wrong != "" {
		whole = append(whole, v1alpha1.FederatedNote{Reason: v1alpha1.FederatedWrongMetricType, Message: short(s.wrong)})
	}
	if len(s.sights) == 0 {
		whole = append(whole, v1alpha1.FederatedNote{Reason: v1alpha1.FederatedNoClusters, Message: "there is no MemberCluster to divide over: create one, with a Secret that has its kubeconfig"})
	}
	if s.taken != "" {
		whole = append(whole, v1alpha1.FederatedNote{Reason: v1alpha1.FederatedTargetTaken, Message: short(fmt.Sprintf(
			"FederatedScale %s, which is older, divides %s %s already, so nothing is written: delete one of them, or name other clusters in each", s.taken, s.rule.Target.Kind, s.rule.Target.Name))})
	}
	for _, n := range plan.Notes {
		note := v1alpha1.FederatedNote{Cluster: n.Member, Reason: string(n.Reason), Message: short(n.Message)}
		switch {
		case n.Reason == divide.FailedBack: // an event, and no state
		case n.Reason == divide.Adopting && !s.acts(): // until when is not known before it begins
			whole = append(whole, v1alpha1.FederatedNote{Reason: note.Reason, Message: "more replicas were found than asked for: they would stay until as many are asked for, or for ten minutes"})
		case n.Member == "":
			whole = append(whole, note)
		default:
			by = append(by, note)
		}
	}
	for _, one := range s.sights {
		if reason := one.trouble(s); reason != "" {
			by = append(by, v1alpha1.FederatedNote{Cluster: one.name, Reason: reason, Message: short(one.name + ": " + one.message(s))})
		}
	}
	slices.SortStableFunc(by, func(a, b v1alpha1.FederatedNote) int { return strings.Compare(a.Cluster, b.Cluster) })
	return append(whole, by...)
}

// trouble is the reason for which a cluster is treated in a special way, besides those of policy; "" for none.
func (one *sight) trouble(s *scene) string {
	switch {
	case one.cluster == nil && s.rule.Clusters != nil:
		return v1alpha1.FederatedNoClusters
	case one.memo.failure != "":
		return v1alpha1.FederatedWriteFailed
	case one.seen && one.target == nil:
		return v1alpha1.FederatedNoTarget
	}
	reason, _ := one.leftAlone()
	return reason
}

// urgency is a reason's place in the closed set; those without a place come first.
func urgency(reason string) int { return slices.Index(v1alpha1.FederatedReasons(), reason) }

// reason is the most urgent of what is going on, with its message. While nothing is written, what policy would do about
// it does not go on.
func (s *scene) reason(status *v1alpha1.FederatedScaleStatus) (reason, message string) {
	reason, message = s.calm(status)
	for _, n := range status.Notes {
		mistake := urgency(n.Reason) >= urgency(v1alpha1.FederatedNoClusters)
		if urgency(n.Reason) > urgency(reason) && (mistake || s.acts()) {
			reason, message = n.Reason, n.Message
		}
	}
	return reason, message
}

// calm is the reason when nothing is going on.
func (s *scene) calm(status *v1alpha1.FederatedScaleStatus) (reason, message string) {
	var shares, waits []string
	for i := range status.Clusters {
		row := &status.Clusters[i]
		shares = append(shares, fmt.Sprintf("%s %d", row.Name, row.Target))
		if row.Ready < row.Goal || row.Replicas != row.Target {
			waits = append(waits, fmt.Sprintf("%s %d of %d", row.Name, row.Ready, row.Goal))
		}
	}
	switch {
	case s.paused != "":
		return v1alpha1.FederatedPaused, fmt.Sprintf("paused by %s: nothing is written", s.paused)
	case !s.rule.Enforce:
		return v1alpha1.FederatedObserving, fmt.Sprintf("mode is Observe; with Enforce there would be %s", strings.Join(shares, ", "))
	case len(waits) > 0:
		return v1alpha1.FederatedWaitingForReady, fmt.Sprintf("%d of %d replicas are Ready: %s", status.ReadyReplicas, status.Divided, strings.Join(waits, ", "))
	}
	return v1alpha1.FederatedDivided, strings.Join(shares, ", ")
}

// readiness is the condition's status with a reason.
func readiness(reason string) metav1.ConditionStatus {
	switch place := urgency(reason); {
	case place == 0:
		return metav1.ConditionTrue
	case place <= urgency(v1alpha1.FederatedPaused):
		return metav1.ConditionUnknown
	}
	return metav1.ConditionFalse
}
