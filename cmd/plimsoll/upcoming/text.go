// SPDX-License-Identifier: Apache-2.0

package upcoming

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/policy/bounds"
)

// View is how a document is written for people.
type View struct {
	Zone  *time.Location // of the reader
	Width int            // characters of a line
}

// Text writes the document for people: a day, a time, an HPA with its bounds, and under it why.
func Text(d Document, v View) string {
	var b strings.Builder
	var body strings.Builder
	v.changes(&body, d.Changes)
	length := human.Age(d.To.Sub(d.From))
	switch {
	case len(d.Changes) == 0:
		fmt.Fprintf(&b, "Nothing is planned for the next %s: no bounds of %s will change.\n", length, human.Things(d.HPAs, "HPA"))
	default:
		zone, _ := d.From.In(v.Zone).Zone()
		fmt.Fprintf(&b, "%s of %s in the next %s. Times are in %s.\n", human.Things(len(d.Changes), "change"), human.Things(d.HPAs, "HPA"), length, zone)
	}
	b.WriteString(body.String())
	if len(d.Problems) > 0 {
		fmt.Fprintln(&b)
	}
	for _, p := range d.Problems {
		human.Wrap(&b, "Wrong: ", p.Namespace+"/"+p.HPA+": "+p.Message, v.Width)
	}
	return b.String()
}

// changes writes changes under a line for each day.
func (v View) changes(b *strings.Builder, changes []Change) {
	wide := 0
	for _, c := range changes {
		wide = max(wide, len(c.Namespace)+1+len(c.HPA))
	}
	day := ""
	for _, c := range changes {
		at := c.Time.In(v.Zone)
		if d := at.Format("Mon 2 Jan 2006"); d != day {
			day = d
			fmt.Fprintf(b, "\n%s\n", day)
		}
		name := c.Namespace + "/" + c.HPA
		head := fmt.Sprintf("  %s  %-*s  ", clock(at), wide, name)
		if numbers := v.numbers(c); len(head)+len(numbers) <= v.Width {
			fmt.Fprintln(b, head+numbers)
		} else {
			fmt.Fprintf(b, "  %s  %s\n", clock(at), name)
			human.Wrap(b, "         ", numbers, v.Width)
		}
		for _, line := range Why(c) {
			human.Wrap(b, "         ", line, v.Width)
		}
	}
}

// Lines writes the changes of one HPA for a list: each with its time and what changes, and why.
func (v View) Lines(b *strings.Builder, changes []Change) {
	for _, c := range changes {
		at := c.Time.In(v.Zone)
		human.Wrap(b, "  "+at.Format("Mon 2 Jan ")+clock(at)+"  ", v.numbers(c), v.Width)
		for _, line := range Why(c) {
			human.Wrap(b, "    ", line, v.Width)
		}
	}
}

// clock is a time of day; with seconds if there are any.
func clock(t time.Time) string {
	if t.Second() != 0 {
		return t.Format("15:04:05")
	}
	return t.Format("15:04")
}

// numbers says how the bounds change: min 10 -> 40 in steps until 18:55, max 50.
func (v View) numbers(c Change) string {
	text := arrow("min", c.From.Min, c.To.Min) + ", " + arrow("max", c.From.Max, c.To.Max)
	switch {
	case c.Gradual && c.Until != nil:
		until := c.Until.In(v.Zone)
		text += ", in steps until " + clock(until)
		if at := c.Time.In(v.Zone); at.YearDay() != until.YearDay() {
			text += until.Format(" on Mon 2 Jan")
		}
	case c.Gradual:
		text += ", in steps"
	}
	if c.Estimated {
		text += " (forecast)"
	}
	return text
}

func arrow(word string, from, to int32) string {
	if from == to {
		return fmt.Sprintf("%s %d", word, to)
	}
	return fmt.Sprintf("%s %d -> %d", word, from, to)
}

// Why says in sentences why a change comes.
func Why(c Change) []string {
	var lines []string
	if c.PausedBy != "" {
		lines = append(lines, "does not happen while "+c.PausedBy+" is paused")
	}
	for _, cause := range c.Causes {
		lines = append(lines, cause.text(c))
	}
	if len(c.Causes) == 0 {
		lines = append(lines, "going on already")
	}
	lines = append(lines, c.winners()...)
	for _, o := range c.Overruled {
		lines = append(lines, "OVERRULED "+o.Source.String()+": "+o.Why)
	}
	for _, n := range c.Notes {
		lines = append(lines, n.Reason+": "+n.Message)
	}
	return lines
}

// winners names who decides what, where it is not clear from the causes.
func (c Change) winners() []string {
	told := func(s Source) bool {
		return slices.ContainsFunc(c.Causes, func(cause Cause) bool { return cause.Source == s && cause.begins() })
	}
	var lines []string
	if c.From.Min != c.To.Min && !told(c.MinBy) {
		lines = append(lines, fmt.Sprintf("minReplicas %d is of %s", c.To.Min, c.MinBy))
	}
	if c.From.Max != c.To.Max && !told(c.MaxBy) {
		lines = append(lines, fmt.Sprintf("maxReplicas %d is of %s", c.To.Max, c.MaxBy))
	}
	return lines
}

func (c Cause) begins() bool {
	return c.Event != Off && c.Event != RampDown && c.Event != Ends && c.Event != Unknown
}

// text says what happens, in the time of the schedule's zone.
func (c Cause) text(change Change) string {
	text := c.Source.String() + " " + c.what(change)
	if c.Reason != "" && c.Source.Kind != bounds.KindForecast {
		text += fmt.Sprintf(" (%s)", c.Reason)
	}
	return text
}

func (c Cause) what(change Change) string {
	switch c.Event {
	case RampUp:
		return "ramps up for its start at " + c.local(c.Start, change)
	case Lead:
		return "rises now, so that the pods are Ready at its start at " + c.local(c.Start, change)
	case On:
		return "is on from " + c.local(&change.Time, change) + " until " + c.local(c.End, change)
	case RampDown:
		return "ended at " + c.local(c.End, change) + " and ramps down"
	case Off:
		return "is over"
	case Begins:
		return "begins"
	case Ends:
		return "ends"
	case Expects:
		return "expects another demand"
	case Unknown:
		return "does not look further ahead, so its floor is not counted from here on"
	default:
		return string(c.Event)
	}
}

// local writes a time in the schedule's zone; with its day if that is not the day of the change there.
func (c Cause) local(t *time.Time, change Change) string {
	zone, err := time.LoadLocation(c.TimeZone)
	if t == nil || err != nil {
		return "an unknown time"
	}
	at := t.In(zone)
	text := clock(at)
	if there := change.Time.In(zone); at.Year() != there.Year() || at.YearDay() != there.YearDay() {
		text = at.Format("Mon 2 Jan ") + text
	}
	return text + " " + c.TimeZone
}
