// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// Count returns how many checks have a state.
func (r Result) Count(state State) int {
	n := 0
	for _, c := range r.Checks {
		if c.State == state {
			n++
		}
	}
	return n
}

// Conclusion is the answer in one sentence.
func (r Result) Conclusion() string {
	short, unknown := human.Things(r.Count(Short), "check"), human.Things(r.Count(Unknown), "check")
	switch {
	case r.Verdict == Short && r.Count(Unknown) > 0:
		return fmt.Sprintf("it does not fit: %s short, and %s could not be made", isAre(short), unknown)
	case r.Verdict == Short:
		return "it does not fit: " + isAre(short) + " short"
	case r.Verdict == Unknown:
		return fmt.Sprintf("it is not known whether it fits: %s could not be made", unknown)
	}
	return "it fits"
}

func isAre(things string) string {
	if strings.HasPrefix(things, "1 ") {
		return things + " is"
	}
	return things + " are"
}

// WriteTable writes the answer for people, without the Conclusion of one that is not ok.
func (r Result) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WINDOW\tTARGET\tRISES FROM\tFULL FROM\tUNTIL\tFLOOR")
	for _, one := range r.Windows {
		until := clock(one.End)
		if one.Intervals > 1 {
			until += fmt.Sprintf(" (and %d more times)", one.Intervals-1)
		}
		floor := fmt.Sprintf("%d to %d", one.Before, one.Floor)
		if one.Asks != nil && *one.Asks != one.Floor {
			floor += fmt.Sprintf(" (asks for %d)", *one.Asks)
		}
		fmt.Fprintf(w, "%s/%s\t%s\t%s\t%s\t%s\t%s\n", one.Schedule, one.Window, one.Target, clock(one.Rises), clock(one.Full), until, floor)
	}
	fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return err
	}
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHECK\tFOR\tNEED\tHAVE\tWHEN\tSTATE")
	for _, c := range r.Checks {
		when := "-"
		if c.When != nil {
			when = clock(*c.When)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", label(c), c.For, orDash(c.Need), orDash(c.Have), when, shout(c.State))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	r.writeWords(out)
	if r.Verdict != OK {
		return nil // the caller says so as an error
	}
	end := "\nIt fits."
	if slices.ContainsFunc(r.Divisions, func(d Division) bool { return d.Moved > 0 }) {
		end = "\nIt fits, but not as divided: only after replicas have been moved between members."
	}
	_, err := fmt.Fprintln(out, end)
	return err
}

func (r Result) writeWords(out io.Writer) {
	title := "\nWhat to do:\n"
	for _, c := range r.Checks {
		if c.ToDo != "" {
			fmt.Fprintf(out, "%s- %s.\n", title, c.ToDo)
			title = ""
		}
	}
	fmt.Fprintln(out)
	for _, c := range r.Checks {
		if c.Detail != "" {
			fmt.Fprintf(out, "Note: %s, %s: %s.\n", label(c), c.For, c.Detail)
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "Note: %s.\n", note)
	}
}

// label says what Need and Have count.
func label(c Check) string {
	switch c.Check {
	case "nodes":
		return "nodes (new pods)"
	case "quota":
		return "quota (new pods)"
	case "share", "members":
		return c.Check + " (replicas)"
	case "ramp":
		return "ramp (floor)"
	}
	return c.Check
}

// shout makes what is not ok stand out.
func shout(s State) string {
	if s == OK {
		return string(s)
	}
	return strings.ToUpper(string(s))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
