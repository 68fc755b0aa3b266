// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/screen"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/democlusters/report"
)

// view shows the day on a terminal, or every few seconds as a line.
type view struct {
	out      *os.File
	terminal *screen.Terminal // nil: lines
	good, warn, bad,
	faint, strong lipgloss.Style
	told int           // how many of the news were shown as lines
	next time.Duration // when the next line is due
}

// lineEvery is the time between two lines.
const lineEvery = 5 * time.Second

func newView(out *os.File) *view {
	r := lipgloss.NewRenderer(out)
	coloured := func(light, dark string) lipgloss.Style {
		return r.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: light, Dark: dark})
	}
	return &view{
		out: out, terminal: screen.NewTerminal(out),
		good: coloured("65", "108"), warn: coloured("136", "179"), bad: coloured("124", "209").Bold(true), faint: coloured("246", "240"), strong: r.NewStyle().Bold(true),
	}
}

func (v *view) open() {
	if v.terminal != nil {
		v.terminal.Enter()
	}
}

func (v *view) close() {
	if v.terminal != nil {
		v.terminal.Leave()
	}
}

// show shows an observation.
func (v *view) show(o *observation, n *news, p plot, hub string) {
	if v.terminal != nil {
		width, height := v.terminal.Size()
		v.terminal.Show(v.frame(o, n, p, hub, size{width, height}))
		return
	}
	for ; v.told < len(n.lines); v.told++ {
		fmt.Fprintln(v.out, n.lines[v.told])
	}
	if o.At >= v.next {
		v.next = o.At - o.At%lineEvery + lineEvery
		fmt.Fprintln(v.out, line(o))
	}
}

// cpu is thousandths as cores.
func cpu(thousandths int) float64 { return float64(thousandths) / 1000 }

// line is an observation in one line.
func line(o *observation) string {
	parts := []string{fmt.Sprintf("%5s  users %d, asked for %d", report.Clock(o.At), o.Users, o.Desired)}
	for _, name := range names() {
		m := o.Members[name]
		if !m.Answers {
			parts = append(parts, name+" no answer")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %d/%d reserve %.1f", name, m.Ready, m.Replicas, cpu(m.Room)))
	}
	return strings.Join(append(parts, fmt.Sprintf("alone %d/%d", o.Alone.Ready, o.Alone.Desired)), " | ")
}

type size struct{ width, height int }

// frame fills a terminal. Its lines are cut, not wrapped.
func (v *view) frame(o *observation, n *news, p plot, hub string, s size) string {
	rows := []string{
		v.strong.Render("PLIMSOLL  one shop in three clusters") + "   " + report.Clock(o.At) + " of " + report.Clock(p.length) + "   " + p.phase(o.At, lost),
		"",
		fmt.Sprintf("users %d   the hub's HPA asks for %s   %s (%s)", o.Users, v.strong.Render(fmt.Sprint(o.Desired)), "FederatedScale "+shop, o.said),
		"",
		v.faint.Render(fmt.Sprintf("%-9s%-9s%6s%10s%7s%7s%9s", "CLUSTER", "STATE", "NODES", "REPLICAS", "READY", "SHARE", "RESERVE") + "  # Ready  . starting  + reserve, in cores"),
	}
	for _, name := range names() {
		rows = append(rows, v.row(name, o.Members[name]))
	}
	rows = append(rows,
		v.faint.Render(fmt.Sprintf("%-9s%-9s%6s%10d%7d%7s%9s  in the hub, nothing is held for it", "alone", "-", "", o.Alone.Desired, o.Alone.Ready, "", "none")),
		"",
	)
	room := max(s.height-len(rows)-2, 1)
	rows = append(rows, n.lines[max(0, len(n.lines)-room):]...)
	rows = append(rows, "", v.faint.Render("export KUBECONFIG="+hub))
	cut := lipgloss.NewStyle().MaxWidth(s.width)
	for i := range rows {
		rows[i] = cut.Render(rows[i])
	}
	return strings.Join(rows[:min(len(rows), s.height)], "\n")
}

func (v *view) row(name string, m report.Member) string {
	state := v.good
	switch m.State {
	case "Suspect":
		state = v.warn
	case "Failed":
		state = v.bad
	}
	if !m.Answers {
		return fmt.Sprintf("%-9s%s%s", name, state.Render(fmt.Sprintf("%-9s", m.State)), v.bad.Render("  no answer"))
	}
	bar := v.good.Render(strings.Repeat("#", m.Ready)) + v.faint.Render(strings.Repeat(".", max(m.Replicas-m.Ready, 0))) + v.warn.Render(strings.Repeat("+", m.Room/1000))
	return fmt.Sprintf("%-9s%s%6d%10d%7d%7d%9.1f  %s", name, state.Render(fmt.Sprintf("%-9s", m.State)), m.Nodes, m.Replicas, m.Ready, m.Goal, cpu(m.Room), bar)
}
