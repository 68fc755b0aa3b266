// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"os"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/demo/screen"
)

// display shows views on a terminal, or every few seconds as a line.
type display struct {
	out        *os.File
	terminal   *screen.Terminal // nil: lines
	style      screen.Style
	kubeconfig string
	shown      int
	news       string
}

// lineEvery is how many views there are for each line.
const lineEvery = 5

func newDisplay(out *os.File, kubeconfig string) *display {
	return &display{out: out, terminal: screen.NewTerminal(out), style: screen.NewStyle(out), kubeconfig: kubeconfig}
}

func (d *display) open() {
	// Also on a terminal: the line can still be read there when the view is gone.
	fmt.Fprintf(d.out, "To look around: export KUBECONFIG=%s\n\n", d.kubeconfig)
	if d.terminal != nil {
		d.terminal.Enter()
	}
}

func (d *display) close() {
	if d.terminal != nil {
		d.terminal.Leave()
	}
}

func (d *display) show(v screen.View) {
	if d.terminal != nil {
		width, height := d.terminal.Size()
		d.terminal.Show(screen.Frame(v, width, height, d.style))
		return
	}
	if v.News != d.news {
		d.news = v.News
		fmt.Fprintln(d.out, v.News)
	}
	if d.shown%lineEvery == 0 {
		fmt.Fprintln(d.out, screen.Line(v))
	}
	d.shown++
}
