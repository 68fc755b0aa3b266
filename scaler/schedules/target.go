// SPDX-License-Identifier: Apache-2.0

package schedules

import (
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
	"github.com/plimsoll/plimsoll/scaler/situation"
	"github.com/plimsoll/plimsoll/scaler/workloads"
)

// Target is one target of a schedule as it was observed, and what is decided for it now.
type Target struct {
	// Name is "HorizontalPodAutoscaler shop" or "Deployment shop".
	Name      string
	Situation *situation.Situation
	Outcome   situation.Outcome
	// Floor is the number that the target has now: minReplicas, or the replicas of a workload.
	Floor int32
	// Refused says why the target is left alone for good, and what to do; "": it is not.
	Refused string
	// NoDemand says why a demand cannot be turned into replicas; "": it can.
	NoDemand string
	// RevertedBy names who writes the target's numbers back; used when the outcome says that somebody does.
	RevertedBy string
	// WriteFailure is why the last write failed, in the API server's words; nil: it did not.
	WriteFailure error
}

// ofHPA is an HPA as a target.
func ofHPA(s *situation.Situation, out situation.Outcome) Target {
	t := Target{
		Name: situation.Kind + " " + s.HPA.Name, Situation: s, Outcome: out,
		Floor: situation.LiveBounds(s.HPA).Min, RevertedBy: lastWriter(s.HPA.ManagedFields, "f:minReplicas", "f:maxReplicas"),
	}
	if s.Owner != "" {
		t.Refused = s.Owner + " owns it and would write its bounds back; set the bounds there"
	}
	if _, err := situation.PerReplicaMilli(s.HPA); err != nil {
		t.NoDemand = err.Error()
	}
	return t
}

// ofWorkload is a workload without an HPA as a target.
func ofWorkload(w *workloads.Workload, out situation.Outcome) Target {
	return Target{
		Name: w.Key.String(), Situation: w.Around, Outcome: out, Floor: w.Replicas(), Refused: w.Refused,
		RevertedBy: lastWriter(w.Object.ManagedFields, "f:replicas"),
		NoDemand:   w.Key.String() + " has no HPA, so there is no target for one replica to divide a demand by",
	}
}

// states says whether a window of the schedule has a demand.
func states(s *v1alpha1.ScaleSchedule) bool {
	for i := range s.Spec.Windows {
		if s.Spec.Windows[i].Demand != nil {
			return true
		}
	}
	return false
}
