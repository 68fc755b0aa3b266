// SPDX-License-Identifier: Apache-2.0

package human

import (
	"strings"
	"unicode/utf8"
)

// leastText is how many characters of text a line has at least, however narrow it is.
const leastText = 20

// Wrap writes text after a prefix, broken between words at width characters; further lines are indented as far as the
// prefix goes.
func Wrap(b *strings.Builder, prefix, text string, width int) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(prefix))
	room := max(width-len(indent), leastText)
	line, length := prefix, 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if length > 0 && length+1+n > room {
			b.WriteString(line + "\n")
			line, length = indent, 0
		}
		if length > 0 {
			line, length = line+" ", length+1
		}
		line, length = line+word, length+n
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
