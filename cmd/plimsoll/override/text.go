// SPDX-License-Identifier: Apache-2.0

package override

import (
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/upcoming"
	"github.com/plimsoll/plimsoll/scaler/record"
)

// Sentence says what an override asks for: the override of anna (min 40, until 2026-11-23T18:00:00Z, "sale").
func Sentence(o record.Override) string {
	author := o.Author
	if author == "" {
		author = "an unknown author"
	}
	return fmt.Sprintf("the override of %s (%s)", author, strings.Join(append(wishes(o), until(o, time.UTC)), ", ")+reason(o))
}

func reason(o record.Override) string {
	if o.Reason == "" {
		return ""
	}
	return fmt.Sprintf(", %q", o.Reason)
}

func until(o record.Override, zone *time.Location) string {
	return "until " + o.Until.In(zone).Format("2006-01-02 15:04 MST")
}

// wishes are the numbers of an override.
func wishes(o record.Override) []string {
	var parts []string
	number := func(word string, n *int32) {
		if n != nil {
			parts = append(parts, fmt.Sprintf("%s %d", word, *n))
		}
	}
	number("replicas", o.Replicas)
	number("min", o.Min)
	number("max", o.Max)
	if o.HardMax {
		parts = append(parts, "held at once")
	}
	if o.NoScaleDown {
		parts = append(parts, "no scale-down")
	}
	return parts
}

// View is how overrides are written for people.
type View struct {
	Now   time.Time
	Zone  *time.Location
	Width int
}

// Text says what is asked for an HPA, what that changes, and what to beware of.
func Text(o Override, v View) string {
	var b strings.Builder
	human.Wrap(&b, "hpa/"+o.HPA+": ", v.headline(o), v.Width)
	if o.Action == Show && o.Override == nil {
		return b.String()
	}
	human.Wrap(&b, "  minReplicas ", change(o.Before.Min, o.After.Min, o.Before.MinBy, o.After.MinBy), v.Width)
	human.Wrap(&b, "  maxReplicas ", change(o.Before.Max, o.After.Max, o.Before.MaxBy, o.After.MaxBy), v.Width)
	for _, r := range o.Overruled {
		human.Wrap(&b, "  Overruled: ", r.Source.String()+": "+r.Why, v.Width)
	}
	for _, n := range o.After.Notes {
		human.Wrap(&b, "  "+n.Reason+": ", n.Message, v.Width)
	}
	for _, warning := range o.Warnings {
		human.Wrap(&b, "  Warning: ", warning, v.Width)
	}
	for _, consequence := range o.Consent {
		human.Wrap(&b, "  Beware: ", consequence, v.Width)
	}
	return b.String()
}

func (v View) headline(o Override) string {
	switch {
	case o.Action == Show && o.Override == nil:
		return fmt.Sprintf("no override; the bounds are %d..%d, minReplicas of %s", o.After.Min, o.After.Max, o.After.MinBy)
	case o.Action == End && o.Previous == nil:
		return "ends an override that could not be read"
	case o.Action == End:
		return "ends " + Sentence(*o.Previous)
	}
	text := strings.Join(append(wishes(*o.Override), until(*o.Override, v.Zone)), ", ")
	switch left := o.Override.Until.Sub(v.Now); {
	case left <= 0:
		text += " (over)"
	case v.Now.Before(o.Override.Since):
		text += fmt.Sprintf(" (begins in %s)", human.Age(o.Override.Since.Sub(v.Now)))
	default:
		text += fmt.Sprintf(" (%s)", human.Age(left.Round(time.Minute)))
	}
	if o.Override.Author != "" {
		text += ", by " + o.Override.Author
	}
	return text + reason(*o.Override)
}

// change is 10 -> 40 (Override anna; was ScaleSchedule shop/evening).
func change(from, to int32, was, by upcoming.Source) string {
	switch {
	case from == to && was == by:
		return fmt.Sprintf("%d (%s)", to, by)
	case from == to:
		return fmt.Sprintf("%d (%s; was %s)", to, by, was)
	case was == by:
		return fmt.Sprintf("%d -> %d (%s)", from, to, by)
	}
	return fmt.Sprintf("%d -> %d (%s; was %s)", from, to, by, was)
}

// Answer says how far it got.
func Answer(o Override, waited time.Duration) string {
	switch {
	case o.Action == Show:
		return ""
	case o.DryRun:
		return "nothing was written (dry run)"
	case o.Applied == Nothing:
		return "written; the bounds are right already"
	case o.Applied == Done:
		return "written, and applied by the scaler after " + human.Age(human.Seconds(o.AppliedAfterSeconds))
	case o.Applied == Unanswered:
		return "written, but no scaler has applied it within " + human.Age(waited) +
			"; it counts as soon as one runs: kubectl get pods -n plimsoll-system -l app.kubernetes.io/component=scaler"
	case o.Written:
		return "written; the scaler applies it"
	}
	return "nothing was written"
}
