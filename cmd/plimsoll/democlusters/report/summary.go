// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Clock writes a time since the day began as 2:05.
func Clock(t time.Duration) string {
	if t < 0 {
		return "never"
	}
	return fmt.Sprintf("%d:%02d", int(t.Minutes()), int(t.Seconds())%60)
}

// Seconds writes a duration as 12.5 s.
func Seconds(d time.Duration) string {
	if d < 0 {
		return "never"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Summary is the end of the demo, in words and numbers.
func (r *Result) Summary() string {
	var b strings.Builder
	run := r.Run
	fmt.Fprintf(&b, "%s died at %s with %d Ready replicas (figures are from the API servers, asked every %s)\n\n", run.Lost, Clock(run.Died), r.Moved, run.Every)
	r.failoverTable(&b)
	fmt.Fprintf(&b, "\nReady in the survivors: %d when it died, never fewer than %d until the replacements were Ready%s\n", r.Before, r.Lowest, word(r.Fell, ": THEY FELL", ""))
	r.demand(&b)
	r.failbackTable(&b)
	r.surgeTable(&b)
	fmt.Fprint(&b, "\nDefaults: asked every 10 s, Failed after 30 s of failures, moved 60 s after it stopped being Healthy, Healthy again after 60 s.\n")
	fmt.Fprintf(&b, "Shortened: failover.returnAfter is %s instead of 5m. Pods take %s to be Ready, new nodes %s to come.\n", run.ReturnAfter, run.PodDelay, run.NodeDelay)
	return b.String()
}

func word(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func table(b *strings.Builder, rows ...[]string) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
	}
	_ = w.Flush() // into memory
}

func (r *Result) failoverTable(b *strings.Builder) {
	since := func(t, from time.Duration) string {
		if t < 0 || from < 0 {
			return "-"
		}
		return "+" + Seconds(t-from)
	}
	row := func(what string, at time.Duration) []string {
		return []string{what, Clock(at), since(at, r.Run.Died), since(at, r.Failed)}
	}
	blank := func(row []string) []string { row[3] = ""; return row }
	rows := [][]string{
		{"FAILOVER", "AT", "SINCE ITS DEATH", "SINCE THE DECLARATION"},
		{"last answer", Clock(r.LastAnswer), "", ""},
		{"all its processes are killed", Clock(r.Run.Died), "", ""},
		blank(row("detection: Suspect, nothing is lowered", r.Suspect)),
		blank(row("declaration: Failed", r.Failed)),
		row("placement: its share is written elsewhere", r.Placed),
		row("Ready: as many as were asked for", r.Ready),
	}
	table(b, rows...)
}

// demand says how far what was Ready was behind what was asked for.
func (r *Result) demand(b *strings.Builder) {
	if len(r.Run.Samples) == 0 {
		return
	}
	last := &r.Run.Samples[len(r.Run.Samples)-1]
	fmt.Fprintf(b, "Fewer Ready than asked for: by up to %d for %s of the failover; by up to %d for %s of all other time\n",
		r.Failing.Most, Seconds(r.Failing.For), r.Starting.Most, Seconds(r.Starting.For))
	fmt.Fprintf(b, "At the end %d users, %d replicas asked for, %d Ready\n", last.Users, last.Desired, last.ready(""))
}

func (r *Result) failbackTable(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s came back at %s, was Healthy at %s, and had its share at %s\n\n", r.Run.Lost, Clock(r.Run.Back), Clock(r.Healthy), Clock(r.Returned))
	rows := [][]string{append(append([]string{"FAIL-BACK"}, r.Run.Names...), "READY IN ALL")}
	for _, step := range r.Steps {
		row := []string{Clock(step.At)}
		for _, name := range r.Run.Names {
			if step.Replicas[name] < 0 {
				row = append(row, "-")
				continue
			}
			row = append(row, fmt.Sprint(step.Replicas[name]))
		}
		rows = append(rows, append(row, fmt.Sprint(step.Ready)))
	}
	table(b, rows...)
	if r.Margin < 0 {
		fmt.Fprintf(b, "\nTHERE WAS A DIP: %d Ready replicas less than asked for\n", -r.Margin)
		return
	}
	fmt.Fprint(b, "\nFrom the failover to the end, Ready never fell below what was asked for\n")
}

func (r *Result) surgeTable(b *strings.Builder) {
	if r.Run.Surge <= 0 {
		return
	}
	fmt.Fprintf(b, "\nA fifth more users came at %s, to the divided shop and to one on nodes without a reserve\n\n", Clock(r.Run.Surge))
	row := func(what string, w Wait, room string) []string {
		return []string{what, fmt.Sprintf("%d to %d", w.From, w.To), room, Seconds(w.Took())}
	}
	table(b,
		[]string{"SURGE", "REPLICAS", "RESERVE", "FROM THE HPA'S DECISION TO READY"},
		row("with Headroom", r.Reserved, fmt.Sprintf("%.1f cpu", float64(r.Room)/1000)),
		row("without", r.Alone, "none"),
	)
}
