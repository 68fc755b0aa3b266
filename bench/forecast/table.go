// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// Run measures the forecast on the traces in the files and writes the tables for people.
func Run(w io.Writer, files []string) error {
	report, err := Measure(files)
	if err != nil {
		return err
	}
	return report.write(w)
}

// RunJSON does the same and writes the report as JSON.
func RunJSON(w io.Writer, files []string) error {
	report, err := Measure(files)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(report)
}

func (r Report) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "Last half of each trace, strictly in order of time; bound at quantile %.2f; capacity per demand at %.1f %% unserved.\n", r.Quantile, 100*unserved)
	fmt.Fprintln(t, "trace\tlead\tpoints\twape\tnaive\tratio\tcoverage\ttop decile\tspare\treactive\tweek ago\tforecast\tµs/point\t")
	for _, x := range r.Rows {
		ratio := 0.0
		if x.WAPENaive > 0 {
			ratio = x.WAPE / x.WAPENaive
		}
		fmt.Fprintf(t, "%s\t%.0fm\t%d\t%.4f\t%.4f\t%.3f\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\t%.2f\t%.1f\t\n", x.Trace, x.LeadMinutes, x.Points,
			x.WAPE, x.WAPENaive, ratio, x.Coverage, x.CoverageTopDecile, x.Overprovision,
			x.CapacityReactive, x.CapacityWeekAgo, x.CapacityForecast, x.CPUMicrosPerPoint)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nGeometric means (error: wape over the last value's; capacity: the forecast's over the other's)")
	fmt.Fprintln(t, "lead\ttraces\terror\tcoverage\tcapacity/reactive\tcapacity/week ago\t")
	for _, m := range r.Means {
		fmt.Fprintf(t, "%.0fm\t%d\t%.3f\t%.3f-%.3f\t%.3f\t%.3f\t\n", m.LeadMinutes, m.Traces, m.Error, m.LeastCoverage, m.MostCoverage, m.AgainstReactive, m.AgainstWeekAgo)
	}
	return t.Flush()
}
