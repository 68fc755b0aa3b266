// SPDX-License-Identifier: Apache-2.0

package clusters

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// ExplanationText writes it for people.
func ExplanationText(e Explanation, v View) string {
	b := &strings.Builder{}
	what := "replicas"
	if e.Divide == "Bounds" {
		what = "replicas of minReplicas"
	}
	headline := fmt.Sprintf("federatedscale/%s in %s: %d %s of %s asked for, %d divided over %s, %d Ready", e.Name, e.Namespace, e.Asked, what,
		or(e.Target, "an invalid target"), e.Divided, human.Things(len(e.Clusters), "cluster"), e.Ready)
	if e.Mode != "Enforce" {
		headline += "; mode is Observe, so nothing is written"
	}
	human.Wrap(b, "", headline+".", v.Width)
	if e.Reason != "Divided" && e.Message != "" {
		fmt.Fprintln(b)
		human.Wrap(b, e.Reason+": ", e.Message, v.Width)
	}
	if len(e.Clusters) > 0 {
		fmt.Fprintln(b)
		w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
		fmt.Fprintln(w, "CLUSTER\tSTATE\tWEIGHT\tEXACT SHARE\tGOAL\tREADY\tWHY")
		for _, c := range e.Clusters {
			fmt.Fprintf(w, "%s\t%s\t%d\t%.1f\t%d\t%d/%d\t%s\n", c.Cluster, or(c.State, "unknown"), c.Weight, c.Quota, c.Goal, c.Ready, c.Replicas, c.Why)
		}
		_ = w.Flush() // into memory
		fmt.Fprintln(b)
		human.Wrap(b, "", "The weight is how many replicas the cluster could hold, those counted that it has. Each cluster gets its minimum, then seats go one by one to the largest weight / (2 x seats + 1).", v.Width)
	}
	for i, by := range e.AskedBy {
		if i == 0 {
			fmt.Fprintln(b, "\nAsked for by")
		}
		human.Wrap(b, "  ", by, v.Width)
	}
	if len(e.AskedBy) == 0 {
		fmt.Fprintf(b, "\nAsked for by spec.replicas: no HPA and no ScaleSchedule of the hub names it.\n")
	}
	for i, n := range e.Notes {
		if i == 0 {
			fmt.Fprintln(b, "\nGoing on")
		}
		human.Wrap(b, "  ", n, v.Width)
	}
	return b.String()
}
