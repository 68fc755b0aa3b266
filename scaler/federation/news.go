// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/divide"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The reasons of events on a FederatedScale, besides those of its notes.
const (
	EventScaled       = "Scaled"
	EventReplacements = "ReplacementsReady"
	EventFailedBack   = "FailedBack"
)

// mostInAnEvent is how long a text may be, and mostChanges how many clusters are named in one.
const (
	mostInAnEvent = 900
	mostChanges   = 12
)

// news is one event.
type news struct{ kind, reason, text string }

// tell records the events of what the new status and the writes tell that the old status did not.
func (r *reconciler) tell(s *scene, plan *divide.Plan, status *v1alpha1.FederatedScaleStatus, written []outcome) {
	for _, n := range s.news(plan, status, written) {
		text := n.text
		if len(text) > mostInAnEvent {
			text = strings.ToValidUTF8(text[:mostInAnEvent], "") + "..."
		}
		r.events.Eventf(s.scale, nil, n.kind, n.reason, "DivideReplicas", "%s", text)
	}
	for i := range status.Clusters {
		row := &status.Clusters[i]
		before := find(s.scale.Status.Clusters, row.Name)
		if row.MovedAt != nil && (before == nil || before.MovedAt == nil || !before.MovedAt.Equal(row.MovedAt)) {
			r.metrics.failover(s.scale)
		}
		if row.ReadyAt != nil && (before == nil || before.ReadyAt == nil) && row.FailedSince != nil {
			r.metrics.took(row.ReadyAt.Sub(row.FailedSince.Time))
		}
	}
}

func (s *scene) news(plan *divide.Plan, status *v1alpha1.FederatedScaleStatus, written []outcome) []news {
	var all []news
	old, moved := &s.scale.Status, false
	for i := range status.Clusters {
		row := &status.Clusters[i]
		before := find(old.Clusters, row.Name)
		if row.Away && s.acts() && (before == nil || !before.Away) {
			moved = true
			all = append(all, news{corev1.EventTypeWarning, v1alpha1.FederatedFailedOver, movedText(row, written)})
		}
		if row.ReadyAt != nil && (before == nil || before.ReadyAt == nil) {
			all = append(all, news{corev1.EventTypeNormal, EventReplacements, fmt.Sprintf(
				"the other clusters have their shares Ready, %s after %s was declared failed", row.ReadyAt.Sub(row.FailedSince.Time).Round(time.Second), row.Name)})
		}
	}
	if text := scaledText(s.asked(), written); text != "" && !moved {
		all = append(all, news{corev1.EventTypeNormal, EventScaled, text})
	}
	for _, n := range plan.Notes {
		if n.Reason == divide.FailedBack && s.acts() {
			all = append(all, news{corev1.EventTypeNormal, EventFailedBack, n.Message})
		}
	}
	for _, n := range status.Notes {
		if !noted(old.Notes, n) && (n.Reason != v1alpha1.FederatedFailedOver || !s.acts()) {
			all = append(all, news{kindOf(n.Reason), n.Reason, n.Message})
		}
	}
	return all
}

// movedText is "berlin has failed: its 12 replicas moved to paris (7) and rome (5)".
func movedText(row *v1alpha1.FederatedClusterStatus, written []outcome) string {
	var to []string
	for _, w := range written {
		if w.err == nil && w.to > w.from {
			to = append(to, fmt.Sprintf("%s (%d)", w.one.name, w.to-w.from))
		}
	}
	text := fmt.Sprintf("%s has failed: its %d replicas", row.Name, row.Replicas)
	if len(to) == 0 {
		return text + " are not raised elsewhere"
	}
	return text + " moved to " + join(to)
}

// scaledText is "30 replicas: berlin 10 to 12, paris 9 to 8"; "" if nothing was written.
func scaledText(asked int64, written []outcome) string {
	var changes []string
	for _, w := range written {
		if w.err == nil {
			changes = append(changes, fmt.Sprintf("%s %d to %d", w.one.name, w.from, w.to))
		}
	}
	if len(changes) == 0 {
		return ""
	}
	if more := len(changes) - mostChanges; more > 0 {
		changes = append(changes[:mostChanges], fmt.Sprintf("and %d more clusters", more))
	}
	return fmt.Sprintf("%d replicas: %s", asked, strings.Join(changes, ", "))
}

// join is "a, b and c".
func join(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

func noted(notes []v1alpha1.FederatedNote, n v1alpha1.FederatedNote) bool {
	for i := range notes {
		if notes[i].Cluster == n.Cluster && notes[i].Reason == n.Reason {
			return true
		}
	}
	return false
}

func kindOf(reason string) string {
	if readiness(reason) == metav1.ConditionFalse {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

func find(rows []v1alpha1.FederatedClusterStatus, name string) *v1alpha1.FederatedClusterStatus {
	for i := range rows {
		if rows[i].Name == name {
			return &rows[i]
		}
	}
	return nil
}
