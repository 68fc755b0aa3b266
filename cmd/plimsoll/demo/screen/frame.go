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

// View is what a frame shows.
type View struct {
	Samples    []report.Sample // in the order of their times; the last one is now
	Target     report.Target
	Day        time.Duration // the length of a day: what the charts span
	Ends       bool          // whether the demo ends after one day
	Phase      string        // of the day: "morning rise"
	Peak       float64       // the most users of a day: the charts' scale
	Said       string        // what the HPA said last
	SaidAge    time.Duration
	Problem    bool // whether that is a problem
	Kubeconfig string
	Source     string // where the numbers come from: "the adapter's embedded engine"
}

const (
	margin      = "  "
	labelColumn = 16 // width of the labels beside charts and values
	// fixedLines are all lines of a frame but the charts'.
	fixedLines = 15
)

// Frame draws the view into at most height lines of at most width cells.
func Frame(v View, width, height int, s Style) string {
	now := report.Sample{}
	if len(v.Samples) > 0 {
		now = v.Samples[len(v.Samples)-1]
	}
	rows := max(1, min(8, (height-fixedLines)/2))
	lines := []string{"", v.title(now, width, s), ""}
	lines = append(lines, v.usersChart(now, width, rows, s)...)
	lines = append(lines, "")
	lines = append(lines, v.replicasChart(now, width, rows, s)...)
	lines = append(lines, "")
	lines = append(lines, v.facts(now, s)...)
	lines = append(lines, v.said(width, s)...)
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

func (v View) title(now report.Sample, width int, s Style) string {
	left := margin + s.title.Render("Plimsoll") + s.label.Render("  an HPA follows online_users")
	clock := report.Clock(now.At)
	if v.Ends {
		clock += " of " + report.Clock(v.Day)
	}
	right := s.label.Render(v.Phase+"  ") + s.value.Render(clock) + margin
	gap := max(1, width-lipgloss.Width(left)-lipgloss.Width(right))
	return left + strings.Repeat(" ", gap) + right
}

// usersChart and replicasChart have the same scale, users per pod being what the HPA keeps: if it follows, they look
// alike.
func (v View) usersChart(now report.Sample, width, rows int, s Style) []string {
	return v.beside(width, rows, s.users, func(x report.Sample) float64 { return float64(x.Users) / v.Target.PerPod },
		s.label.Render("users"), s.value.Render(human.Count(now.Users)))
}

func (v View) replicasChart(now report.Sample, width, rows int, s Style) []string {
	return v.beside(width, rows, s.replicas, func(x report.Sample) float64 { return float64(x.Ready) },
		s.label.Render("pods ready"), s.value.Render(human.Count(now.Ready)))
}

// beside draws a chart with labels at its left, one in a row; with a single row the labels share it.
func (v View) beside(width, rows int, style lipgloss.Style, value func(report.Sample) float64, labels ...string) []string {
	columns := max(1, width-len(margin)-labelColumn-2)
	length := v.Day
	from := time.Duration(0)
	if n := len(v.Samples); n > 0 && !v.Ends {
		from = max(0, v.Samples[n-1].At-length)
	}
	drawn := chart(spread(v.Samples, from, length, columns, value), v.scale(), rows)
	if rows == 1 {
		labels = []string{strings.Join(labels, " ")}
	}
	lines := make([]string, rows)
	for i := range lines {
		label := ""
		if i < len(labels) {
			label = labels[i]
		}
		lines[i] = margin + pad(label, labelColumn) + style.Render(drawn[i])
	}
	return lines
}

// scale is how many replicas fill a chart.
func (v View) scale() float64 {
	most := v.Peak / v.Target.PerPod
	for _, s := range v.Samples {
		most = math.Max(most, float64(s.Ready))
	}
	return most * 1.05
}

func (v View) facts(now report.Sample, s Style) []string {
	fact := func(label, value, note string) string {
		return margin + s.label.Render(pad(label, labelColumn)) + s.value.Render(pad(value, 8)) + s.faint.Render(note)
	}
	age, note := "none", "the metrics API has no value"
	if now.HasValue {
		age, note = report.WholeSeconds(now.Age), "since it was measured, from "+v.Source
	}
	return []string{
		fact("users per pod", human.Number(math.Round(10*now.PerPod())/10), "the HPA keeps "+human.Number(v.Target.PerPod)),
		fact("pods wanted", human.Count(now.Wanted), fmt.Sprintf("by the HPA, from %d to %d; %s users need %s",
			v.Target.Min, v.Target.Max, human.Count(now.Users), human.Number(math.Ceil(v.Target.Need(now.Users))))),
		fact("age of value", age, note),
		fact("orders waiting", human.Count(now.Waiting), "while there are too few pods"),
	}
}

// said is what the HPA said, in two lines at most.
func (v View) said(width int, s Style) []string {
	text := v.Said
	if text == "" {
		text = "nothing yet"
	}
	if v.SaidAge > 0 {
		text += " (" + human.Age(v.SaidAge.Truncate(time.Second)) + " ago)"
	}
	style := s.value.Bold(false)
	if v.Problem {
		style = s.problem
	}
	room := max(10, width-len(margin)-labelColumn-2)
	wrapped := strings.Split(ansi.Wrap(text, room, ""), "\n")
	lines := make([]string, 2)
	for i := range lines {
		label := ""
		if i == 0 {
			label = "the HPA said"
		}
		line := ""
		if i < len(wrapped) {
			line = wrapped[i]
		}
		if i == 1 && len(wrapped) > 2 {
			line = ansi.Truncate(line+" "+wrapped[2], room, "…")
		}
		lines[i] = margin + s.label.Render(pad(label, labelColumn)) + style.Render(line)
	}
	return lines
}

func (v View) commands(s Style) []string {
	return []string{
		margin + s.faint.Render("export KUBECONFIG=") + v.Kubeconfig,
		margin + "kubectl get hpa,pods -n shop" + s.faint.Render("   or   ") + "plimsoll explain metric shop/online_users",
		margin + s.faint.Render("Ctrl-C ends everything that was started."),
	}
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-lipgloss.Width(text)))
}

// Line is the view in one line, for outputs that are not terminals.
func Line(v View) string {
	if len(v.Samples) == 0 {
		return ""
	}
	now := v.Samples[len(v.Samples)-1]
	age := "none"
	if now.HasValue {
		age = report.WholeSeconds(now.Age)
	}
	return fmt.Sprintf("%5s  %-12s  users %6s  per pod %6s  wanted %2d  ready %2d  waiting %3s  age %4s  %s",
		report.Clock(now.At), v.Phase, human.Count(now.Users), human.Number(math.Round(10*now.PerPod())/10), now.Wanted, now.Ready,
		human.Count(now.Waiting), age, v.Said)
}
