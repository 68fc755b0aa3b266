// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
	"github.com/plimsoll/plimsoll/policy/bounds"
)

// rows is how many lines of a day the summary shows.
const rows = 13

// Summary writes the day and what it showed, both shops side by side. With judged, its last line is the verdict.
func (c Comparison) Summary(judged bool) string {
	if len(c.Alone.Samples) == 0 || len(c.Planned.Samples) == 0 {
		return "Nothing was observed.\n"
	}
	var b strings.Builder
	c.day(&b)
	b.WriteString("\n")
	c.figures(&b)
	b.WriteString("\n")
	c.floors(&b)
	if judged {
		b.WriteString("\n" + c.sentence() + "\n")
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ") // what the tables have filled up
	}
	return strings.Join(lines, "\n")
}

// day is the table of the day: both shops at the same moments.
func (c Comparison) day(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 7, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "TIME\tUSERS\tNEED\tREADY\tSHORT\t|\tREADY\tSHORT\tFLOOR\t ")
	planned := c.Planned.Samples
	for _, s := range pick(c.Alone.Samples, rows) {
		p := planned[nearest(planned, s.At)]
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%d\t%s\t|\t%d\t%s\t%d\t%s\n", Clock(s.At), human.Count(s.Users), math.Ceil(c.Target.Need(s.Users)),
			s.Ready, shortOf(c.Target, s), p.Ready, shortOf(c.Target, p), p.Floor, "  "+By(p.FloorBy))
	}
	_ = w.Flush() // writes to memory
}

func nearest(samples []Sample, at time.Duration) int {
	i, _ := slices.BinarySearchFunc(samples, at, func(s Sample, at time.Duration) int { return int(s.At - at) })
	return min(i, len(samples)-1)
}

// shortOf is how many users the pods of a sample cannot serve; "" for none.
func shortOf(t Target, s Sample) string {
	if missing := t.Shortfall(s); missing > 0 {
		return human.Count(int(math.Ceil(missing)))
	}
	return "-"
}

// By names a source of a floor in one word.
func By(by bounds.Source) string { return wordOf(kindOf(by)) }

func wordOf(kind string) string {
	switch kind {
	case bounds.KindSchedule:
		return "schedule"
	case bounds.KindForecast:
		return "forecast"
	case bounds.KindOverride:
		return "override"
	}
	return "base"
}

// figures is the table of what the day came to.
func (c Comparison) figures(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	row := func(name, alone, planned, note string) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, alone, planned, note)
	}
	a, p := c.alone, c.planned
	va, vp := Judge(c.Alone.Samples, c.Target), Judge(c.Planned.Samples, c.Target)
	row("", c.Alone.Name, c.Planned.Name, "")
	row("Short of capacity", seconds(a.Short)+shareOf(a.Short, a.Observed), seconds(p.Short)+shareOf(p.Short, p.Observed), c.lessTime())
	row("Worst shortfall", worst(a), worst(p), fmt.Sprintf("users, at %s a pod", human.Number(c.Target.Capacity)))
	row("Orders waiting", human.Count(a.MostWaiting), human.Count(p.MostWaiting), "at most")
	row("Pods ready", human.Count(a.MostReady), human.Count(p.MostReady), fmt.Sprintf("at most; %.0f needed", math.Ceil(c.Target.Need(a.MostUsers))))
	row("Replica-hours", hours(a.ReplicaHours), hours(p.ReplicaHours), moreCost(a, p))
	row("Pods come", delayOf(va.Rise), delayOf(vp.Rise), "the users (median)")
	row("Pods go", delayOf(va.Fall), delayOf(vp.Fall), "the users (median)")
	row("Latest pods", seconds(va.Behind), seconds(vp.Behind), seconds(c.Target.AllowedBehind())+" allowed")
	row("Age of values", ages(va), ages(vp), "median, most")
	_ = w.Flush() // writes to memory
}

func ages(v Verdict) string {
	text := WholeSeconds(v.AgeMedian) + ", " + WholeSeconds(v.AgeMost)
	if v.NoValue > 0 {
		text += fmt.Sprintf("; %s without", human.Count(v.NoValue))
	}
	return text
}

func (c Comparison) lessTime() string {
	switch share := c.Share(); {
	case math.IsInf(share, 1):
		return ""
	default:
		return fmt.Sprintf("%.0f %% of it", 100*share)
	}
}

func moreCost(a, p Supply) string {
	if a.ReplicaHours == 0 {
		return ""
	}
	return fmt.Sprintf("%+.0f %%", 100*(p.ReplicaHours/a.ReplicaHours-1))
}

func worst(s Supply) string {
	if s.Worst == 0 {
		return "none"
	}
	return fmt.Sprintf("%s (%.0f %%)", human.Count(int(math.Ceil(s.Worst))), 100*s.WorstShare)
}

func hours(h float64) string { return fmt.Sprintf("%.2f", h) }

func seconds(d time.Duration) string {
	if d < time.Second/2 {
		return "0s"
	}
	return human.Age(d.Round(time.Second))
}

func shareOf(part, whole time.Duration) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.0f %%)", 100*float64(part)/float64(whole))
}

// floors is who held the floor, and for how long a pod starts.
func (c Comparison) floors(b *strings.Builder) {
	p := c.planned
	var parts []string
	for _, kind := range []string{bounds.KindForecast, bounds.KindSchedule, bounds.KindOverride, bounds.KindBase} {
		parts = append(parts, fmt.Sprintf("%s %.0f %%", wordOf(kind), 100*float64(p.FloorBy[kind])/max(1, float64(p.Observed))))
	}
	fmt.Fprintf(b, "Floor held by   %s of the day\n", strings.Join(parts, ", "))
	if c.Lead > 0 {
		fmt.Fprintf(b, "Lead time       %s measured: a pod's start of %s, and the HPA's period\n", seconds(c.Lead), seconds(c.Target.Startup))
	} else {
		fmt.Fprintf(b, "Lead time       not measured; pods start in %s\n", seconds(c.Target.Startup))
	}
}

func (c Comparison) sentence() string {
	reasons := c.Reasons()
	if len(reasons) > 0 {
		return "The day did not show what it should:\n- " + strings.Join(reasons, "\n- ")
	}
	if c.Untaught {
		return "Both HPAs followed the users. The forecast knew no earlier day, so that it is not\njudged how much it helped."
	}
	if c.planned.Short == 0 {
		return "Both HPAs followed the users. With schedule, forecast and override the shop was\nnever short of capacity."
	}
	return fmt.Sprintf("Both HPAs followed the users. With schedule, forecast and override the shop was\nshort of capacity for %s instead of %s.",
		seconds(c.planned.Short), seconds(c.alone.Short))
}

func delayOf(d *time.Duration) string {
	switch {
	case d == nil:
		return "unknown"
	case *d < 0:
		return human.Age(-*d) + " before"
	}
	return human.Age(*d) + " after"
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
