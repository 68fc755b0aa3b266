// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// line is one statement. The first thing that is wrong stays in err, and everything read after it is zero, so that a
// statement is checked once, at its end.
type line struct {
	number int
	words  []string
	err    error
}

// split cuts a line into words. Double quotes keep spaces together; # begins a comment.
func split(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, open := false, false
	flush := func() {
		if open {
			words = append(words, word.String())
			word.Reset()
			open = false
		}
	}
	for _, r := range text {
		switch {
		case r == '"':
			quoted, open = !quoted, true
		case quoted:
			word.WriteRune(r)
		case r == '#':
			flush()
			return words, nil
		case r == ' ' || r == '\t' || r == '\r':
			flush()
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed")
	}
	flush()
	return words, nil
}

func (l *line) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// more says whether there are words left to read.
func (l *line) more() bool { return l.err == nil && len(l.words) > 0 }

// word takes the next word; what names it in an error.
func (l *line) word(what string) string {
	if l.err != nil {
		return ""
	}
	if len(l.words) == 0 {
		l.fail("%s is missing at the end of the line", what)
		return ""
	}
	w := l.words[0]
	l.words = l.words[1:]
	return w
}

// accept takes the next word if it is this one.
func (l *line) accept(word string) bool {
	if !l.more() || l.words[0] != word {
		return false
	}
	l.words = l.words[1:]
	return true
}

// oneOf takes a word of a closed set.
func (l *line) oneOf(what string, allowed ...string) string {
	w := l.word(what)
	if l.err == nil && !slices.Contains(allowed, w) {
		l.fail("%s %q is not one of %s", what, w, strings.Join(allowed, ", "))
	}
	return w
}

func (l *line) float(what string) float64 {
	w := l.word(what)
	if l.err != nil {
		return 0
	}
	v, err := strconv.ParseFloat(w, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		l.fail("%s %q is not a number", what, w)
		return 0
	}
	return v
}

// count takes a whole number that is not negative and fits an int32.
func (l *line) count(what string) int32 {
	w := l.word(what)
	if l.err != nil {
		return 0
	}
	v, err := strconv.ParseInt(w, 10, 32)
	if err != nil || v < 0 {
		l.fail("%s %q is not a whole number of 0 or more", what, w)
		return 0
	}
	return int32(v)
}

func (l *line) duration(what string) time.Duration {
	w := l.word(what)
	if l.err != nil {
		return 0
	}
	d, err := parseDuration(w)
	if err != nil {
		l.fail("%s %q is not a duration such as 90s, 1h30m or 2d", what, w)
	}
	return d
}

// longest is the longest time that a scenario can name.
const longest = 366 * 24 * time.Hour

func parseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(min(max(n, -1), 1000) * float64(24*time.Hour))
	}
	if err != nil {
		return 0, err
	}
	if d < 0 || d > longest {
		return 0, fmt.Errorf("it is not between 0 and %s", longest)
	}
	return d, nil
}

// span is from..to, counted from the start.
type span struct{ from, to time.Duration }

func (l *line) span(what string) span {
	w := l.word(what)
	if l.err != nil {
		return span{}
	}
	from, to, ok := strings.Cut(w, "..")
	a, errA := parseDuration(from)
	b, errB := parseDuration(to)
	if !ok || errA != nil || errB != nil || b <= a {
		l.fail("%s %q is not a span such as 30m..2h", what, w)
	}
	return span{a, b}
}

// end checks that nothing is left over.
func (l *line) end() error {
	if l.err == nil && len(l.words) > 0 {
		l.fail("%q is not understood here", l.words[0])
	}
	return l.err
}
