// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// Terminal shows frames on the alternate screen, so that what was there before comes back.
type Terminal struct{ out *os.File }

// NewTerminal returns nil if the output is not a terminal.
func NewTerminal(out *os.File) *Terminal {
	if !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &Terminal{out: out}
}

const (
	enter = "\x1b[?1049h\x1b[?25l" // alternate screen, no cursor
	leave = "\x1b[?25h\x1b[?1049l"
	// A frame arrives whole where the terminal knows synchronised updates; others ignore the marks.
	frameStart = "\x1b[?2026h\x1b[H"
	frameEnd   = "\x1b[J\x1b[?2026l"
)

// Enter begins to show frames.
func (t *Terminal) Enter() { fmt.Fprint(t.out, enter) }

// Leave shows again what was there before.
func (t *Terminal) Leave() { fmt.Fprint(t.out, leave) }

// Size is the terminal's, 80 by 24 if it is not known. It is asked before every frame, so that a resized window needs no signal.
func (t *Terminal) Size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil {
		return 80, 24
	}
	return width, height
}

// Show shows a frame in the place of the one before.
func (t *Terminal) Show(frame string) {
	fmt.Fprint(t.out, frameStart+strings.ReplaceAll(frame, "\n", "\x1b[K\r\n")+"\x1b[K"+frameEnd)
}
