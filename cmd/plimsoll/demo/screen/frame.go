// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/report"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

// Panel is one shop.
type Panel struct {
	report.Run               // the samples in the order of their times; the last one is now
	Said       string        // what the HPA said last
	SaidAge    time.Duration // since then
	Problem    bool          // whether that is a problem
}

func (p Panel) now() report.Sample {
	if len(p.Samples) == 0 {
		return report.Sample{}
	}
	return p.Samples[len(p.Samples)-1]
}

// View is what a frame shows.
type View struct {
	Alone, Planned Panel
	Target         report.Target
	Day            time.Duration // the length of a day: what the charts span
	Ends           bool          // whether the demo ends after one day
	Phase          string        // of the day: "morning rise"
	Peak           float64       // the most users of a day: the charts' scale
	Forecast       string        // what the forecast says of itself
	Lead           time.Duration // how far ahead it looks, if that is measured
	News           string        // what people did last
	Kubeconfig     string
	Source         string // where the numbers come from: "the adapter's embedded engine"
}

const (
	margin      = "  "
	labelColumn = 16 // width of the labels beside charts and values
	// fixedLines are all lines of a frame but the charts'.
	fixedLines = 15
)

// Frame draws the view into at most height lines of at most width cells.
func Frame(v View, width, height int, s Style) string {
	rows := max(1, min(8, (height-fixedLines)/3))
	lines := []string{"", v.title(width, s), ""}
	lines = append(lines, v.usersChart(width, rows, s)...)
	lines = append(lines, "")
	lines = append(lines, v.podsChart(v.Alone, width, rows, s)...)
	lines = append(lines, "")
	lines = append(lines, v.podsChart(v.Planned, width, rows, s)...)
	lines = append(lines, "")
	lines = append(lines, v.facts(width, s)...)
	lines = append(lines, "")
	lines = append(lines, v.commands(s)...)
	if len(lines) > height {
		lines = lines[:max(0, height)]
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(ansi.Truncate(line, max(1, width), "…"), " ")
	}
	return strings.Join(lines, "\n")
}

func (v View) title(width int, s Style) string {
	left := margin + s.title.Render("Plimsoll") + s.label.Render("  the same day twice")
	clock := report.Clock(v.Alone.now().At)
	if v.Ends {
		clock += " of " + report.Clock(v.Day)
	}
	right := s.label.Render(v.Phase+"  ") + s.value.Render(clock) + margin
	gap := max(1, width-lipgloss.Width(left)-lipgloss.Width(right))
	return left + strings.Repeat(" ", gap) + right
}

// The charts have one scale, users per pod being what the HPA keeps: where pods follow, they look alike.

func (v View) usersChart(width, rows int, s Style) []string {
	users := func(x report.Sample) float64 { return float64(x.Users) / v.Target.PerPod }
	return v.beside(v.drawn(v.Alone.Samples, width, rows, users), s.users.Render, s.label.Render("users"), s.value.Render(human.Count(v.Alone.now().Users)))
}

// podsChart draws a shop's Ready pods, and below them when they were too few.
func (v View) podsChart(p Panel, width, rows int, s Style) []string {
	ready := func(x report.Sample) float64 { return float64(x.Ready) }
	short := func(x report.Sample) float64 {
		if v.Target.Shortfall(x) > 0 {
			return 1
		}
		return 0
	}
	now := p.now()
	lines := v.beside(v.drawn(p.Samples, width, rows, ready), s.replicas.Render, s.value.Render(p.Name),
		s.label.Render(fmt.Sprintf("%d Ready of %.0f", now.Ready, math.Ceil(v.Target.Need(now.Users)))))
	marks := strings.Builder{}
	for _, x := range v.spread(p.Samples, width, short) {
		if x > 0 {
			marks.WriteRune('━')
		} else {
			marks.WriteRune(' ')
		}
	}
	style := s.label
	if v.Target.Shortfall(now) > 0 {
		style = s.problem
	}
	total := "never short"
	if supply := report.Measure(p.Samples, v.Target); supply.Short > 0 {
		total = "short " + human.Age(supply.Short.Round(time.Second))
	}
	return append(lines, margin+style.Render(pad(total, labelColumn))+s.problem.Render(marks.String()))
}

func (v View) spread(samples []report.Sample, width int, value func(report.Sample) float64) []float64 {
	from := time.Duration(0)
	if n := len(samples); n > 0 && !v.Ends {
		from = max(0, samples[n-1].At-v.Day)
	}
	return spread(samples, from, v.Day, max(1, width-len(margin)-labelColumn-2), value)
}

func (v View) drawn(samples []report.Sample, width, rows int, value func(report.Sample) float64) []string {
	return chart(v.spread(samples, width, value), v.scale(), rows)
}

// beside puts labels at the left of a chart, one in a row; with a single row the labels share it.
func (v View) beside(drawn []string, render func(...string) string, labels ...string) []string {
	if len(drawn) == 1 {
		labels = []string{strings.Join(labels, " ")}
	}
	lines := make([]string, len(drawn))
	for i := range lines {
		label := ""
		if i < len(labels) {
			label = labels[i]
		}
		lines[i] = margin + pad(ansi.Truncate(label, labelColumn-1, "…"), labelColumn) + render(drawn[i])
	}
	return lines
}

// scale is how many replicas fill a chart.
func (v View) scale() float64 {
	most := v.Peak / v.Target.PerPod
	for _, s := range v.Planned.Samples {
		most = math.Max(most, float64(s.Ready))
	}
	for _, s := range v.Alone.Samples {
		most = math.Max(most, float64(s.Ready))
	}
	return most * 1.05
}

// facts are what holds the floor, and what was done last; four lines.
func (v View) facts(width int, s Style) []string {
	now := v.Planned.now()
	room := max(10, width-len(margin)-labelColumn)
	fact := func(label, text string, style lipgloss.Style) string {
		return margin + s.label.Render(pad(label, labelColumn)) + style.Render(ansi.Truncate(text, room, "…"))
	}
	plain := s.value.Bold(false)
	floor := fmt.Sprintf("%d, the HPA's own", now.Floor)
	if now.FloorBy.Kind != "" && report.By(now.FloorBy) != "base" {
		floor = fmt.Sprintf("%d, held by %s (its own: %d)", now.Floor, now.FloorBy, v.Target.Min)
	}
	forecast := v.Forecast
	if v.Lead > 0 {
		forecast = "looks " + human.Age(v.Lead) + " ahead, as long as pods take by its measurement"
	}
	lines := []string{fact("minReplicas", floor, s.value), fact("forecast", forecast, plain)}
	for _, p := range []Panel{v.Alone, v.Planned} {
		if p.Problem {
			return append(lines, fact(p.Name, p.Said, s.problem), "")
		}
	}
	return append(lines, v.news(room, s)...)
}

// news is in two lines at most.
func (v View) news(room int, s Style) []string {
	text := v.News
	if text == "" {
		text = "have entered the evening's sale as a ScaleSchedule"
	}
	wrapped := strings.Split(ansi.Wrap(text, room, ""), "\n")
	lines := make([]string, 2)
	for i := range lines {
		label, line := "", ""
		if i == 0 {
			label = "people"
		}
		if i < len(wrapped) {
			line = wrapped[i]
		}
		if i == 1 && len(wrapped) > 2 {
			line = ansi.Truncate(line+" "+wrapped[2], room, "…")
		}
		lines[i] = margin + s.label.Render(pad(label, labelColumn)) + line
	}
	return lines
}

func (v View) commands(s Style) []string {
	return []string{
		margin + s.faint.Render("export KUBECONFIG=") + v.Kubeconfig,
		margin + "plimsoll explain hpa/shop -n shop-planned" + s.faint.Render("   Ctrl-C ends everything"),
	}
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-lipgloss.Width(text)))
}

// Line is the view in one line, for outputs that are not terminals.
func Line(v View) string {
	if len(v.Alone.Samples) == 0 || len(v.Planned.Samples) == 0 {
		return ""
	}
	a, p := v.Alone.now(), v.Planned.now()
	text := fmt.Sprintf("%5s  %-12s  users %5s  need %2.0f | %s: %2d ready%s | %s: %2d ready%s  floor %2d by %s",
		report.Clock(a.At), v.Phase, human.Count(a.Users), math.Ceil(v.Target.Need(a.Users)),
		v.Alone.Name, a.Ready, v.short(a), v.Planned.Name, p.Ready, v.short(p), p.Floor, report.By(p.FloorBy))
	for _, panel := range []Panel{v.Alone, v.Planned} {
		if panel.Problem {
			text += "  " + panel.Name + ": " + panel.Said
		}
	}
	return text
}

// short marks a sample with too few pods; both forms are as wide.
func (v View) short(s report.Sample) string {
	if v.Target.Shortfall(s) > 0 {
		return " SHORT"
	}
	return "      "
}
