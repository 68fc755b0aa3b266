// SPDX-License-Identifier: Apache-2.0

// Package screen draws the demo: one frame of a terminal from what was observed. It reads no clock and no cluster.
package screen

import (
	"io"

	"github.com/charmbracelet/lipgloss"
)

// Style is how the parts of a frame look. Colours that the terminal lacks, or that NO_COLOR forbids, are left out.
type Style struct {
	title, label, value, faint, users, replicas, problem lipgloss.Style
}

// NewStyle makes the style for an output.
func NewStyle(out io.Writer) Style { return styleFor(lipgloss.NewRenderer(out)) }

func styleFor(r *lipgloss.Renderer) Style {
	coloured := func(light, dark string) lipgloss.Style {
		return r.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: light, Dark: dark})
	}
	return Style{
		title:    coloured("24", "117").Bold(true),
		label:    coloured("240", "246"),
		value:    r.NewStyle().Bold(true),
		faint:    coloured("246", "240"),
		users:    coloured("31", "74"),
		replicas: coloured("65", "108"),
		problem:  coloured("124", "209").Bold(true),
	}
}
