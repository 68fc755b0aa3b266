// SPDX-License-Identifier: Apache-2.0

package situation

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/plimsoll/plimsoll/policy/schedule"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// soon is how long before its ramp a window's targets of `after` are looked at. HPAs are looked at once a day at least.
const soon = 24 * time.Hour

// ready says which targets of `after` are Ready with their own floors. Those of windows that do not begin soon are left
// out: to look at a target means to list its pods.
func (o Observer) ready(ctx context.Context, s *Situation) (map[schedule.Target]bool, error) {
	ready := map[schedule.Target]bool{}
	for _, name := range s.awaited(o.now()) {
		reached, err := o.reached(ctx, types.NamespacedName{Namespace: s.HPA.Namespace, Name: name})
		if err != nil {
			return nil, err
		}
		ready[schedule.Target{Kind: Kind, Name: name}] = reached
	}
	return ready, nil
}

// awaited are the names of the other HPAs that windows wait for which have begun, or will soon.
func (s *Situation) awaited(now time.Time) []string {
	var names []string
	for i := range s.Schedules {
		windows := slices.DeleteFunc(slices.Clone(s.Schedules[i].Spec.Windows), func(w v1alpha1.ScheduleWindow) bool { return len(w.After) == 0 })
		at := slices.IndexFunc(s.rules, func(r *schedule.Schedule) bool { return r.Name() == s.Schedules[i].Name })
		if len(windows) == 0 || at < 0 { // one that cannot be compiled waits for nobody
			continue
		}
		intervals := s.rules[at].Intervals(now, now.Add(soon+longestRamp(windows)+roundLead(s.Pods.Lead)))
		for _, w := range windows {
			if !slices.ContainsFunc(intervals, func(i schedule.Interval) bool { return i.Window == w.Name }) {
				continue
			}
			for _, after := range w.After {
				names = append(names, after.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == s.HPA.Name })
}

func longestRamp(windows []v1alpha1.ScheduleWindow) time.Duration {
	var longest time.Duration
	for _, w := range windows {
		if w.RampUp != nil {
			longest = max(longest, w.RampUp.Duration)
		}
	}
	return longest
}
