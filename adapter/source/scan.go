// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	scanBuffer = 64 << 10 // bytes read at once
	maxToken   = 1 << 20  // bytes of one string or number
	maxDepth   = 1000     // nesting of a value that is skipped
)

// errTooLarge says that the answer has more bytes than allowed.
var errTooLarge = errors.New("the answer has too many bytes")

// scanner splits JSON into tokens without holding more than one of them. Slices that it returns are valid until the
// next call. Every error is final.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int   // the unread part of buf
	before   int64 // bytes of the answer that have left buf
	max      int64 // bytes of the answer that are read at most
	scratch  []byte
	readErr  error // what r said; io.EOF included
}

func (s *scanner) reset(r io.Reader, maxBytes int64) {
	if s.buf == nil {
		s.buf = make([]byte, scanBuffer)
	}
	s.r, s.pos, s.end, s.before, s.max, s.readErr = r, 0, 0, 0, maxBytes, nil
}

// fill reads more bytes and keeps those from s.pos on, which move to the front of the buffer.
func (s *scanner) fill() error {
	if s.before+int64(s.end) > s.max {
		return errTooLarge
	}
	if s.readErr != nil {
		return s.ended()
	}
	if s.pos > 0 {
		s.before += int64(s.pos)
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	if s.end == len(s.buf) {
		if s.end >= maxToken {
			return s.malformed("a string or number is longer than 1 MiB")
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.readErr = err
		switch {
		case n > 0:
			return nil
		case err != nil:
			return s.ended()
		}
	}
}

func (s *scanner) ended() error {
	if s.readErr != io.EOF { //nolint:errorlint // a reader ends with io.EOF itself; an error that wraps it is a failure
		return s.readErr
	}
	return fmt.Errorf("it ends after %d bytes, in the middle: %w", s.before+int64(s.end), io.ErrUnexpectedEOF)
}

func (s *scanner) malformed(what string) error {
	return fmt.Errorf("%w: byte %d: %s", ErrBadAnswer, s.before+int64(s.pos), what)
}

// peek returns the next byte that is not white space, without taking it.
func (s *scanner) peek() (byte, error) {
	for {
		for ; s.pos < s.end; s.pos++ {
			switch c := s.buf[s.pos]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c, nil
			}
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// take takes the next byte, which must be c.
func (s *scanner) take(c byte) error {
	if s.pos < s.end && s.buf[s.pos] == c {
		s.pos++
		return nil
	}
	got, err := s.peek()
	if err != nil {
		return err
	}
	if got != c {
		return s.malformed(fmt.Sprintf("%q where %q was expected", got, c))
	}
	s.pos++
	return nil
}

// more takes what separates the elements of an object or array and says whether there is a further one. first is true
// before the first element; end is the closing bracket.
func (s *scanner) more(first bool, end byte) (bool, error) {
	c, err := s.peek()
	switch {
	case err != nil:
		return false, err
	case c == end:
		s.pos++
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, s.malformed(fmt.Sprintf("%q where ',' or %q was expected", c, end))
	}
	s.pos++
	c, err = s.peek()
	if err == nil && c == end {
		return false, s.malformed("a comma before the closing bracket")
	}
	return err == nil, err
}

// key takes an object's key and its colon. The slice is valid until the next call.
func (s *scanner) key() ([]byte, error) {
	k, err := s.str()
	if err != nil {
		return nil, err
	}
	if s.pos < s.end && s.buf[s.pos] == ':' { // the usual case: k stays where it is
		s.pos++
		return k, nil
	}
	s.scratch = append(s.scratch[:0], k...) // taking the colon may move the buffer
	return s.scratch, s.take(':')
}

// plain marks the bytes of a string that stand for themselves.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// str takes a string. The slice is valid until the next call.
func (s *scanner) str() ([]byte, error) {
	if err := s.take('"'); err != nil {
		return nil, err
	}
	for i := s.pos; ; {
		for i < s.end && plain[s.buf[i]] {
			i++
		}
		if i == s.end {
			read := i - s.pos
			if err := s.fill(); err != nil {
				return nil, err
			}
			i = s.pos + read
			continue
		}
		if s.buf[i] != '"' {
			return s.escaped()
		}
		text := s.buf[s.pos:i]
		s.pos = i + 1
		return text, nil
	}
}

// escaped takes the rest of a string that has escapes.
func (s *scanner) escaped() ([]byte, error) {
	s.scratch = s.scratch[:0]
	for {
		if s.pos == s.end {
			if err := s.fill(); err != nil {
				return nil, err
			}
		}
		c := s.buf[s.pos]
		switch {
		case c == '"':
			s.pos++
			return s.scratch, nil
		case c < 0x20:
			return nil, s.malformed("a control character within a string")
		case len(s.scratch) >= maxToken:
			return nil, s.malformed("a string or number is longer than 1 MiB")
		case c != '\\':
			s.scratch = append(s.scratch, c)
			s.pos++
		default:
			if err := s.escape(); err != nil {
				return nil, err
			}
		}
	}
}

var short = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape takes one escape sequence, beginning with the backslash, and appends what it stands for to the scratch.
func (s *scanner) escape() error {
	seq, err := s.ahead(2)
	if err != nil {
		return err
	}
	if c, ok := short[seq[1]]; ok {
		s.scratch = append(s.scratch, c)
		s.pos += 2
		return nil
	}
	if seq, err = s.ahead(6); err != nil {
		return err
	}
	r, ok := hex4(seq)
	if !ok {
		return s.malformed("an escape sequence that JSON does not have")
	}
	s.pos += 6
	if utf16.IsSurrogate(r) {
		r = s.surrogate(r)
	}
	s.scratch = utf8.AppendRune(s.scratch, r)
	return nil
}

// surrogate takes the second half of a surrogate pair if it follows; a half alone is U+FFFD, as in encoding/json.
func (s *scanner) surrogate(high rune) rune {
	seq, err := s.ahead(6)
	if err != nil {
		return utf8.RuneError // the string has no end: the next call says so
	}
	low, ok := hex4(seq)
	if !ok {
		return utf8.RuneError
	}
	r := utf16.DecodeRune(high, low)
	if r != utf8.RuneError {
		s.pos += 6
	}
	return r
}

// ahead returns the next n bytes without taking them.
func (s *scanner) ahead(n int) ([]byte, error) {
	for s.end-s.pos < n {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	return s.buf[s.pos : s.pos+n], nil
}

// hex4 reads \uXXXX.
func hex4(seq []byte) (rune, bool) {
	if seq[0] != '\\' || seq[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range bytes.ToLower(seq[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
