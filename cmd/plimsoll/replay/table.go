// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteTable writes the comparisons for people, with every difference.
func WriteTable(out io.Writer, r Recording, list []Comparison) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "REPLAYED\tLOOKS OF THE HPA\tAGREE\tAT ONCE\n")
	for _, c := range list {
		fmt.Fprintf(w, "%s\t%d\t%d (%.0f %%)\t%d\n", c.Name, c.Looks, c.Agree, 100*c.Share(), c.Same)
	}
	fmt.Fprintf(w, "\nA look agrees if the cluster had the replayed count at some moment within one period of the HPA before or after it\n"+
		"(%s, and %s because its pods were counted that often); at once, if the HPA set that count at this very look.\n", time.Duration(r.Settings.Sync), counted)
	for _, c := range list {
		if len(c.Differences) == 0 {
			continue
		}
		fmt.Fprintf(w, "\nDIFFERENCES: %s\n  TIME\tREAL\tREPLAYED\tAGREES\tBECAUSE\n", c.Name)
		for _, d := range c.Differences {
			agrees := "no"
			if d.Agrees {
				agrees = "yes"
			}
			fmt.Fprintf(w, "  %s\t%d\t%d\t%s\t%s\n", clock(d.Time.Sub(r.Settings.From)), d.Real, d.Replayed, agrees, d.Because)
		}
	}
	return w.Flush()
}

// WriteJSON writes the comparisons for programs.
func WriteJSON(out io.Writer, list []Comparison) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(list)
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%04.1f", int(d.Minutes()), (d % time.Minute).Seconds())
}
