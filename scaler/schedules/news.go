// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// The reasons of events on a ScaleSchedule, besides those of its condition when it turns False.
const (
	EventWindowWaits = "WindowWaits"
	EventWindowRamps = "WindowRamps"
	EventWindowBegan = "WindowBegan"
	EventWindowEnded = "WindowEnded"
)

// news is an event.
type news struct{ kind, reason, text string }

// newsOf is what a new status tells that the old one did not.
func newsOf(old, status *v1alpha1.ScaleScheduleStatus) []news {
	var all []news
	for i := range status.ActiveWindows {
		w := &status.ActiveWindows[i]
		before := find(old.ActiveWindows, w)
		if before == nil || before.Phase != w.Phase {
			if reason := begins(before, w); reason != "" {
				all = append(all, news{corev1.EventTypeNormal, reason, fmt.Sprintf("%s%s: %s", w.Name, floorText(w), w.Message)})
			}
		}
	}
	for i := range old.ActiveWindows {
		w := &old.ActiveWindows[i]
		if find(status.ActiveWindows, w) == nil && w.Phase != phase(schedule.RampDown) {
			all = append(all, news{corev1.EventTypeNormal, EventWindowEnded, w.Name + " no longer applies"})
		}
	}
	is, was := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionReady)
	if is != nil && is.Status == metav1.ConditionFalse && (was == nil || was.Reason != is.Reason) {
		all = append(all, news{corev1.EventTypeWarning, is.Reason, is.Message})
	}
	return all
}

// begins is the reason of the event with which a window's phase begins; "" for phases that need none.
func begins(before, w *v1alpha1.ActiveWindow) string {
	switch w.Phase {
	case phase(schedule.Waiting):
		return EventWindowWaits
	case phase(schedule.RampUp):
		return EventWindowRamps
	case phase(schedule.On):
		return EventWindowBegan
	case phase(schedule.RampDown):
		return EventWindowEnded
	case phase(schedule.Lead):
		if before == nil || before.Phase == phase(schedule.Waiting) {
			return EventWindowRamps
		}
	}
	return ""
}

func phase(p schedule.Phase) v1alpha1.WindowPhase { return v1alpha1.WindowPhase(p.String()) }

func floorText(w *v1alpha1.ActiveWindow) string {
	if w.MinReplicas == nil {
		return ""
	}
	return fmt.Sprintf(" (minReplicas %d)", *w.MinReplicas)
}

func find(windows []v1alpha1.ActiveWindow, w *v1alpha1.ActiveWindow) *v1alpha1.ActiveWindow {
	for i := range windows {
		if windows[i].Name == w.Name && windows[i].Start.Equal(&w.Start) {
			return &windows[i]
		}
	}
	return nil
}
