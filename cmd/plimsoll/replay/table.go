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
	fmt.Fprintf(w, "REPLAYED\tLOOKS OF THE HPA\tAGREE\tVALUES' AGE\n")
	for _, c := range list {
		fmt.Fprintf(w, "%s\t%d\t%d (%.0f %%)\t%.1fs\n", c.Name, c.Syncs, c.Agree, 100*c.Share(), time.Duration(c.SampleDelay).Seconds())
	}
	fmt.Fprintf(w, "\nA look agrees if the cluster had the replayed count, or passed it, within %s, the HPA's period.\nThe values' age at the looks was not recorded; it is the one, among those that were seen, with which most looks agree.\n", time.Duration(r.Settings.Sync))
	for _, c := range list {
		if len(c.Differences) == 0 {
			continue
		}
		fmt.Fprintf(w, "\nDIFFERENCES OF %s\tTIME\tREAL\tREPLAYED\n", c.Name)
		for _, d := range c.Differences {
			counted := fmt.Sprint(d.Least)
			if d.Most != d.Least {
				counted = fmt.Sprintf("%d to %d", d.Least, d.Most)
			}
			fmt.Fprintf(w, "\t%s\t%s\t%d\n", clock(d.Time.Sub(r.Settings.From)), counted, d.Replayed)
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
