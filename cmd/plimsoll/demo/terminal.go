// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// terminal shows frames on the alternate screen, so that what was there before comes back.
type terminal struct{ out *os.File }

// newTerminal returns nil if the output is not a terminal.
func newTerminal(out *os.File) *terminal {
	if !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &terminal{out: out}
}

const (
	enter = "\x1b[?1049h\x1b[?25l" // alternate screen, no cursor
	leave = "\x1b[?25h\x1b[?1049l"
	// A frame arrives whole where the terminal knows synchronised updates; others ignore the marks.
	frameStart = "\x1b[?2026h\x1b[H"
	frameEnd   = "\x1b[J\x1b[?2026l"
)

func (t *terminal) enter() { fmt.Fprint(t.out, enter) }
func (t *terminal) leave() { fmt.Fprint(t.out, leave) }

// size is asked before every frame, so that a resized window needs no signal.
func (t *terminal) size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil {
		return 80, 24
	}
	return width, height
}

func (t *terminal) show(frame string) {
	fmt.Fprint(t.out, frameStart+strings.ReplaceAll(frame, "\n", "\x1b[K\r\n")+"\x1b[K"+frameEnd)
}
