// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// WriteJSON writes the plan for programs.
func (r Result) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteTable writes the plan for people.
func (r Result) WriteTable(out io.Writer) error {
	fmt.Fprintf(out, "%s, %s to %s (the second half of the history), a point every %s\n", r.Trace,
		r.From.Format("2006-01-02 15:04"), r.To.Format("2006-01-02 15:04"), r.Step)
	fmt.Fprintf(out, "A replica serves %s and starts in %s; the HPA gives it %s.\n\n", human.Number(r.Capacity), r.Startup, human.Number(r.Target))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	headings, _ := r.columns()
	wide := 0
	for _, o := range r.Policies {
		wide = max(wide, len(o.Name))
	}
	headings[0] = fmt.Sprintf("%-*s", wide, headings[0])
	fmt.Fprintln(w, strings.Join(headings, "\t")+"\t")
	for i := range r.Policies {
		_, cells := r.columns(i)
		cells[0] = fmt.Sprintf("%-*s", wide, cells[0])
		fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe forecast %s ahead: error %s of the demand, where the last value has %s; %s of the outcomes were under its bound for %s (%s of the tenth with most demand).\n",
		r.Lead, share(r.WAPE), share(r.WAPENaive), share(r.Coverage), share(r.Quantile), share(r.CoverageTopDecile))
	for _, note := range r.Notes {
		fmt.Fprintln(out, "Note: "+note+".")
	}
	_, err := fmt.Fprintln(out, "\n"+r.Recommendation.Reason)
	return err
}

// columns are the headings, and the cells of one policy.
func (r Result) columns(of ...int) (headings, cells []string) {
	headings = []string{"POLICY", "UNSERVED", "SHORT", "WORST HOUR", "DEFICIENT", "EXCESS", "REPLICA-HOURS", "PEAK", "SCALINGS"}
	priced := len(r.Policies) > 0 && r.Policies[0].Cost != nil
	if priced {
		headings = append(headings, "COST", "PER AVOIDED MINUTE")
	}
	if len(of) == 0 {
		return headings, nil
	}
	o := r.Policies[of[0]]
	cells = []string{
		o.Name, fmt.Sprintf("%.3f %%", o.UnservedShare*100), minutes(o.ShortMinutes),
		human.Number(o.WorstHour), human.Number(o.DeficientReplicaMinutes), human.Number(o.ExcessReplicaMinutes),
		human.Number(o.ReplicaHours), human.Count(int(o.PeakReplicas)), human.Count(o.ScaleEvents),
	}
	if priced {
		avoided := "-"
		if o.CostPerAvoidedMinute != nil {
			avoided = money(*o.CostPerAvoidedMinute)
		}
		cells = append(cells, money(*o.Cost), avoided)
	}
	return headings, cells
}

func share(v float64) string { return fmt.Sprintf("%.2f %%", v*100) }

func money(v float64) string { return fmt.Sprintf("%.2f", v) }

func minutes(v float64) string {
	if v == 0 {
		return "0"
	}
	return human.Age(time.Duration(v * float64(time.Minute)).Round(time.Second))
}
