// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// rows is how many lines of a day the summary shows.
const rows = 13

// Summary writes a table of the day and what it showed. With judged, its last line is the verdict.
func Summary(samples []Sample, t Target, judged bool) string {
	if len(samples) == 0 {
		return "Nothing was observed.\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 9, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "TIME\tUSERS\tPER POD\tWANTED\tREADY\tWAITING\tAGE\t")
	for _, s := range pick(samples, rows) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t\n",
			Clock(s.At), human.Count(s.Users), human.Number(math.Round(10*s.PerPod())/10), s.Wanted, s.Ready, human.Count(s.Waiting), ageOf(s))
	}
	_ = w.Flush() // writes to memory
	v := Judge(samples, t)
	fmt.Fprintf(&b, "\nMost      %s users; %d pods ready of %s needed for %s users each\n",
		human.Count(v.MostUsers), v.MostReady, human.Number(t.Need(v.MostUsers)), human.Number(t.PerPod))
	fmt.Fprintln(&b, "Delay     "+delay(v))
	fmt.Fprintf(&b, "Values    %s old in the median, %s at most; none in %s of %s\n",
		WholeSeconds(v.AgeMedian), WholeSeconds(v.AgeMost), human.Count(v.NoValue), human.Things(len(samples), "observation"))
	fmt.Fprintf(&b, "Orders    at most %s waited\n", human.Count(v.MostWaiting))
	if judged {
		fmt.Fprintln(&b, "\n"+sentence(v))
	}
	return b.String()
}

func sentence(v Verdict) string {
	if v.Followed() {
		return "The HPA followed the users up and down."
	}
	return "The HPA did not follow the users:\n- " + strings.Join(v.Reasons, "\n- ")
}

func delay(v Verdict) string {
	late := fmt.Sprintf("at most %s late, %s allowed", human.Age(v.Behind), human.Age(AllowedBehind))
	if v.Rise == nil || v.Fall == nil {
		return "needs a rise and a fall; " + late
	}
	return fmt.Sprintf("up %s, down %s the users; %s", after(*v.Rise), after(*v.Fall), late)
}

func after(d time.Duration) string {
	if d < 0 {
		return human.Age(-d) + " before"
	}
	return human.Age(d) + " after"
}

func ageOf(s Sample) string {
	if !s.HasValue {
		return "none"
	}
	return WholeSeconds(s.Age)
}

// WholeSeconds writes an age that is known to a second only.
func WholeSeconds(d time.Duration) string {
	if d < time.Second {
		return "<1s"
	}
	return human.Age(d.Truncate(time.Second))
}

// pick returns up to n samples at even distances, with the first and the last.
func pick(samples []Sample, n int) []Sample {
	if len(samples) <= n {
		return samples
	}
	picked := make([]Sample, 0, n)
	for i := range n {
		picked = append(picked, samples[i*(len(samples)-1)/(n-1)])
	}
	return picked
}

// Clock writes a time of the demo's day as minutes and seconds.
func Clock(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
