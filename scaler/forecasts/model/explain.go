// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/policy/forecast"
	"github.com/plimsoll/plimsoll/policy/v1alpha1"
)

// explain gives the reason of the Ready condition: what keeps the forecast from working comes before what keeps it from
// being trusted, and that before what keeps its floor from being reached.
func explain(in Input, v Verdict) (reason, message string) {
	t := in.Target
	switch {
	case in.Invalid != "":
		return v1alpha1.ForecastInvalid, in.Invalid + tellFloor(v)
	case t.Missing:
		return v1alpha1.ForecastNoTarget, fmt.Sprintf("there is no HorizontalPodAutoscaler %s in the namespace; create it, or correct spec.targetRef", t.Name)
	case t.Owner != "":
		return v1alpha1.ForecastTargetRefused, fmt.Sprintf("%s owns HPA %s; change the bounds there", t.Owner, t.Name)
	case t.Unknown != "":
		return v1alpha1.ForecastDemandUnknown, t.Unknown + tellFloor(v)
	}
	if reason, message := sourceTrouble(in, v); reason != "" {
		return reason, message
	}
	if in.View == nil {
		return v1alpha1.ForecastLearning, "the history of the demand is being read" + tellFloor(v)
	}
	if t.PausedBy != "" {
		return v1alpha1.ForecastPaused, fmt.Sprintf("%s has the annotation plimsoll.dev/paused, so the bounds stay as they are", t.PausedBy)
	}
	trust := in.View.Gate.Explain(in.View.Accuracy)
	if onTrust(in) {
		return v1alpha1.ForecastLearning, trust + "; until then it goes on as one that was trusted before its history was read again"
	}
	if in.View.Gate.Trust != forecast.Armed {
		return string(in.View.Gate.Reason), trust // the words are the same: see TestReasons
	}
	if v.Effective == v1alpha1.ForecastEnforcing {
		if reason, message := floorTrouble(in, v); reason != "" {
			return reason, message
		}
	}
	if v.Limit != "" {
		trust += "; " + v.Limit
	}
	return v1alpha1.ForecastTrusted, trust
}

// sourceTrouble says why no values come.
func sourceTrouble(in Input, v Verdict) (reason, message string) {
	p := in.Problem
	silent := !v.Held.At.IsZero() && v.Phase != Fresh && v.Phase != Holding && in.View != nil
	switch {
	case p.Reason == v1alpha1.ForecastInvalid:
		return p.Reason, p.Message + tellFloor(v)
	case silent:
		cause := p.Message
		if cause == "" {
			cause = "the source has no newer one"
		}
		return v1alpha1.ForecastStale, fmt.Sprintf("the newest value of the demand is of %s: %s%s", v.Held.At.UTC().Format(time.RFC3339), cause, tellFloor(v))
	case p.Reason != "" && (p.AtOnce || in.View == nil || v.Phase != Fresh):
		return p.Reason, p.Message + tellFloor(v)
	}
	return "", ""
}

// tellFloor says what becomes of the floor while it cannot be made from values.
func tellFloor(v Verdict) string {
	switch {
	case v.Held.At.IsZero():
		return ""
	case v.Phase == Holding:
		return fmt.Sprintf("; the floor stays at %d", v.Floor)
	case v.Phase == Widening:
		return fmt.Sprintf("; the floor is widened to %d", v.Floor)
	case v.Phase == GivingUp:
		return fmt.Sprintf("; the floor is given up in steps, now %d", v.Floor)
	case v.Phase == GivenUp:
		return "; the floor is given up, and the HPA goes on alone"
	}
	return ""
}

// floorTrouble says why a floor that is enforced is not there.
func floorTrouble(in Input, v Verdict) (reason, message string) {
	t := in.Target
	switch {
	case t.WriteProblem != "":
		return v1alpha1.ForecastWriteFailed, t.WriteProblem
	case t.Contested:
		return v1alpha1.ForecastReverted, fmt.Sprintf("somebody else writes the bounds of HPA %s back, so they are left alone for now; the HPA's events name who", t.Name)
	case v.Limit != "":
		return v1alpha1.ForecastFloorCapped, v.Limit
	case notReached(in, v):
		return v1alpha1.ForecastFloorNotReached, fmt.Sprintf("the HPA has the floor of %d, but %d pods are Ready, %d are pending and %d of these find no node; look at ResourceQuotas and nodes",
			v.Floor, t.Ready, t.Pending, t.Unschedulable)
	}
	return "", ""
}

// notReached: pods without a node are told at once, others have twice the lead time.
func notReached(in Input, v Verdict) bool {
	t := in.Target
	if t.Min < v.Floor || t.Ready >= v.Floor {
		return false
	}
	late := !in.Risen.IsZero() && in.Now.Sub(in.Risen) > 2*in.Lead
	return t.Unschedulable > 0 || late
}
