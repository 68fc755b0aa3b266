// SPDX-License-Identifier: Apache-2.0

package target

import (
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/plimsoll/plimsoll/policy/bounds"
	"github.com/plimsoll/plimsoll/scaler/ownership"
	"github.com/plimsoll/plimsoll/scaler/record"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// standing is what is worth saying of a situation although nothing was written. Topics without news are there too, so
// that what is over and comes again is news again.
func standing(s *situation.Situation, out *situation.Outcome) []news {
	return append([]news{ofOwner(s), ofPause(s), ofContest(s, out), ofProblems(s, out), ofCap(out)}, ofShortage(s)...)
}

// concerned says whether anything of Plimsoll wants something of the HPA.
func concerned(s *situation.Situation) bool {
	return len(s.Schedules) > 0 || len(s.Forecasts) > 0 || s.Override() != nil || !s.Record.Empty()
}

func ofOwner(s *situation.Situation) news {
	n := news{topic: "owner"}
	if s.Owner != "" && concerned(s) {
		n.mark, n.reason, n.warning = s.Owner, reasonOwned, true
		n.text = s.Owner + " owns this HPA and would write its bounds back, so they are left alone; set the bounds there"
	}
	return n
}

func ofPause(s *situation.Situation) news {
	n := news{topic: "pause"}
	if s.PausedBy != "" && concerned(s) {
		live := situation.LiveBounds(s.HPA)
		what := "hpa/" + s.HPA.Name
		if s.HPA.Annotations[record.PausedAnnotation] != "true" {
			what = "namespace/" + s.HPA.Namespace
		}
		n.mark, n.reason = s.PausedBy, reasonPaused
		n.text = fmt.Sprintf("paused by the annotation %s of %s: the bounds stay at %d..%d; to go on: kubectl plimsoll resume %s",
			record.PausedAnnotation, s.PausedBy, live.Min, live.Max, what)
	}
	return n
}

func ofContest(s *situation.Situation, out *situation.Outcome) news {
	n := news{topic: "contest"}
	if out.Adoption.Change == bounds.Contested {
		n.mark, n.reason, n.warning = "contested", reasonContested, true
		n.text = fmt.Sprintf("%s sets the bounds back whenever they are written, so they are left alone for some minutes; let it ignore spec.minReplicas and spec.maxReplicas",
			strings.Join(writers(s.HPA), " or "))
	}
	return n
}

func ofProblems(s *situation.Situation, out *situation.Outcome) news {
	text := strings.Join(slices.Concat(s.Problems, out.Problems), "; ")
	return news{topic: "problems", mark: text, reason: reasonProblem, warning: true, text: text}
}

func ofCap(out *situation.Outcome) news {
	n := news{topic: "cap"}
	for _, note := range out.Result.Notes {
		if note.Reason == bounds.FloorCapped && out.Leave == "" {
			n.mark, n.reason, n.warning = "capped", reasonCapped, true // the number rises with every step of a ramp
			n.text = note.Message + "; let the window state a maxReplicas, or raise the HPA's own"
		}
	}
	return n
}

// ofShortage is that nodes have no place for the floor. It is over when the floor is reached: the floor's steps on a
// ramp, and moments in which no pod is known to wait for a node, are no news.
func ofShortage(s *situation.Situation) []news {
	n := news{topic: "shortage"}
	live := situation.LiveBounds(s.HPA)
	switch {
	case s.Record.State.Applied == nil || s.Pods.Ready >= live.Min:
		return []news{n}
	case s.Pods.Unschedulable == 0:
		return nil
	}
	n.mark, n.reason, n.warning = "short", reasonNotReached, true
	n.text = fmt.Sprintf("minReplicas is %d, but %d pods are Ready: no node has place for %d", live.Min, s.Pods.Ready, s.Pods.Unschedulable)
	return []news{n}
}

// writers are the field managers that have the bounds now; "somebody" where that is not known.
func writers(hpa *autoscalingv2.HorizontalPodAutoscaler) []string {
	var names []string
	for _, field := range []string{ownership.MinReplicas, ownership.MaxReplicas} {
		for _, owner := range ownership.Others(record.Manager, hpa.ManagedFields, field) {
			if !slices.Contains(names, owner.Manager) {
				names = append(names, owner.Manager)
			}
		}
	}
	if len(names) == 0 {
		return []string{"somebody"}
	}
	return names
}
